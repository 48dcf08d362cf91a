//! Histories as JSON lines: one event an object, one object a line.

use std::io::{self, BufRead, Write};

use serde::Deserialize;
use smol_str::SmolStr;
use thiserror::Error;

use super::{Event, EventKind, Process, Value};

/// The form of a line, quoted in errors.
const EXPECTED: &str = r#"an event such as {"index":0,"time":0,"process":0,"type":"invoke","f":"read","key":1,"value":null}"#;

/// Why a history could not be read.
#[derive(Debug, Error)]
pub enum JsonlError {
    /// The source failed.
    #[error("line {line}: cannot read")]
    Io {
        /// Counted from 1.
        line: u64,
        /// What the source said.
        #[source]
        source: io::Error,
    },
    /// The line is not an event.
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
    /// The last line ends in the middle, as a killed run leaves it.
    #[error("line {line}, column {column}: expected the rest of the last event, got end of file")]
    Truncated {
        /// Counted from 1.
        line: u64,
        /// Counted from 1, in bytes.
        column: usize,
    },
}

/// How to treat a last line that ends in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruncatedTail {
    /// It is an error.
    Refuse,
    /// It is left out, and [`JsonlReader::truncated_line`] says so.
    Tolerate,
}

/// Events of a JSON lines source, one at a time, so that a history may be larger than memory.
///
/// `index` defaults to the position of the event and `time` to 0. Blank lines are skipped.
#[derive(Debug)]
pub struct JsonlReader<R> {
    source: R,
    tail: TruncatedTail,
    buffer: Vec<u8>,
    line: u64,
    position: u64,
    truncated: Option<u64>,
    finished: bool,
}

/// What is accepted on reading, which is more than what is written.
#[derive(Deserialize)]
struct Line {
    index: Option<u64>,
    time: Option<i64>,
    scheduled: Option<u64>,
    process: Process,
    #[serde(rename = "type")]
    kind: EventKind,
    f: SmolStr,
    key: Option<Value>,
    #[serde(default)]
    value: Value,
    error: Option<Value>,
    node: Option<SmolStr>,
}

impl<R: BufRead> JsonlReader<R> {
    /// Reads events from `source`.
    pub fn new(source: R, tail: TruncatedTail) -> Self {
        Self {
            source,
            tail,
            buffer: Vec::new(),
            line: 0,
            position: 0,
            truncated: None,
            finished: false,
        }
    }

    /// The number of the truncated last line that was left out, if there was one.
    pub fn truncated_line(&self) -> Option<u64> {
        self.truncated
    }

    /// The event in the buffer, which holds line `self.line`.
    fn parse(&mut self) -> Result<Option<Event>, JsonlError> {
        let complete = self.buffer.last() == Some(&b'\n');
        let text = self.buffer.trim_ascii_end();
        if text.trim_ascii_start().is_empty() {
            return Ok(None);
        }
        let line: Line = match serde_json::from_slice(text) {
            Ok(line) => line,
            // A cut may also fall into the middle of a character.
            Err(error) if !complete && (error.is_eof() || std::str::from_utf8(text).is_err()) => {
                return match self.tail {
                    TruncatedTail::Tolerate => {
                        self.truncated = Some(self.line);
                        Ok(None)
                    }
                    TruncatedTail::Refuse => {
                        Err(JsonlError::Truncated { line: self.line, column: text.len() + 1 })
                    }
                };
            }
            Err(error) => return Err(malformed(self.line, text, &error)),
        };
        let event = Event {
            index: line.index.unwrap_or(self.position),
            // Jepsen writes -1 where it knows no time.
            time: line.time.and_then(|time| u64::try_from(time).ok()).unwrap_or(0),
            scheduled: line.scheduled,
            process: line.process,
            kind: line.kind,
            f: line.f,
            key: line.key,
            value: line.value,
            error: line.error.map(|error| match error {
                Value::Text(text) => text,
                other => other.to_string().into(),
            }),
            node: line.node,
        };
        self.position = event.index.saturating_add(1);
        Ok(Some(event))
    }
}

impl<R: BufRead> Iterator for JsonlReader<R> {
    type Item = Result<Event, JsonlError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.finished {
            self.buffer.clear();
            self.line += 1;
            match self.source.read_until(b'\n', &mut self.buffer) {
                Ok(0) => self.finished = true,
                Ok(_) => match self.parse() {
                    Ok(Some(event)) => return Some(Ok(event)),
                    Ok(None) => {}
                    Err(error) => {
                        self.finished = true;
                        return Some(Err(error));
                    }
                },
                Err(source) => {
                    self.finished = true;
                    return Some(Err(JsonlError::Io { line: self.line, source }));
                }
            }
        }
        None
    }
}

fn malformed(line: u64, text: &[u8], error: &serde_json::Error) -> JsonlError {
    let message = error.to_string();
    let got = message.split(" at line ").next().unwrap_or(&message).to_owned();
    // Strings of serde_json locate by line and column; the line is always 1 here.
    let column = error.column().clamp(1, text.len() + 1);
    JsonlError::Malformed { line, column, expected: EXPECTED.to_owned(), got }
}

/// Writes one event as one line.
pub fn write_event<W: Write>(sink: &mut W, event: &Event) -> io::Result<()> {
    serde_json::to_writer(&mut *sink, event)?;
    sink.write_all(b"\n")
}

/// Reads a whole history; the number is that of a truncated last line, if one was tolerated.
pub fn read_events<R: BufRead>(
    source: R,
    tail: TruncatedTail,
) -> Result<(Vec<Event>, Option<u64>), JsonlError> {
    let mut reader = JsonlReader::new(source, tail);
    let events = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
    Ok((events, reader.truncated_line()))
}
