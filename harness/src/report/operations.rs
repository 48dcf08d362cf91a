//! Operations of a history with their times: invocations paired with their completions.

use std::collections::HashMap;

use workloads::history::{Event, EventKind, Process, Value};

use crate::report::numbers::FaultWindow;
use crate::report::words;

/// An invocation paired with its completion, if there is one.
#[derive(Debug, Clone, Copy)]
pub struct TimedOperation<'a> {
    /// The client that invoked it.
    pub process: u64,
    /// The invocation.
    pub invocation: &'a Event,
    /// The completion; none if the history ends before it.
    pub completion: Option<&'a Event>,
}

impl<'a> TimedOperation<'a> {
    /// Where latency counts from: the scheduled start, or the invocation.
    pub fn start(&self) -> u64 {
        self.invocation.scheduled.unwrap_or(self.invocation.time)
    }

    /// When it completed, whatever the outcome.
    pub fn end(&self) -> Option<u64> {
        self.completion.map(|completion| completion.time)
    }

    /// How it ended; `info` if it never did.
    pub fn outcome(&self) -> EventKind {
        self.completion.map_or(EventKind::Info, |completion| completion.kind)
    }

    /// Its latency, if it took effect.
    pub fn latency(&self) -> Option<u64> {
        match self.completion {
            Some(completion) if completion.kind == EventKind::Ok => {
                Some(completion.time.saturating_sub(self.start()))
            }
            _ => None,
        }
    }

    /// Whether the fault was in force at some moment of it.
    pub fn overlaps(&self, window: &FaultWindow) -> bool {
        self.start() < window.end && self.end().is_none_or(|end| end >= window.start)
    }

    /// The node that it was sent to.
    pub fn node(&self) -> Option<&'a str> {
        self.completion
            .and_then(|completion| completion.node.as_deref())
            .or(self.invocation.node.as_deref())
    }

    /// In words: `read -> 3`, `write 7`, `cas 3 -> 7`. Values are cut at a readable length.
    pub fn text(&self) -> String {
        let argument = &self.invocation.value;
        let result = self
            .completion
            .filter(|completion| completion.kind == EventKind::Ok)
            .map(|completion| &completion.value);
        let mut text = self.invocation.f.to_string();
        match argument {
            Value::Null => {}
            Value::List(pair) if pair.len() == 2 && self.invocation.f == "cas" => {
                text.push_str(&format!(" {} -> {}", value_text(&pair[0]), value_text(&pair[1])));
            }
            other => text.push_str(&format!(" {}", value_text(other))),
        }
        match result {
            Some(result) if result != argument => {
                text.push_str(&format!(" -> {}", value_text(result)));
            }
            Some(Value::Null) if self.invocation.f.contains("read") => text.push_str(" -> nothing"),
            _ => {}
        }
        text
    }
}

/// A value as people write it: no quotes around plain words, cut at a readable length.
fn value_text(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::Text(text) => text.to_string(),
        other => other.to_string(),
    };
    words::shorten(&text, 60)
}

/// All operations of clients, by invocation. Completions without an invocation are passed over.
pub fn pair(events: &[Event]) -> Vec<TimedOperation<'_>> {
    let mut operations: Vec<TimedOperation<'_>> = Vec::with_capacity(events.len() / 2);
    let mut open: HashMap<u64, usize> = HashMap::new();
    for event in events {
        let Process::Client(process) = event.process else { continue };
        match event.kind {
            EventKind::Invoke => {
                open.insert(process, operations.len());
                operations.push(TimedOperation { process, invocation: event, completion: None });
            }
            EventKind::Ok | EventKind::Fail | EventKind::Info => {
                if let Some(position) = open.remove(&process) {
                    operations[position].completion = Some(event);
                }
            }
        }
    }
    operations
}
