//! Events from EDN maps.

use std::io::BufRead;

use smol_str::SmolStr;

use super::bytes::Bytes;
use super::value::ValueReader;
use crate::history::source::{ReadError, TruncatedTail};
use crate::history::{Event, EventKind, Process, Value};

/// The form of an event, quoted in errors.
const EXPECTED: &str =
    "an event such as {:index 0, :time 0, :process 0, :type :invoke, :f :read, :value nil}";

/// Events of an EDN source, one at a time.
pub struct EdnReader<'a> {
    reader: ValueReader<'a>,
    tail: TruncatedTail,
    /// The closing bracket of the vector or list that holds the events.
    closing: Option<u8>,
    position: u64,
    truncated: Option<u64>,
    finished: bool,
}

/// What was said about an event so far.
#[derive(Default)]
struct Fields {
    index: Option<u64>,
    time: Option<u64>,
    process: Option<Process>,
    kind: Option<Value>,
    f: Option<SmolStr>,
    key: Option<Value>,
    value: Value,
    error: Option<SmolStr>,
    node: Option<SmolStr>,
    /// The value came as a tagged tuple: `key` is its key.
    tuple: bool,
}

impl<'a> EdnReader<'a> {
    /// Reads events from `source`.
    pub fn new(source: Box<dyn BufRead + 'a>, tail: TruncatedTail) -> Self {
        Self {
            reader: ValueReader::new(Bytes::new(source, 1, 1)),
            tail,
            closing: None,
            position: 0,
            truncated: None,
            finished: false,
        }
    }

    /// The line that is being read.
    pub fn line(&self) -> u64 {
        self.reader.bytes.place().0
    }

    /// The line at which the last event is cut short, if one was left out.
    pub fn truncated_line(&self) -> Option<u64> {
        self.truncated
    }

    /// The next event, or none at the end.
    fn event(&mut self) -> Result<Option<Event>, ReadError> {
        loop {
            self.reader.bytes.begin();
            match self.reader.skip_blank(0)? {
                None if self.closing.is_some() => return Err(self.reader.bytes.truncated()),
                None => return Ok(None),
                Some(b'[') if self.closing.is_none() => self.enter(b']'),
                Some(b'(') if self.closing.is_none() => self.enter(b')'),
                Some(byte) if Some(byte) == self.closing => {
                    self.reader.bytes.bump();
                    self.closing = None;
                }
                Some(b'#') => {
                    self.reader.tag()?;
                }
                Some(b'{') => {
                    let place = self.reader.bytes.place();
                    let fields = self.fields()?;
                    if let Some(event) = self.finish(fields, place)? {
                        return Ok(Some(event));
                    }
                }
                Some(_) => return Err(self.reader.bytes.unexpected(EXPECTED)),
            }
        }
    }

    fn enter(&mut self, closing: u8) {
        self.reader.bytes.bump();
        self.closing = Some(closing);
    }

    /// The entries of the map that begins here.
    fn fields(&mut self) -> Result<Fields, ReadError> {
        let mut fields = Fields::default();
        self.reader.bytes.bump();
        loop {
            match self.reader.skip_blank(0)? {
                None => return Err(self.reader.bytes.truncated()),
                Some(b'}') => {
                    self.reader.bytes.bump();
                    return Ok(fields);
                }
                Some(_) => {}
            }
            let name = self.reader.value(1)?;
            if self.reader.skip_blank(0)? == Some(b'}') {
                return Err(self.reader.bytes.unexpected("a value for the last key of the map"));
            }
            self.field(&mut fields, name.as_str().unwrap_or_default())?;
        }
    }

