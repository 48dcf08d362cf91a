//! Numbers in words: durations, counts, shares. Every renderer uses these, so that all agree.

use workloads::moments;
pub(crate) use workloads::moments::duration;

pub(crate) use crate::plural::{count, counted};

/// A point in time of the run: seconds with milliseconds, such as `12.034 s`.
pub(crate) fn moment(ns: u64) -> String {
    moments::text(ns, 3)
}

/// `part` of `whole` as `99.2 %`; never rounds up to 100 or down to 0.
pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "none".to_owned();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    if part == whole || part == 0 {
        return format!("{percent:.0} %");
    }
    format!("{:.1} %", percent.clamp(0.1, 99.9))
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [start @ .., last] => {
            let start: Vec<&str> = start.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", start.join(", "), last.as_ref())
        }
    }
}

/// At most `limit` characters, with an ellipsis where it was cut.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The first letter in upper case, for the start of a sentence; names such as `n1` stay as they are.
pub(crate) fn sentence(text: &str) -> String {
    let first_word = text.split([' ', ':', ',']).next().unwrap_or(text);
    if !first_word.chars().all(char::is_alphabetic) {
        return text.to_owned();
    }
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_in_upper_case_but_names_do_not_change() {
        assert_eq!(sentence("kill: 2 installed"), "Kill: 2 installed");
        assert_eq!(sentence("n1 was not seen to stop"), "n1 was not seen to stop");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn a_share_is_never_rounded_to_all_or_nothing() {
        assert_eq!(share(99_999, 100_000), "99.9 %");
        assert_eq!(share(1, 100_000), "0.1 %");
        assert_eq!(share(5, 5), "100 %");
        assert_eq!(share(0, 5), "0 %");
    }
}
