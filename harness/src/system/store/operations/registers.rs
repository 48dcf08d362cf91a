//! Registers: `read`, `write`, `cas` and `delete` of one key. A value is stored as JSON, and behind
//! that whatever makes it larger.

use bytes::Bytes;
use workloads::generator::Invocation;
use workloads::history::Value;

use super::{Connection, key};
use crate::system::outcome::Failure;

/// How much larger a value is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Padding {
    /// Not at all.
    None,
    /// Up to one of [`SIZES`], by its number.
    Mixed,
}

/// Bytes of a value, by its number; most are small.
const SIZES: [usize; 16] =
    [128 << 10, 1, 100, 1, 32 << 10, 1, 100, 1, 4 << 10, 1, 100, 1, 1 << 10, 1, 100, 1];

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
    padding: Padding,
) -> Result<Value, Failure> {
    let key = key(invocation);
    match (invocation.f, &invocation.value) {
        ("read", _) => {
            let found = connection.get(key).await?;
            return Ok(found.map_or(Value::Null, |found| padding.read(&found.value)));
        }
        ("write", value) => {
            connection.kv.put(key, padding.stored(value)).await?;
        }
        ("delete", _) => {
            connection.kv.delete(key).await?;
        }
        ("cas", Value::List(pair)) if pair.len() == 2 => {
            let expected = match &pair[0] {
                Value::Null => None,
                value => Some(padding.stored(value)),
            };
            let new = padding.stored(&pair[1]);
            if !connection.kv.compare_and_set(key, expected, new).await?.swapped {
                return Err(Failure::Refused("the register holds another value"));
            }
        }
        _ => return Err(Failure::unknown(invocation)),
    }
    Ok(invocation.value.clone())
}

impl Padding {
    /// A value as it is stored: its JSON, and that again until it is large enough.
    fn stored(self, value: &Value) -> Bytes {
        let text = value.to_string();
        let bytes = match (self, value.as_u64()) {
            (Padding::Mixed, Some(number)) => SIZES[(number % SIZES.len() as u64) as usize],
            _ => 0,
        };
        let mut stored = text.clone();
        while stored.len() < bytes {
            stored.push(' ');
            stored.push_str(&text);
        }
        stored.truncate(bytes.max(text.len()));
        stored.into()
    }

    /// The value that was stored. What was not stored so is no value that anybody wrote.
    fn read(self, stored: &Bytes) -> Value {
        if self == Padding::None {
            return value(stored);
        }
        let text = stored.split(|byte| *byte == b' ').next().unwrap_or_default();
        let value = value(text);
        match self.stored(&value) == stored {
            true => value,
            false => {
                Value::from(format!("damaged: {} bytes that begin with {value}", stored.len()))
            }
        }
    }
}

/// A value that was stored as JSON.
pub(super) fn value(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    text.parse().unwrap_or_else(|_| Value::from(&*text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_values_are_read_as_they_were_stored() {
        for number in 0..40_u64 {
            let stored = Padding::Mixed.stored(&Value::from(number));
            assert!(stored.len() >= SIZES[number as usize % SIZES.len()]);
            assert_eq!(Padding::Mixed.read(&stored), Value::from(number));
        }
        assert_eq!(Padding::None.stored(&Value::from(16)), "16");
    }

    #[test]
    fn every_byte_counts() {
        let stored = Padding::Mixed.stored(&Value::from(12));
        let damaged = |stored: Vec<u8>| Padding::Mixed.read(&stored.into()).as_str().is_some();
        assert!(damaged(stored[..stored.len() - 1].to_vec()));
        let mut changed = stored.to_vec();
        changed[700] ^= 1;
        assert!(damaged(changed));
    }
}
