//! Counts in words.

/// A whole number with thousands separators: `12,034`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 operation`, `12 operations`, `3 faults`.
pub fn counted(number: impl Into<u64>, singular: &str) -> String {
    let number = number.into();
    let noun = match (number, singular.strip_suffix('y')) {
        (1, _) => singular.to_owned(),
        (_, _) if singular.ends_with('s') => format!("{singular}es"),
        (_, Some(stem)) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{singular}s"),
    };
    format!("{} {noun}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_pluralised() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1_u64, "fault"), "1 fault");
        assert_eq!(counted(1200_u64, "operation"), "1,200 operations");
        assert_eq!(counted(2_u64, "history"), "2 histories");
        assert_eq!(counted(2_u64, "process"), "2 processes");
        assert_eq!(counted(0_u64, "key"), "0 keys");
    }
}
