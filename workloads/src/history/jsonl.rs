//! Histories as JSON lines: one event an object, one object a line.

use std::io::{self, BufRead, Read, Write};

use serde::Deserialize;
use smol_str::SmolStr;

use super::source::EVENT_BYTES_MAX;
use super::{Event, EventKind, Process, ReadError, TruncatedTail, Value};

/// The form of a line, quoted in errors.
const EXPECTED: &str = r#"an event such as {"index":0,"time":0,"process":0,"type":"invoke","f":"read","key":1,"value":null}"#;

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
    index: Option<i64>,
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

    /// The line that was read last.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The event in the buffer, which holds line `self.line`.
    fn parse(&mut self) -> Result<Option<Event>, ReadError> {
        let event = parse_line(&self.buffer, self.line, self.position);
        match event {
            Err(ReadError::Truncated { line, .. }) if self.tail == TruncatedTail::Tolerate => {
                self.truncated = Some(line);
                Ok(None)
            }
            Ok(Some(event)) => {
                self.position = event.index.saturating_add(1);
                Ok(Some(event))
            }
            other => other,
        }
    }
}

/// The event of one line, which ends in a newline if it is complete. None if it is blank.
fn parse_line(buffer: &[u8], number: u64, position: u64) -> Result<Option<Event>, ReadError> {
    let complete = buffer.last() == Some(&b'\n');
    let text = buffer.trim_ascii_end();
    if text.trim_ascii_start().is_empty() {
        return Ok(None);
    }
    let line: Line = match serde_json::from_slice(text) {
        Ok(line) => line,
        Err(_) if buffer.len() >= EVENT_BYTES_MAX => {
            return Err(ReadError::Malformed {
                line: number,
                column: 1,
                expected: EXPECTED.to_owned(),
                got: format!("a line of more than {EVENT_BYTES_MAX} bytes"),
            });
        }
        // A cut may also fall into the middle of a character.
        Err(error) if !complete && (error.is_eof() || std::str::from_utf8(text).is_err()) => {
            return Err(ReadError::Truncated { line: number, column: text.len() + 1 });
        }
        Err(error) => return Err(malformed(number, text, &error)),
    };
    Ok(Some(Event {
        index: line.index.and_then(|index| u64::try_from(index).ok()).unwrap_or(position),
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
    }))
}

impl<R: BufRead> Iterator for JsonlReader<R> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.finished {
            self.buffer.clear();
            self.line += 1;
            let limit = EVENT_BYTES_MAX as u64;
            match (&mut self.source).take(limit).read_until(b'\n', &mut self.buffer) {
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
                    return Some(Err(ReadError::Io { line: self.line, source }));
                }
            }
        }
        None
    }
}

fn malformed(line: u64, text: &[u8], error: &serde_json::Error) -> ReadError {
    let message = error.to_string();
    let got = message.split(" at line ").next().unwrap_or(&message).to_owned();
    // Strings of serde_json locate by line and column; the line is always 1 here.
    let column = error.column().clamp(1, text.len() + 1);
    ReadError::Malformed { line, column, expected: EXPECTED.to_owned(), got }
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
) -> Result<(Vec<Event>, Option<u64>), ReadError> {
    let mut reader = JsonlReader::new(source, tail);
    let events = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
    Ok((events, reader.truncated_line()))
}
