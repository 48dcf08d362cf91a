//! A door for the fuzzer.

use super::query::{Query, decode, encode};

/// Reads text as the parameters of a request, and as a key in its path.
pub fn query(text: &str) {
    let _ = Query::parse(text);
    if let Ok(key) = decode(text) {
        assert_eq!(decode(&encode(&key)).ok(), Some(key));
    }
}
