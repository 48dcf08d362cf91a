//! Values of options, and what to say where they cannot be used.

use std::time::Duration;

/// Options that cannot work, alone or together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadUsage(pub String);

/// Refuses `--bug` where no bug can be planted.
pub fn check_bug(bug: Option<&str>) -> Result<(), BadUsage> {
    let Some(name) = bug else { return Ok(()) };
    if !cfg!(feature = "planted-bugs") {
        return Err(BadUsage(format!(
            "--bug {name}: this build has no planted bugs\n\
             hint: cargo run -p harness --features planted-bugs -- --bug {name}"
        )));
    }
    #[cfg(feature = "simulation")]
    if server::bug::Bug::from_name(name).is_none() {
        return Err(unknown("bug", name, server::bug::BUGS.iter().map(|bug| bug.name())));
    }
    Ok(())
}

/// A name that is in no table, with those that are.
pub fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> BadUsage {
    let known: Vec<&str> = known.collect();
    let hint = match known.is_empty() {
        true => format!("this build has no {what}; build with the default features"),
        false => format!("one of {}", known.join(", ")),
    };
    BadUsage(format!("unknown {what} {name:?}\nhint: {hint}"))
}

/// Longer is a slip of the pen, and near the end of what a clock can count.
const DURATION_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Reads `500ms`, `30s`, `3m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("{error}; hint: a duration is written as 500ms, 30s or 3m"))?;
    match duration <= DURATION_MAX {
        true => Ok(duration),
        false => Err("too long; hint: at most 30days".to_owned()),
    }
}

/// Reads `17`, `64KiB`, `512MiB`, `2GiB`.
pub fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1_usize << 30,
        other => return Err(format!("unknown unit {other:?}; hint: use KiB, MiB or GiB")),
    };
    let number: usize = digits.parse().map_err(|_| format!("{digits:?} is not a whole number"))?;
    number.checked_mul(unit).ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fit_on_a_clock() {
        assert_eq!(duration("30days"), Ok(DURATION_MAX));
        assert!(duration("31days").is_err());
        assert!(duration("999999999999999999s").is_err());
        assert!(duration("5").is_err());
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
        assert_eq!(bytes("17"), Ok(17));
        assert!(bytes("3 GB").is_err());
    }
}
