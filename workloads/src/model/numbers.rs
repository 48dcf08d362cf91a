//! Numbers in place of values: small, and fast to compare.

use rustc_hash::FxHashMap;

use crate::history::Value;

const NONE: u32 = u32::MAX;

/// Integers up to so many times the number of values (and a few more) are found in a table.
const SPARSENESS_MAX: usize = 8;

/// Gives each value of a history a number, in order of first appearance.
///
/// Integers that are close together, as generators write them, are looked up in a table of 4 bytes
/// each; all other values in hash maps.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    values: Vec<Value>,
    table: Vec<u32>,
    integers: FxHashMap<i64, u32>,
    others: FxHashMap<Value, u32>,
}

impl Numbers {
    /// How many values have a number.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no value has a number yet.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value of this number.
    pub fn value(&self, number: u32) -> &Value {
        &self.values[number as usize]
    }

    /// The number of `value`, if it has one.
    pub fn get(&self, value: &Value) -> Option<u32> {
        let place = value.as_i64().and_then(|value| usize::try_from(value).ok());
        match place.and_then(|place| self.table.get(place)) {
            Some(&number) if number != NONE => Some(number),
            _ => match value {
                Value::Int(integer) => self.integers.get(integer).copied(),
                other => self.others.get(other).copied(),
            },
        }
    }

    /// The number of `value`, which gets one if it has none.
    pub fn number(&mut self, value: &Value) -> u32 {
        if let Some(number) = self.get(value) {
            return number;
        }
        let number = u32::try_from(self.values.len()).expect("a history has under 2^32 values");
        self.values.push(value.clone());
        let place = value.as_i64().and_then(|value| usize::try_from(value).ok());
        match place.filter(|&place| place < SPARSENESS_MAX * (self.values.len() + 128)) {
            Some(place) => {
                if place >= self.table.len() {
                    self.table.resize((place + 1).next_power_of_two(), NONE);
                }
                self.table[place] = number;
            }
            None => {
                match value {
                    Value::Int(integer) => self.integers.insert(*integer, number),
                    other => self.others.insert(other.clone(), number),
                };
            }
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_one_number() {
        let mut numbers = Numbers::default();
        let values: Vec<Value> = [
            Value::Null,
            Value::from(0),
            Value::from(7),
            Value::from(-7),
            Value::from(i64::MAX),
            Value::from("7"),
            Value::from([7]),
        ]
        .into();
        for _ in 0..2 {
            for (number, value) in values.iter().enumerate() {
                assert_eq!(numbers.number(value), number as u32);
            }
        }
        // Now that there are many values, a larger integer still has the number it got.
        numbers.number(&Value::from(2_000));
        for value in 10_000..11_000 {
            numbers.number(&Value::from(value));
        }
        assert_eq!(numbers.number(&Value::from(2_000)), values.len() as u32);
        assert_eq!(numbers.get(&Value::from(10_000)), Some(values.len() as u32 + 1));
        assert_eq!(numbers.get(&Value::from(5)), None);
        assert_eq!(numbers.len(), values.len() + 1_001);
        assert_eq!(numbers.value(3), &Value::from(-7));
    }
}
