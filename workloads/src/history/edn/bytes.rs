//! Bytes of a source one at a time, with their place.

use std::io::BufRead;

use crate::history::source::{EVENT_BYTES_MAX, ReadError, quoted};

/// A source that is looked at one byte ahead.
pub(super) struct Bytes<'a> {
    source: Box<dyn BufRead + 'a>,
    buffer: Vec<u8>,
    next: usize,
    line: u64,
    column: usize,
    /// Bytes taken since the last call of `begin`.
    taken: usize,
}

impl<'a> Bytes<'a> {
    /// Bytes of `source`, whose first line has this number.
    pub(super) fn new(source: Box<dyn BufRead + 'a>, line: u64, column: usize) -> Self {
        Self { source, buffer: Vec::new(), next: 0, line, column, taken: 0 }
    }

    /// A new event begins here.
    pub(super) fn begin(&mut self) {
        self.taken = 0;
    }

    /// The line and column of the next byte, counted from 1.
    pub(super) fn place(&self) -> (u64, usize) {
        (self.line, self.column)
    }

    /// The next byte; none at the end.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        match self.buffer.get(self.next) {
            Some(&byte) => Ok(Some(byte)),
            None => self.refill(),
        }
    }

    #[cold]
    fn refill(&mut self) -> Result<Option<u8>, ReadError> {
        if self.taken > EVENT_BYTES_MAX {
            let expected = format!("an event of at most {EVENT_BYTES_MAX} bytes");
            return Err(self.malformed(expected, "a longer one".to_owned()));
        }
        self.buffer.clear();
        self.next = 0;
        let line = self.line;
        let chunk = self.source.fill_buf().map_err(|source| ReadError::Io { line, source })?;
        self.buffer.extend_from_slice(chunk);
        let length = self.buffer.len();
        self.source.consume(length);
        Ok(self.buffer.first().copied())
    }

    /// The byte after the one that `peek` gives; none at the end.
    pub(super) fn second(&mut self) -> Result<Option<u8>, ReadError> {
        if self.peek()?.is_some() && self.next + 1 == self.buffer.len() {
            let line = self.line;
            let chunk = self.source.fill_buf().map_err(|source| ReadError::Io { line, source })?;
            let length = chunk.len();
            self.buffer.drain(..self.next);
            self.next = 0;
            self.buffer.extend_from_slice(chunk);
            self.source.consume(length);
        }
        Ok(self.buffer.get(self.next + 1).copied())
    }

    /// Goes past the byte that `peek` gave.
    #[inline]
    pub(super) fn bump(&mut self) {
        if self.buffer.get(self.next) == Some(&b'\n') {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        self.next += 1;
        self.taken += 1;
    }

    /// Takes the next byte; the end is a truncated event.
    pub(super) fn take(&mut self) -> Result<u8, ReadError> {
        match self.peek()? {
            Some(byte) => {
                self.bump();
                Ok(byte)
            }
            None => Err(self.truncated()),
        }
    }

    /// The error of a source that ends too early.
    pub(super) fn truncated(&self) -> ReadError {
        ReadError::Truncated { line: self.line, column: self.column }
    }

    /// An error at the next byte.
    pub(super) fn malformed(&self, expected: String, got: String) -> ReadError {
        ReadError::Malformed { line: self.line, column: self.column, expected, got }
    }

    /// An error at the next byte, which quotes what is there.
    pub(super) fn unexpected(&mut self, expected: &str) -> ReadError {
        match self.peek() {
            Err(error) => error,
            Ok(None) => self.truncated(),
            Ok(Some(_)) => {
                let rest = &self.buffer[self.next..];
                let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
                let got = format!("`{}`", quoted(&rest[..end.max(1)]).trim_end());
                self.malformed(expected.to_owned(), got)
            }
        }
    }
}
