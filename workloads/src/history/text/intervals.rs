//! Operations with the times of their start and end, as fastlin reads them.
//!
//! ```text
//! # queue
//! enq 7 100 250           method, value, start, end; -1 as a removed value is `empty`
//! ```

use std::io::BufRead;

use super::calls::{function, value};
use super::lines::{Lines, malformed};
use crate::history::source::ReadError;
use crate::history::{Event, EventKind, Process, Value};

/// The events of a whole text, in order of time; where times are equal, invocations come first.
pub(crate) fn intervals(source: Box<dyn BufRead + '_>) -> Result<Vec<Event>, ReadError> {
    let mut lines = Lines::new(source);
    let mut events = Vec::new();
    let mut process = 0;
    while let Some((line, text)) = lines.next()? {
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            continue;
        }
        let error = || malformed(line, text, "a line such as `enq 7 100 250`");
        let words: Vec<&str> = text.split_whitespace().collect();
        let &[method, argument, start, end] = words.as_slice() else { return Err(error()) };
        let start: u64 = start.parse().map_err(|_| error())?;
        let end: u64 = end.parse().map_err(|_| error())?;
        if end < start {
            return Err(error());
        }
        // An operation a process: nothing is said about who did it.
        process += 1;
        let f = function(method);
        let removes = matches!(f.as_str(), "dequeue" | "pop" | "poll");
        let (argument, result) = match (removes, value(argument)) {
            (true, Value::Int(-1)) => (Value::Null, Value::Null),
            (true, result) => (Value::Null, result),
            (false, argument) => (argument.clone(), argument),
        };
        let event = |time: u64, kind, value| Event {
            index: 0,
            time,
            scheduled: None,
            process: Process::Client(process),
            kind,
            f: f.clone(),
            key: None,
            value,
            error: None,
            node: None,
        };
        events.push(event(start, EventKind::Invoke, argument));
        events.push(event(end, EventKind::Ok, result));
    }
    events.sort_by_key(|event| (event.time, event.kind));
    for (index, event) in (0..).zip(&mut events) {
        event.index = index;
        // Nanoseconds, as many as a line of JSON may have.
        event.time = event.time.saturating_mul(1_000).min(i64::MAX as u64);
    }
    Ok(events)
}
