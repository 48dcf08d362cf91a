//! Judging registers while the history is still being made.
//!
//! ```text
//! Event ── push ──> key ──> Option<Violation>        the first, at the event that proves it
//!                    │
//!                    └── finish ──> Check
//! ```
//!
//! This is the decision of Gibbons & Korach (1997) for values that are written once, turned around:
//! all operations on one value are one *block* (cas operations tie blocks together), and two blocks
//! contradict each other if each has an operation that completed before one of the other was invoked.
//! A block is *dead* once another one has such an operation in it and completed something: whatever
//! comes later to the dead block is a violation. So it is forgotten as soon as all reads and cas operations
//! that were open when it died are over. What is kept is in the order of what is open.
//!
//! A value may be written again when what it stood for is dead. Where it is written again earlier, the
//! key is given up (unknown), because it takes a search to say more.

mod block;
mod key;

#[cfg(test)]
mod tests;

use rustc_hash::FxHashMap;

use self::key::{Key, Step};
use super::{Anomaly, Check, PartitionCounts, Verdict};
use crate::history::{Event, EventKind, Process, SmolStr, Value};

/// The first event after which no order explains a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The key, if the history has keys.
    pub key: Option<Value>,
    /// Index of the event that proves it.
    pub index: u64,
    /// Time of that event, nanoseconds since the run began.
    pub time: u64,
    /// In words: short sentences.
    pub explanation: Vec<String>,
}

/// An operation that is not over.
#[derive(Debug, Clone)]
struct Open {
    key: usize,
    f: SmolStr,
    step: Step,
    invoked: u64,
}

/// A judge of registers (read, write, cas; by key) that sees one event after the other.
#[derive(Debug)]
pub struct Online {
    initial: Value,
    numbers: FxHashMap<Option<Value>, usize>,
    keys: Vec<Key>,
    /// What each process is doing.
    open: FxHashMap<u64, Open>,
    invocations: u64,
    violation: Option<Violation>,
    /// Why nothing can be said, if so.
    obstacle: Option<String>,
}

impl Online {
    /// A judge that has seen nothing. Each register starts with `initial`.
    pub fn new(initial: Value) -> Self {
        Self {
            initial,
            numbers: FxHashMap::default(),
            keys: Vec::new(),
            open: FxHashMap::default(),
            invocations: 0,
            violation: None,
            obstacle: None,
        }
    }

    /// A judge of this property of this model, if it can be judged as events come.
    pub fn of(model: &str, property: &str) -> Option<Self> {
        let is_register = matches!(model, "register" | "cas-register" | "kv");
        (is_register && property == "linearizable").then(|| Self::new(Value::Null))
    }

    /// Takes the next event; says if it proves a violation. The first one is enough: nothing is
    /// looked at after it.
    pub fn push(&mut self, event: &Event) -> Option<Violation> {
        let Process::Client(process) = event.process else { return None };
        if self.violation.is_some() {
            return None;
        }
        let result = match event.kind {
            EventKind::Invoke => self.invoke(event, process),
            EventKind::Ok | EventKind::Fail | EventKind::Info => self.complete(event, process),
        };
        let (key, explanation) = result.err()?;
        let key = self.numbers.iter().find(|(_, number)| **number == key)?.0.clone();
        let violation = Violation { key, index: event.index, time: event.time, explanation };
        self.violation = Some(violation.clone());
        Some(violation)
    }

    /// How many operations and values are kept: in the order of what is open.
    pub fn held(&self) -> usize {
        self.open.len() + self.keys.iter().map(Key::held).sum::<usize>()
    }

    /// What is known at the end.
    pub fn finish(self) -> Check {
        let name = "linearizable";
        let count = |verdict| self.keys.iter().filter(|it| it.verdict() == verdict).count();
        let mut partitions = PartitionCounts {
            valid: count(Verdict::Valid),
            unknown: count(Verdict::Unknown),
            invalid: 0,
        };
        if let Some(violation) = self.violation {
            partitions.valid = partitions.valid.saturating_sub(1);
            partitions.invalid = 1;
            let summary = format!(
                "event {} proves that no order explains what was seen on {}",
                violation.index,
                violation.key.as_ref().map_or("the register".to_owned(), |it| format!("key {it}"))
            );
            let anomaly = Anomaly {
                kind: "not-linearizable".to_owned(),
                key: violation.key,
                operations: Vec::new(),
                edges: Vec::new(),
                wrong: Vec::new(),
                explanation: violation.explanation,
            };
            return Check {
                partitions: Some(partitions),
                anomalies: vec![anomaly],
                ..Check::new(name, Verdict::Invalid, summary)
            };
        }
        let unknown = self.obstacle.or_else(|| {
            (partitions.unknown > 0).then(|| {
                "a value was written again while it could still be read, which takes a search"
                    .to_owned()
            })
        });
        let summary = match unknown {
            Some(_) => format!("{} keys could not be judged as they went", partitions.unknown),
            None => format!(
                "{} operations on {} {} fit in a legal order",
                self.invocations,
                self.keys.len(),
                if self.keys.len() == 1 { "key" } else { "keys" }
            ),
        };
        let verdict = if unknown.is_some() { Verdict::Unknown } else { Verdict::Valid };
        Check {
            reason: unknown,
            partitions: Some(partitions),
            ..Check::new(name, verdict, summary)
        }
    }

    fn invoke(&mut self, event: &Event, process: u64) -> Result<(), (usize, Vec<String>)> {
        let step = match event.f.as_str() {
            "read" => Step::Read,
            "write" => Step::Write(event.value.clone()),
            "delete" => Step::Write(Value::Null),
            "cas" => match event.value.as_list() {
                Some([expected, new]) => Step::Cas(expected.clone(), new.clone()),
                _ => return self.give_up(event, "is a cas without [expected, new]"),
            },
            _ => return self.give_up(event, "is not an operation of a register"),
        };
        if self.open.contains_key(&process) {
            return self.give_up(event, "is of a process that has an operation open");
        }
        self.invocations += 1;
        let key = match self.numbers.get(&event.key) {
            Some(&key) => key,
            None => {
                let key = self.keys.len();
                self.numbers.insert(event.key.clone(), key);
                self.keys.push(Key::new(&self.initial));
                key
            }
        };
        let now = event.index + 1;
        self.keys[key].invoke(&step, now, process);
        let open = Open { key, f: event.f.clone(), step, invoked: now };
        self.open.insert(process, open);
        Ok(())
    }

    fn complete(&mut self, event: &Event, process: u64) -> Result<(), (usize, Vec<String>)> {
        let Some(open) = self.open.remove(&process) else {
            return self.give_up(event, "completes what was never invoked");
        };
        if open.f != event.f {
            return self.give_up(event, "completes another operation than was invoked");
        }
        let key = &mut self.keys[open.key];
        let result = match event.kind {
            EventKind::Ok => {
                key.ok(&open.step, &event.value, open.invoked, event.index + 1, process)
            }
            EventKind::Fail => key.fail(&open.step, open.invoked),
            EventKind::Info | EventKind::Invoke => {
                key.info(open.invoked);
                Ok(())
            }
        };
        result.map_err(|explanation| (open.key, explanation))
    }

    fn give_up(&mut self, event: &Event, why: &str) -> Result<(), (usize, Vec<String>)> {
        self.obstacle.get_or_insert_with(|| format!("event {} {why}", event.index));
        Ok(())
    }
}
