//! Lines with their numbers.

use std::io::{BufRead, Read};

use crate::history::source::{EVENT_BYTES_MAX, ReadError};

/// The lines of a source.
pub(super) struct Lines<'a> {
    source: Box<dyn BufRead + 'a>,
    buffer: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(source: Box<dyn BufRead + 'a>) -> Self {
        Self { source, buffer: Vec::new(), number: 0 }
    }

    /// The number of the line that was read last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line without its end, and its number from 1.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &str)>, ReadError> {
        self.buffer.clear();
        self.number += 1;
        let line = self.number;
        let io = |source| ReadError::Io { line, source };
        let limit = EVENT_BYTES_MAX as u64;
        let length =
            (&mut self.source).take(limit).read_until(b'\n', &mut self.buffer).map_err(io)?;
        if length == 0 {
            return Ok(None);
        }
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Ok(Some((line, text.trim_end()))),
            Err(error) => Err(ReadError::Malformed {
                line,
                column: error.valid_up_to() + 1,
                expected: "text in UTF-8".to_owned(),
                got: "other bytes".to_owned(),
            }),
        }
    }
}

/// An error about a whole line.
pub(super) fn malformed(line: u64, text: &str, expected: &str) -> ReadError {
    ReadError::Malformed {
        line,
        column: text.len() - text.trim_start().len() + 1,
        expected: expected.to_owned(),
        got: format!("`{}`", crate::history::source::quoted(text.trim().as_bytes())),
    }
}
