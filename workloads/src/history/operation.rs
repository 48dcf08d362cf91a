//! An invocation paired with its completion.

use std::collections::HashMap;

use smol_str::SmolStr;
use thiserror::Error;

use super::{Event, EventKind, Process, Value};

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It took effect between invocation and completion.
    Ok,
    /// It provably had no effect.
    Fail,
    /// It may have taken effect, may still, or never will.
    Info,
}

/// One operation of a client, for example process 4 writing 7 to key 1, acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// The process that invoked it.
    pub process: u64,
    /// The function, such as `read`.
    pub f: SmolStr,
    /// The independent object, if the history has several.
    pub key: Option<Value>,
    /// The argument, from the invocation.
    pub invoked: Value,
    /// The value of the completion; null if there is no completion.
    pub result: Value,
    /// How it ended.
    pub outcome: Outcome,
    /// Index of the invocation.
    pub invoke_index: u64,
    /// Time of the invocation, nanoseconds since the run began.
    pub invoke_time: u64,
    /// Index of the completion; none if it was still open at the end of the history.
    pub complete_index: Option<u64>,
    /// Time of the completion.
    pub complete_time: Option<u64>,
    /// The node it was sent to.
    pub node: Option<SmolStr>,
    /// Why it failed or is indeterminate.
    pub error: Option<SmolStr>,
}

/// Why events do not form a history.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HistoryError {
    /// Indexes order the history, so they must ascend.
    #[error("event {index} follows event {previous}: indexes must ascend")]
    Order {
        /// Index of the offending event.
        index: u64,
        /// Index of the event before it.
        previous: u64,
    },
    /// A completion came out of nowhere.
    #[error("event {index}: process {process} completes {f} ({kind:?}) that it never invoked")]
    CompletionWithoutInvocation {
        /// Index of the offending event.
        index: u64,
        /// Its process.
        process: u64,
        /// Its function.
        f: String,
        /// Its kind.
        kind: EventKind,
    },
    /// A process is single-threaded.
    #[error(
        "event {index}: process {process} invokes {f} while its operation from event {open} is open"
    )]
    DoubleInvocation {
        /// Index of the offending event.
        index: u64,
        /// Its process.
        process: u64,
        /// Its function.
        f: String,
        /// Index of the invocation that is still open.
        open: u64,
    },
    /// A process is retired by `info`, because its operation may still act.
    #[error(
        "event {index}: process {process} invokes {f}, but it was retired by the info at event {retired}"
    )]
    ProcessReused {
        /// Index of the offending event.
        index: u64,
        /// Its process.
        process: u64,
        /// Its function.
        f: String,
        /// Index of the info completion.
        retired: u64,
    },
    /// Invocation and completion must be about the same thing.
    #[error(
        "event {index}: process {process} completes {f} on key {key}, but event {open} invoked {open_f} on key {open_key}"
    )]
    Mismatch {
        /// Index of the offending event.
        index: u64,
        /// Its process.
        process: u64,
        /// Its function.
        f: String,
        /// Its key, as JSON.
        key: String,
        /// Index of the invocation.
        open: u64,
        /// Function of the invocation.
        open_f: String,
        /// Key of the invocation, as JSON.
        open_key: String,
    },
}

/// What a process is doing while events are paired.
enum Activity {
    Idle,
    Open(usize),
    Retired(u64),
}

/// Pairs the events of a history, in order of invocation. The nemesis is left out.
///
/// An operation that is still open at the end is `info`: it may have taken effect.
pub fn operations(events: &[Event]) -> Result<Vec<Operation>, HistoryError> {
    let mut operations: Vec<Operation> = Vec::with_capacity(events.len() / 2 + 1);
    let mut activities: HashMap<u64, Activity> = HashMap::new();
    let mut previous: Option<u64> = None;
    for event in events {
        if let Some(previous) = previous
            && event.index <= previous
        {
            return Err(HistoryError::Order { index: event.index, previous });
        }
        previous = Some(event.index);
        let Process::Client(process) = event.process else { continue };
        let activity = activities.entry(process).or_insert(Activity::Idle);
        match event.kind {
            EventKind::Invoke => {
                match *activity {
                    Activity::Idle => {}
                    Activity::Open(open) => {
                        return Err(HistoryError::DoubleInvocation {
                            index: event.index,
                            process,
                            f: event.f.to_string(),
                            open: operations[open].invoke_index,
                        });
                    }
                    Activity::Retired(retired) => {
                        return Err(HistoryError::ProcessReused {
                            index: event.index,
                            process,
                            f: event.f.to_string(),
                            retired,
                        });
                    }
                }
                *activity = Activity::Open(operations.len());
                operations.push(invoked(event, process));
            }
            EventKind::Ok | EventKind::Fail | EventKind::Info => {
                let Activity::Open(open) = *activity else {
                    return Err(HistoryError::CompletionWithoutInvocation {
                        index: event.index,
                        process,
                        f: event.f.to_string(),
                        kind: event.kind,
                    });
                };
                complete(&mut operations[open], event, process)?;
                *activity = match event.kind {
                    EventKind::Info => Activity::Retired(event.index),
                    EventKind::Invoke | EventKind::Ok | EventKind::Fail => Activity::Idle,
                };
            }
        }
    }
    Ok(operations)
}

fn invoked(event: &Event, process: u64) -> Operation {
    Operation {
        process,
        f: event.f.clone(),
        key: event.key.clone(),
        invoked: event.value.clone(),
        result: Value::Null,
        outcome: Outcome::Info,
        invoke_index: event.index,
        invoke_time: event.time,
        complete_index: None,
        complete_time: None,
        node: event.node.clone(),
        error: None,
    }
}

fn complete(operation: &mut Operation, event: &Event, process: u64) -> Result<(), HistoryError> {
    // A completion may leave the key out, but must not name another one.
    if event.f != operation.f || (event.key.is_some() && event.key != operation.key) {
        let key = |key: &Option<Value>| key.as_ref().map_or("none".to_owned(), Value::to_string);
        return Err(HistoryError::Mismatch {
            index: event.index,
            process,
            f: event.f.to_string(),
            key: key(&event.key),
            open: operation.invoke_index,
            open_f: operation.f.to_string(),
            open_key: key(&operation.key),
        });
    }
    operation.result = event.value.clone();
    operation.outcome = match event.kind {
        EventKind::Ok => Outcome::Ok,
        EventKind::Fail => Outcome::Fail,
        EventKind::Info | EventKind::Invoke => Outcome::Info,
    };
    operation.complete_index = Some(event.index);
    operation.complete_time = Some(event.time);
    operation.error = event.error.clone();
    if operation.node.is_none() {
        operation.node = event.node.clone();
    }
    Ok(())
}
