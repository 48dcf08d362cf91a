//! Durations as people write them: `50ms`, `2s`, `10m`, `24h`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Units from long to short, in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A duration in a settings file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub(super) Duration);

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&print(self.0))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Span).map_err(de::Error::custom)
    }
}

/// Reads `50ms`, `2s`, `10m` and `24h`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    // "ms" before "m" and "s", which are parts of it.
    let unit = UNITS.iter().rev().find(|(unit, _)| text.ends_with(unit));
    let Some((unit, millis)) = unit else {
        return Err("durations look like 50ms, 2s, 10m or 24h".to_owned());
    };
    let digits = &text[..text.len() - unit.len()];
    let amount: u64 = digits.parse().map_err(|_| format!("{digits:?} is not a number"))?;
    Ok(Duration::from_millis(amount.checked_mul(*millis).ok_or("that is too long")?))
}

/// In the longest unit that is exact; what is shorter than a millisecond is cut off.
pub(super) fn print(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, size) = UNITS
        .iter()
        .find(|(_, size)| millis >= *size && millis.is_multiple_of(*size))
        .unwrap_or(&("ms", 1));
    format!("{}{unit}", millis / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        for (text, millis) in
            [("0ms", 0), ("1500ms", 1_500), ("2s", 2_000), ("90s", 90_000), ("24h", 86_400_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
            assert_eq!(print(Duration::from_millis(millis)), text);
        }
        assert_eq!(parse("10m"), Ok(Duration::from_secs(600)));
    }

    #[test]
    fn nonsense_is_no_duration() {
        for text in ["", "5", "s", "-1s", "1.5s", "1 s", "5d", "99999999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("18446744073709551615h").is_err());
    }
}
