//! Any history: the format is seen from its beginning, unless it is named.

use std::io::BufRead;

use super::edn::EdnReader;
use super::jsonl::JsonlReader;
use super::source::{ReadError, TruncatedTail, quoted};
use super::text::{CallsReader, JepsenLogReader, accesses, intervals, is_event, sessions};
use super::{Event, Process};

/// A format of histories; see FORMATS.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, one event a line.
    Jsonl,
    /// EDN, one map after the other, or all in a vector or list.
    Edn,
    /// Lines of Jepsen's logs, or its `history.txt`.
    JepsenLog,
    /// `[1] call enq(7)`.
    Calls,
    /// `enq 7 100 250`.
    Intervals,
    /// `w 0 1` with `-----` and `=====`.
    Sessions,
    /// `w(0,1,2,3)`.
    Accesses,
}

/// All formats by the names on the command line, with an example.
pub const FORMATS: &[(&str, Format, &str)] = &[
    ("jsonl", Format::Jsonl, r#"{"process":0,"type":"invoke","f":"read","value":null}"#),
    ("edn", Format::Edn, "{:process 0, :type :invoke, :f :read, :value nil}"),
    ("jepsen-log", Format::JepsenLog, "INFO  jepsen.util - 0 :invoke :read nil"),
    ("calls", Format::Calls, "[1] call enq(7)"),
    ("intervals", Format::Intervals, "enq 7 100 250"),
    ("sessions", Format::Sessions, "w 0 1"),
    ("accesses", Format::Accesses, "w(0,1,2,3)"),
];

/// Where the key of an independent object is, in histories of Jepsen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyed {
    /// Where the history says so: in a tagged tuple, or in `:key`.
    ByTag,
    /// Every value of a client is a pair `[key value]`.
    Pairs,
}

/// How a history is read.
#[derive(Debug, Clone, Copy)]
pub struct ReadOptions {
    /// Its format; none is to be seen from its beginning.
    pub format: Option<Format>,
    /// A last event that ends in the middle.
    pub tail: TruncatedTail,
    /// Where keys are.
    pub keyed: Keyed,
}

/// Events of a history in any format, one at a time where the format allows it.
pub struct EventReader<'a> {
    format: Format,
    reader: AnyReader<'a>,
    keyed: Keyed,
}

enum AnyReader<'a> {
    Jsonl(JsonlReader<Box<dyn BufRead + 'a>>),
    Edn(EdnReader<'a>),
    JepsenLog(JepsenLogReader<'a>),
    Calls(CallsReader<'a>),
    Ready(std::vec::IntoIter<Event>),
}

impl<'a> EventReader<'a> {
    /// Reads events from `source`. Fails if its format is none that is known.
    pub fn new(
        mut source: Box<dyn BufRead + 'a>,
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let format = match options.format {
            Some(format) => format,
            None => {
                let io = |source| ReadError::Io { line: 1, source };
                detect(source.fill_buf().map_err(io)?)?
            }
        };
        let reader = match format {
            Format::Jsonl => AnyReader::Jsonl(JsonlReader::new(source, options.tail)),
            Format::Edn => AnyReader::Edn(EdnReader::new(source, options.tail)),
            Format::JepsenLog => AnyReader::JepsenLog(JepsenLogReader::new(source)),
            Format::Calls => AnyReader::Calls(CallsReader::new(source)),
            Format::Intervals => AnyReader::Ready(intervals(source)?.into_iter()),
            Format::Sessions => AnyReader::Ready(sessions(source)?.into_iter()),
            Format::Accesses => AnyReader::Ready(accesses(source)?.into_iter()),
        };
        Ok(Self { format, reader, keyed: options.keyed })
    }

    /// The format that the history is in.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What a person should know about what was read, a sentence each. Complete at the end.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let truncated = match &self.reader {
            AnyReader::Jsonl(reader) => reader.truncated_line(),
            AnyReader::Edn(reader) => reader.truncated_line(),
            AnyReader::JepsenLog(reader) => {
                if reader.passed_over() > 0 {
                    notes.push(format!(
                        "{} lines hold no event and were passed over",
                        reader.passed_over()
                    ));
                }
                None
            }
            AnyReader::Calls(_) | AnyReader::Ready(_) => None,
        };
        if let Some(line) = truncated {
            notes.push(format!("line {line} is cut short and was left out"));
        }
        if matches!(self.format, Format::Sessions | Format::Accesses) {
            notes.push(
                "the format has no real-time order: sessions are taken as side by side".to_owned(),
            );
        }
        notes
    }
}

impl Iterator for EventReader<'_> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (event, line) = match &mut self.reader {
            AnyReader::Jsonl(reader) => (reader.next()?, reader.line()),
            AnyReader::Edn(reader) => (reader.next()?, reader.line()),
            AnyReader::JepsenLog(reader) => (reader.next()?, reader.line()),
            AnyReader::Calls(reader) => (reader.next()?, 0),
            AnyReader::Ready(events) => (Ok(events.next()?), 0),
        };
        Some(match self.keyed {
            Keyed::ByTag => event,
            Keyed::Pairs => event.and_then(|event| keyed(event, line)),
        })
    }
}

