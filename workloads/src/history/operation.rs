//! An invocation paired with its completion.

use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;
use thiserror::Error;

use super::shared::Shared;
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

/// What to do about a process that goes on after an `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessReuse {
    /// It is an error.
    Refuse,
    /// What follows is by a new process, as if the client had been told apart from its successor.
    Rename,
}

/// What a process is doing while events are paired.
#[derive(Debug, Clone, Copy)]
enum Activity {
    Idle,
    Open(usize),
    Retired(u64),
}

/// A process of the history, and under which name its operations go.
struct Seat {
    process: u64,
    activity: Activity,
}

/// Pairs events one at a time. The nemesis is left out.
///
/// An operation that is still open at the end is `info`: it may have taken effect.
pub struct Pairing {
    reuse: ProcessReuse,
    operations: Vec<Operation>,
    seats: FxHashMap<u64, Seat>,
    /// Names that were given to renamed processes.
    given: FxHashSet<u64>,
    previous: Option<u64>,
    shared: Shared,
}

/// The first name that is given to a renamed process.
const RENAMED_FROM: u64 = 1_000_000;

impl Pairing {
    /// Nothing is paired yet.
    pub fn new(reuse: ProcessReuse) -> Self {
        Self {
            reuse,
            operations: Vec::new(),
            seats: FxHashMap::default(),
            given: FxHashSet::default(),
            previous: None,
            shared: Shared::default(),
        }
    }

    /// Takes the next event; gives the position of the operation that it begins or completes.
    pub fn push(&mut self, event: &Event) -> Result<Option<usize>, HistoryError> {
        if let Some(previous) = self.previous
            && event.index <= previous
        {
            return Err(HistoryError::Order { index: event.index, previous });
        }
        self.previous = Some(event.index);
        let Process::Client(client) = event.process else { return Ok(None) };
        match event.kind {
            EventKind::Invoke => self.invoke(event, client).map(Some),
            EventKind::Ok | EventKind::Fail | EventKind::Info => {
                self.complete(event, client).map(Some)
            }
        }
    }

    /// How many times a process went on after an `info` and was renamed.
    pub fn renamed(&self) -> usize {
        self.given.len()
    }

    /// The operations so far, by invocation.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// All operations, by invocation.
    pub fn finish(self) -> Vec<Operation> {
        self.operations
    }

    fn invoke(&mut self, event: &Event, client: u64) -> Result<usize, HistoryError> {
        let next = self.operations.len();
        let activity = self.seats.get(&client).map(|seat| (seat.process, seat.activity));
        let process = match activity {
            // A name that was given away already is no name for another.
            None if self.given.contains(&client) => self.fresh(),
            None => client,
            Some((process, Activity::Idle)) => process,
            Some((_, Activity::Open(open))) => {
                return Err(HistoryError::DoubleInvocation {
                    index: event.index,
                    process: client,
                    f: event.f.to_string(),
                    open: self.operations[open].invoke_index,
                });
            }
            Some((_, Activity::Retired(_))) if self.reuse == ProcessReuse::Rename => self.fresh(),
            Some((_, Activity::Retired(retired))) => {
                return Err(HistoryError::ProcessReused {
                    index: event.index,
                    process: client,
                    f: event.f.to_string(),
                    retired,
                });
            }
        };
        self.seats.insert(client, Seat { process, activity: Activity::Open(next) });
        let argument = self.shared.ask(&event.value);
        self.operations.push(invoked(event, process, argument));
        Ok(next)
    }

    /// A name that no process has.
    fn fresh(&mut self) -> u64 {
        let mut name = RENAMED_FROM + self.given.len() as u64;
        while self.seats.contains_key(&name) || self.given.contains(&name) {
            name += 1;
        }
        self.given.insert(name);
        name
    }

    fn complete(&mut self, event: &Event, client: u64) -> Result<usize, HistoryError> {
        let seat = match self.seats.get_mut(&client) {
            Some(seat) => seat,
            None => return Err(uninvoked(event, client)),
        };
        let Activity::Open(open) = seat.activity else { return Err(uninvoked(event, client)) };
        let operation = &mut self.operations[open];
        complete(operation, event, client)?;
        operation.result = self.shared.share(&operation.key, &operation.invoked, &event.value);
        seat.activity = match event.kind {
            EventKind::Info => Activity::Retired(event.index),
            EventKind::Invoke | EventKind::Ok | EventKind::Fail => Activity::Idle,
        };
        Ok(open)
    }
}

fn uninvoked(event: &Event, process: u64) -> HistoryError {
    HistoryError::CompletionWithoutInvocation {
        index: event.index,
        process,
        f: event.f.to_string(),
        kind: event.kind,
    }
}

/// Pairs the events of a history, in order of invocation. The nemesis is left out.
///
/// An operation that is still open at the end is `info`: it may have taken effect.
pub fn operations(events: &[Event]) -> Result<Vec<Operation>, HistoryError> {
    let mut pairing = Pairing::new(ProcessReuse::Refuse);
    for event in events {
        pairing.push(event)?;
    }
    Ok(pairing.finish())
}

fn invoked(event: &Event, process: u64, argument: Value) -> Operation {
    Operation {
        process,
        f: event.f.clone(),
        key: event.key.clone(),
        invoked: argument,
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
