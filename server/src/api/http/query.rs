//! Keys in paths, and the parameters of a query.

use std::time::Duration;

use bytes::Bytes;
use proto::kv::ReadMode;

use super::reply::Failure;

/// Known parameters, for those who misspell one.
const NAMES: &str = "after, consistency, expected, lease, limit, prefix, raw, redirect, sequence, \
                     session, timeout";

/// The parameters of a request; none is needed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) after: Option<Bytes>,
    pub(super) consistency: ReadMode,
    pub(super) expected: Option<Bytes>,
    pub(super) lease: u64,
    pub(super) limit: u32,
    pub(super) prefix: Option<Bytes>,
    pub(super) raw: bool,
    pub(super) redirect: Option<bool>,
    pub(super) sequence: u64,
    pub(super) session: u64,
    pub(super) timeout: Option<Duration>,
}

impl Query {
    /// Reads what stands behind the `?`.
    pub(super) fn parse(text: &str) -> Result<Query, Failure> {
        let mut query = Query::default();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = decode(value)?;
            let words = || {
                let words = std::str::from_utf8(&value).ok();
                words.ok_or_else(|| Failure::invalid(format!("{name} must be text")))
            };
            match name {
                "after" => query.after = Some(value),
                "expected" => query.expected = Some(value),
                "prefix" => query.prefix = Some(value),
                "consistency" => query.consistency = consistency(words()?)?,
                "lease" => query.lease = number(name, words()?)?,
                "sequence" => query.sequence = number(name, words()?)?,
                "session" => query.session = number(name, words()?)?,
                "limit" => {
                    let limit = number(name, words()?)?;
                    query.limit = u32::try_from(limit).unwrap_or(u32::MAX);
                }
                "raw" => query.raw = flag(name, words()?)?,
                "redirect" => query.redirect = Some(flag(name, words()?)?),
                "timeout" => query.timeout = Some(timeout(words()?)?),
                _ => {
                    return Err(Failure::invalid(format!(
                        "there is no parameter {name:?}; there are {NAMES}"
                    )));
                }
            }
        }
        Ok(query)
    }
}

fn consistency(value: &str) -> Result<ReadMode, Failure> {
    match value {
        "linearizable" => Ok(ReadMode::Linearizable),
        "local" => Ok(ReadMode::Local),
        _ => Err(Failure::invalid("consistency is linearizable or local")),
    }
}

fn number(name: &str, value: &str) -> Result<u64, Failure> {
    value.parse().map_err(|_| Failure::invalid(format!("{name} must be a number")))
}

fn flag(name: &str, value: &str) -> Result<bool, Failure> {
    match value {
        "true" | "" => Ok(true),
        "false" => Ok(false),
        _ => Err(Failure::invalid(format!("{name} is true or false"))),
    }
}

fn timeout(value: &str) -> Result<Duration, Failure> {
    crate::config::parse_duration(value)
        .map_err(|reason| Failure::invalid(format!("timeout: {reason}")))
}

/// The bytes that percent-encoded text stands for.
pub(super) fn decode(text: &str) -> Result<Bytes, Failure> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let (high, low, tail) = match rest {
            [high, low, tail @ ..] => (digit(*high), digit(*low), tail),
            _ => (None, None, rest),
        };
        let (Some(high), Some(low)) = (high, low) else {
            return Err(Failure::invalid("a % must be followed by two hexadecimal digits"));
        };
        bytes.push(high << 4 | low);
        rest = tail;
    }
    Ok(bytes.into())
}

/// The text that stands for these bytes in a path; slashes stay what they are.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The first key after all that begin with the prefix; none if there is no such key.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end.into())
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_way_into_a_path_and_back() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(decode(&encode(&all)).unwrap(), all);
        assert_eq!(encode(b"a/b c"), "a/b%20c");
        assert_eq!(decode("a%2Fb%2fc").unwrap(), "a/b/c");
        assert_eq!(decode("a+b").unwrap(), "a+b");
        for wrong in ["%", "%4", "%zz", "a%", "%4\u{e9}"] {
            decode(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_query_is_read_and_nothing_in_it_is_passed_over() {
        let query = Query::parse("consistency=local&expected=%00&raw&timeout=50ms").unwrap();
        let expected = Query {
            consistency: ReadMode::Local,
            expected: Some(Bytes::from_static(&[0])),
            raw: true,
            timeout: Some(Duration::from_millis(50)),
            ..Query::default()
        };
        assert_eq!(query, expected);
        assert_eq!(Query::parse("").unwrap(), Query::default());
        for wrong in ["consistancy=local", "consistency=some", "lease=x", "raw=1", "timeout=5"] {
            Query::parse(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_prefix_ends_where_it_should() {
        assert_eq!(after_prefix(b"ab"), Some(Bytes::from_static(b"ac")));
        assert_eq!(after_prefix(b"a\xff\xff"), Some(Bytes::from_static(b"b")));
        assert_eq!(after_prefix(b"\xff"), None);
        assert_eq!(after_prefix(b""), None);
    }
}