/// Takes the value of a client apart into key and value.
fn keyed(mut event: Event, line: u64) -> Result<Event, ReadError> {
    if event.process == Process::Nemesis || event.key.is_some() {
        return Ok(event);
    }
    match event.value.as_list() {
        Some([key, value]) => {
            // A key that is nothing is none, as in JSON.
            let key = (!key.is_null()).then(|| key.clone());
            (event.key, event.value) = (key, value.clone());
            Ok(event)
        }
        _ => Err(ReadError::Malformed {
            line,
            column: 1,
            expected: "a value that is a pair of a key and a value".to_owned(),
            got: event.value.to_string(),
        }),
    }
}

/// The format of a text that begins like this. An empty one is as good as any.
fn detect(beginning: &[u8]) -> Result<Format, ReadError> {
    let text = String::from_utf8_lossy(beginning);
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut number = 1;
    while !rest.is_empty() {
        let line = rest.lines().next().unwrap_or_default().trim_start();
        let is_comment = line.starts_with(';')
            || (line.starts_with('#') && line[1..].starts_with([' ', '#', '@', '\t']));
        if !line.is_empty() && !is_comment {
            return format_of(rest.trim_start(), line).ok_or_else(|| {
                let got = quoted(line.trim_end().as_bytes());
                let is_array = line.starts_with('[');
                ReadError::UnknownFormat {
                    line: number,
                    got,
                    hint: if is_array { HINT_ARRAY } else { HINT_FORMAT },
                }
            });
        }
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        number += 1;
    }
    Ok(Format::Jsonl)
}

const HINT_ARRAY: &str = "one event a line is needed: jq -c '.[]' FILE";
const HINT_FORMAT: &str = "FORMATS.md shows the formats; --format names one";

/// The format of a text whose first line that counts is `line`.
fn format_of(text: &str, line: &str) -> Option<Format> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_number = |word: &&str| word.parse::<i64>().is_ok();
    if let Some(rest) = text.strip_prefix('{') {
        let is_json = rest.trim_start().starts_with('"');
        return Some(if is_json { Format::Jsonl } else { Format::Edn });
    }
    if is_event(line) {
        return Some(Format::JepsenLog);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let is_call = line[1..].split_once(']').is_some_and(|(id, _)| is_number(&id));
        let is_json =
            rest.trim_start().strip_prefix('{').is_some_and(|it| it.trim_start().starts_with('"'));
        return match (is_call, is_json) {
            (true, _) => Some(Format::Calls),
            (false, true) => None,
            (false, false) => Some(Format::Edn),
        };
    }
    match words.as_slice() {
        ["r" | "w", key, value] if is_number(key) && is_number(value) => Some(Format::Sessions),
        [_, _, start, end] if is_number(start) && is_number(end) => Some(Format::Intervals),
        _ if line.starts_with("--") || line.starts_with("==") => Some(Format::Sessions),
        _ if line.starts_with("r(") || line.starts_with("w(") => Some(Format::Accesses),
        _ if line.starts_with(['(', '#']) => Some(Format::Edn),
        _ => None,
    }
}
