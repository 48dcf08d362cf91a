//! What a request asks for: `?q=kill&verdict=invalid&a=RUN&a=RUN`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but what a path of ours is made of.
const IN_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'+');
/// Names and values in one query; more are passed over.
const PAIRS_MAX: usize = 500;

/// The names and values of a query, in order. A value may come more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the part of an address after the question mark.
    pub(super) fn parse(text: &str) -> Query {
        let pairs = text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .take(PAIRS_MAX)
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
        Query { pairs }
    }

    /// The first value of this name; empty if there is none.
    pub(super) fn one(&self, name: &str) -> &str {
        let found = self.pairs.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// All values of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// As browsers write forms.
fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// A relative path as part of an address.
pub(super) fn path(text: &str) -> String {
    utf8_percent_encode(text, IN_PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_may_come_twice() {
        let query = Query::parse("q=kill+n1%26n2&a=x%2Fy&a=z&empty");
        assert_eq!(query.one("q"), "kill n1&n2");
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["x/y", "z"]);
        assert_eq!(query.one("absent"), "");
    }

    #[test]
    fn a_path_comes_back_as_it_went() {
        let odd = "register-kill+pause/2026 \"<x>&%";
        let written = path(odd);
        assert!(!written.contains(['"', '<', '&', ' ']));
        assert_eq!(percent_decode_str(&written).decode_utf8_lossy(), odd);
    }
}
