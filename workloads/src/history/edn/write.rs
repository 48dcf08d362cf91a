//! Events as EDN, for Jepsen's tools.

use std::io::{self, Write};

use rustc_hash::FxHashMap;

use crate::history::{Event, EventKind, Process, Value};

/// Functions of the parts of a transaction, which Jepsen's tools want as keywords.
const PARTS: &[&str] = &["r", "w", "append", "read", "write"];

/// Writes one event a line, with the values of keyed objects as pairs `[key value]`.
#[derive(Debug, Default)]
pub struct EdnWriter {
    /// Keys of invocations, because completions may leave them out.
    keys: FxHashMap<Process, Value>,
}

impl EdnWriter {
    /// A writer of one history.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes one event.
    pub fn write<W: Write>(&mut self, sink: &mut W, event: &Event) -> io::Result<()> {
        let mut line = String::new();
        let kind = match event.kind {
            EventKind::Invoke => "invoke",
            EventKind::Ok => "ok",
            EventKind::Fail => "fail",
            EventKind::Info => "info",
        };
        line.push_str(&format!("{{:index {}, :time {}, :type :{kind}", event.index, event.time));
        match event.process {
            Process::Client(process) => line.push_str(&format!(", :process {process}")),
            Process::Nemesis => line.push_str(", :process :nemesis"),
        }
        line.push_str(", :f ");
        name(&mut line, &event.f);
        line.push_str(", :value ");
        match self.key(event) {
            Some(key) => {
                line.push('[');
                form(&mut line, &key);
                line.push(' ');
                form(&mut line, &event.value);
                line.push(']');
            }
            None => form(&mut line, &event.value),
        }
        if let Some(error) = &event.error {
            line.push_str(", :error ");
            string(&mut line, error);
        }
        if let Some(node) = &event.node {
            line.push_str(", :node ");
            string(&mut line, node);
        }
        line.push_str("}\n");
        sink.write_all(line.as_bytes())
    }

    fn key(&mut self, event: &Event) -> Option<Value> {
        match (event.kind, &event.key) {
            (EventKind::Invoke, Some(key)) => {
                self.keys.insert(event.process, key.clone());
                Some(key.clone())
            }
            (EventKind::Invoke, None) => {
                self.keys.remove(&event.process);
                None
            }
            (_, Some(key)) => Some(key.clone()),
            (_, None) => self.keys.get(&event.process).cloned(),
        }
    }
}

fn form(line: &mut String, value: &Value) {
    match value {
        Value::Null => line.push_str("nil"),
        Value::Bool(_) | Value::Int(_) | Value::Unsigned(_) | Value::Float(_) => {
            line.push_str(&value.to_string());
        }
        Value::Text(text) => string(line, text),
        Value::List(list) => {
            line.push('[');
            for (position, element) in list.iter().enumerate() {
                if position > 0 {
                    line.push(' ');
                }
                match element {
                    Value::Text(text) if position == 0 && is_part(list) => name(line, text),
                    element => form(line, element),
                }
            }
            line.push(']');
        }
        Value::Map(map) => {
            line.push('{');
            for (position, (key, value)) in map.iter().enumerate() {
                if position > 0 {
                    line.push_str(", ");
                }
                form(line, key);
                line.push(' ');
                form(line, value);
            }
            line.push('}');
        }
    }
}

/// Whether a list is a part of a transaction, such as `["r", 1, null]`.
fn is_part(list: &[Value]) -> bool {
    matches!(list, [Value::Text(f), _, _] if PARTS.contains(&f.as_str()))
}

/// A keyword, or a string where the text cannot be one.
fn name(line: &mut String, text: &str) {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+*!?<>=/".contains(&byte);
    let starts_well = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if starts_well && text.bytes().all(is_plain) {
        line.push(':');
        line.push_str(text);
    } else {
        string(line, text);
    }
}

fn string(line: &mut String, text: &str) {
    line.push('"');
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            control if control.is_control() && u32::from(control) < 0x10000 => {
                line.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => line.push(other),
        }
    }
    line.push('"');
}
