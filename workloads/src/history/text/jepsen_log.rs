//! Logs of Jepsen: events among other lines.
//!
//! ```text
//! INFO  jepsen.util - 4 :invoke :read nil
//! INFO [2015-01-01] jepsen worker 2 - jepsen.util 2 :info :write :timed-out
//! 0 :ok :read 3                                        (history.txt)
//! ```
//!
//! Lines without an event are passed over and counted.

use std::io::BufRead;

use rustc_hash::FxHashMap;

use super::lines::{Lines, malformed};
use crate::history::edn::value_of_text;
use crate::history::source::ReadError;
use crate::history::{Event, EventKind, Process, Value};

/// Events of such a log, one at a time.
pub struct JepsenLogReader<'a> {
    lines: Lines<'a>,
    position: u64,
    passed_over: u64,
    /// Arguments of open operations: completions name an error in their place.
    open: FxHashMap<u64, Value>,
}

/// The types, as they are written.
const KINDS: &[(&str, EventKind)] = &[
    (":invoke", EventKind::Invoke),
    (":ok", EventKind::Ok),
    (":fail", EventKind::Fail),
    (":info", EventKind::Info),
];

/// The parts of a line: what the process is called, the kind, and the text behind it with its column.
struct Parts<'l> {
    process: &'l str,
    kind: EventKind,
    rest: &'l str,
    column: usize,
}

impl<'a> JepsenLogReader<'a> {
    /// Reads events from `source`.
    pub fn new(source: Box<dyn BufRead + 'a>) -> Self {
        Self { lines: Lines::new(source), position: 0, passed_over: 0, open: FxHashMap::default() }
    }

    /// The line that was read last.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    /// Lines without an event.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    fn event(&mut self) -> Result<Option<Event>, ReadError> {
        while let Some((line, text)) = self.lines.next()? {
            if let Some(parts) = parts(text) {
                let mut event = event_of(line, text, &parts, &mut self.open)?;
                event.index = self.position;
                // Only the order is known.
                event.time = self.position * 1_000_000;
                self.position += 1;
                return Ok(Some(event));
            }
            if !text.trim().is_empty() {
                self.passed_over += 1;
            }
        }
        Ok(None)
    }
}

impl Iterator for JepsenLogReader<'_> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.event().transpose()
    }
}

/// Whether a line holds an event.
pub(crate) fn is_event(line: &str) -> bool {
    parts(line).is_some()
}

fn parts(text: &str) -> Option<Parts<'_>> {
    KINDS.iter().find_map(|&(word, kind)| {
        let start = text.find(word)?;
        let rest = &text[start + word.len()..];
        let process = text[..start].split_whitespace().next_back()?;
        let named = process.starts_with(|c: char| c.is_ascii_digit() || c == ':');
        (named && rest.starts_with([' ', '\t']) && text[..start].ends_with([' ', '\t']))
            .then_some(Parts { process, kind, rest, column: start + word.len() + 1 })
    })
}

fn event_of(
    line: u64,
    text: &str,
    parts: &Parts<'_>,
    open: &mut FxHashMap<u64, Value>,
) -> Result<Event, ReadError> {
    let expected = "an event such as `0 :invoke :read nil`";
    let process = match parts.process.parse::<u64>() {
        Ok(process) => Process::Client(process),
        Err(_) if parts.process.starts_with(':') => Process::Nemesis,
        Err(_) => return Err(malformed(line, text, expected)),
    };
    let rest = parts.rest.trim_start();
    let (f, rest) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
    let f = f.strip_prefix(':').ok_or_else(|| malformed(line, text, expected))?;
    let column = parts.column + (parts.rest.len() - rest.len());
    let is_keyword = rest.trim_start().starts_with(':');
    let mut value = match rest.trim() {
        "" => Value::Null,
        _ => value_of_text(rest.as_bytes(), line, column)?,
    };
    let mut error = None;
    if let Process::Client(process) = process {
        match parts.kind {
            EventKind::Invoke => {
                open.insert(process, value.clone());
            }
            EventKind::Ok => {}
            // A keyword in place of the argument says why, such as `:timed-out`.
            EventKind::Fail | EventKind::Info if is_keyword => {
                error = value.as_str().map(Into::into);
                value = open.remove(&process).unwrap_or(Value::Null);
            }
            EventKind::Fail | EventKind::Info => {}
        }
    }
    Ok(Event {
        index: 0,
        time: 0,
        scheduled: None,
        process,
        kind: parts.kind,
        f: f.into(),
        key: None,
        value,
        error,
        node: None,
    })
}