    fn field(&mut self, fields: &mut Fields, name: &str) -> Result<(), ReadError> {
        let bytes = &self.reader.bytes;
        let (line, column) = bytes.place();
        let malformed = |expected: &str, got: &Value| ReadError::Malformed {
            line,
            column,
            expected: expected.to_owned(),
            got: got.to_string(),
        };
        if name == "value" {
            return self.value_field(fields);
        }
        let value = self.reader.value(1)?;
        match name {
            // Jepsen writes -1 where it knows none. What is too large for JSON lines is none either.
            "index" => fields.index = value.as_i64().and_then(|it| u64::try_from(it).ok()),
            "time" => fields.time = value.as_i64().and_then(|it| u64::try_from(it).ok()),
            "process" => {
                fields.process = Some(match (&value, value.as_u64()) {
                    (_, Some(process)) => Process::Client(process),
                    // Whoever has a name in place of a number is no client.
                    (Value::Text(_), None) => Process::Nemesis,
                    _ => return Err(malformed("a process such as 0 or :nemesis", &value)),
                });
            }
            "type" => match value {
                Value::Text(_) => fields.kind = Some(value),
                other => return Err(malformed("a type such as :invoke", &other)),
            },
            "f" => fields.f = Some(text(value)),
            "key" if !fields.tuple => fields.key = Some(value),
            "error" if !value.is_null() => fields.error = Some(text(value)),
            "node" if !value.is_null() => fields.node = Some(text(value)),
            _ => {}
        }
        Ok(())
    }

    /// The value, which may be a tagged tuple.
    fn value_field(&mut self, fields: &mut Fields) -> Result<(), ReadError> {
        let mut tuple = false;
        // A set, a character or the like is no tag.
        while self.reader.skip_blank(1)? == Some(b'#')
            && self.reader.bytes.second()?.is_some_and(|byte| byte.is_ascii_alphabetic())
        {
            let tag = self.reader.tag()?;
            let name = tag.rsplit(['.', '/']).next().unwrap_or_default();
            tuple |= matches!(name, "Tuple" | "MapEntry" | "tuple");
        }
        let value = self.reader.value(1)?;
        let entry = |name: &[&str]| name.iter().find_map(|name| value.get(name)).cloned();
        let pair = match value.as_list() {
            Some([key, value]) => Some((key.clone(), value.clone())),
            Some(_) => None,
            None => entry(&["key", "k"]).zip(entry(&["value", "val", "v"])),
        };
        match pair {
            Some((key, value)) if tuple => {
                fields.tuple = true;
                fields.key = Some(key);
                fields.value = value;
            }
            _ => fields.value = value,
        }
        Ok(())
    }

    /// The event of a map that begins at `place`; none if the map is no event of the history.
    fn finish(
        &mut self,
        fields: Fields,
        (line, column): (u64, usize),
    ) -> Result<Option<Event>, ReadError> {
        let malformed =
            |got: String| ReadError::Malformed { line, column, expected: EXPECTED.to_owned(), got };
        let kind = match fields.kind.as_ref().and_then(Value::as_str) {
            Some("invoke") => EventKind::Invoke,
            Some("ok") => EventKind::Ok,
            Some("fail") => EventKind::Fail,
            Some("info") => EventKind::Info,
            // A generator's notes to itself.
            Some("log" | "sleep") => return Ok(None),
            Some(other) => return Err(malformed(format!("the type :{other}"))),
            None => return Err(malformed("a map without :type".to_owned())),
        };
        // Hand-written histories of transactions leave out what is always the same.
        let process = fields.process.unwrap_or(Process::Client(0));
        let mut f = fields.f.unwrap_or_else(|| SmolStr::new_static("txn"));
        if fields.key.is_some() && !fields.tuple {
            // A map from keys to texts, as the tests of porcupine have it.
            f = match f.as_str() {
                "get" => SmolStr::new_static("read"),
                "put" => SmolStr::new_static("write"),
                _ => f,
            };
        }
        let index = fields.index.unwrap_or(self.position);
        self.position = index.saturating_add(1);
        Ok(Some(Event {
            index,
            time: fields.time.unwrap_or(0),
            scheduled: None,
            process,
            kind,
            f,
            key: fields.key,
            value: fields.value,
            error: fields.error,
            node: fields.node,
        }))
    }
}

impl Iterator for EdnReader<'_> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let event = match self.event() {
            Err(ReadError::Truncated { line, .. }) if self.tail == TruncatedTail::Tolerate => {
                self.truncated = Some(line);
                Ok(None)
            }
            event => event,
        };
        self.finished = !matches!(event, Ok(Some(_)));
        event.transpose()
    }
}

/// A name or a message: texts as they are, everything else as JSON.
fn text(value: Value) -> SmolStr {
    match value {
        Value::Text(text) => text,
        other => other.to_string().into(),
    }
}
