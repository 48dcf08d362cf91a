//! Histories as JSON lines: one event an object, one object a line.

use std::io::{self, BufRead, Read, Write};

use serde::Deserialize;
use smol_str::SmolStr;

use super::scan::{Line, Scanner};
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
    scanner: Scanner,
    line: u64,
    position: u64,
    truncated: Option<u64>,
    finished: bool,
}

/// What is accepted on reading, which is more than what is written.
#[derive(Deserialize)]
struct AnyLine {
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

impl From<AnyLine> for Line {
    fn from(line: AnyLine) -> Line {
        let AnyLine { index, time, scheduled, process, kind, f, key, value, error, node } = line;
        let error = error.map(|error| match error {
            Value::Text(text) => text,
            other => other.to_string().into(),
        });
        Line { index, time, scheduled, process, kind, f, key, value, error, node }
    }
}

impl<R: BufRead> JsonlReader<R> {
    /// Reads events from `source`.
    pub fn new(source: R, tail: TruncatedTail) -> Self {
        Self {
            source,
            tail,
            buffer: Vec::new(),
            scanner: Scanner::default(),
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
        let line = match self.scanner.line(&self.buffer) {
            Some(line) => Ok(Some(line)),
            None => parse_line(&self.buffer, self.line),
        };
        let line = match line {
            Err(ReadError::Truncated { line, .. }) if self.tail == TruncatedTail::Tolerate => {
                self.truncated = Some(line);
                None
            }
            other => other?,
        };
        let Some(line) = line else { return Ok(None) };
        let event = event(line, self.position);
        self.position = event.index.saturating_add(1);
        Ok(Some(event))
    }
}

/// Any line, which ends in a newline if it is complete. None if it is blank.
fn parse_line(buffer: &[u8], number: u64) -> Result<Option<Line>, ReadError> {
    let complete = buffer.last() == Some(&b'\n');
    let text = buffer.trim_ascii_end();
    if text.trim_ascii_start().is_empty() {
        return Ok(None);
    }
    match serde_json::from_slice::<AnyLine>(text) {
        Ok(line) => Ok(Some(line.into())),
        Err(_) if buffer.len() >= EVENT_BYTES_MAX => Err(ReadError::Malformed {
            line: number,
            column: 1,
            expected: EXPECTED.to_owned(),
            got: format!("a line of more than {EVENT_BYTES_MAX} bytes"),
        }),
        // A cut may also fall into the middle of a character.
        Err(error) if !complete && (error.is_eof() || std::str::from_utf8(text).is_err()) => {
            Err(ReadError::Truncated { line: number, column: text.len() + 1 })
        }
        Err(error) => Err(malformed(number, text, &error)),
    }
}

/// The event of a line at this position.
fn event(line: Line, position: u64) -> Event {
    Event {
        index: line.index.and_then(|index| u64::try_from(index).ok()).unwrap_or(position),
        // Jepsen writes -1 where it knows no time.
        time: line.time.and_then(|time| u64::try_from(time).ok()).unwrap_or(0),
        scheduled: line.scheduled,
        process: line.process,
        kind: line.kind,
        f: line.f,
        key: line.key,
        value: line.value,
        error: line.error,
        node: line.node,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const DAMAGE: &[u8] = b"0123456789,:\"[]{}-e.nul \\";

    /// Histories of synthetic systems, and the same with some bytes damaged.
    #[test]
    fn the_usual_way_reads_what_any_line_means() {
        use rand::{RngExt, SeedableRng};

        use crate::synthetic::{SYNTHETIC, SyntheticOptions, generate, to_events};

        let options = SyntheticOptions {
            operations: 60,
            concurrency: 5,
            crash_rate: 0.1,
            keys: 2,
            at: 0.5,
            seed: 1,
        };
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut scanner = Scanner::default();
        let (mut usual, mut damaged) = (0, 0);
        for model in SYNTHETIC {
            let (history, _) = generate(model, None, &options).unwrap();
            for event in to_events(&history) {
                let mut line = Vec::new();
                write_event(&mut line, &event).unwrap();
                for _ in 0..20 {
                    if let Some(scanned) = scanner.line(&line) {
                        assert_eq!(scanned, parse_line(&line, 1).unwrap().unwrap());
                        usual += 1;
                    }
                    let place = rng.random_range(0..line.len());
                    line[place] = DAMAGE[rng.random_range(0..DAMAGE.len())];
                    damaged += 1;
                }
            }
        }
        assert!(usual > 1_000 && usual < damaged, "{usual} of {damaged}");
    }
}
