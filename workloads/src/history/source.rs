//! Why a history could not be read.

use std::io;

use thiserror::Error;

/// Bytes that one event may take; what is longer is no event.
pub(super) const EVENT_BYTES_MAX: usize = 64 << 20;

/// Why a history could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The source failed.
    #[error("line {line}: cannot read")]
    Io {
        /// Counted from 1.
        line: u64,
        /// What the source said.
        #[source]
        source: io::Error,
    },
    /// The text is not an event.
    #[error("line {line}, column {column}: expected {expected}, got {got}")]
    Malformed {
        /// Counted from 1.
        line: u64,
        /// Counted from 1, in bytes; where the problem was noticed.
        column: usize,
        /// The expected form.
        expected: String,
        /// What is there instead.
        got: String,
    },
    /// The history ends in the middle of an event, as a killed run leaves it.
    #[error("line {line}, column {column}: expected the rest of the last event, got end of file")]
    Truncated {
        /// Counted from 1.
        line: u64,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// The text is in none of the formats.
    #[error("line {line}: expected a history, got `{got}`\nhint: {hint}")]
    UnknownFormat {
        /// Counted from 1.
        line: u64,
        /// The beginning of that line.
        got: String,
        /// What to do.
        hint: &'static str,
    },
}

/// How to treat a last event that ends in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruncatedTail {
    /// It is an error.
    Refuse,
    /// It is left out, and the reader says so.
    Tolerate,
}

/// The beginning of a text as errors quote it.
pub(super) fn quoted(text: &[u8]) -> String {
    const CHARACTERS: usize = 40;
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * CHARACTERS)]);
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into_owned(),
    }
}
