//! Calls and returns, as LiMo and Scal write them.
//!
//! ```text
//! # @object atomic-queue
//! [1] call enq(7)
//! [2] call deq
//! [1] return
//! [2] return 7            `empty` if there was nothing
//! ```

use std::io::BufRead;

use rustc_hash::FxHashMap;
use smol_str::SmolStr;

use super::lines::{Lines, malformed};
use crate::history::source::ReadError;
use crate::history::{Event, EventKind, Process, Value};

/// Events of such a text, one at a time.
pub struct CallsReader<'a> {
    lines: Lines<'a>,
    position: u64,
    /// The object is a stack, as a comment says: `add` and `remove` are its methods then.
    is_stack: bool,
    /// Function and argument of what each process is doing.
    open: FxHashMap<u64, (SmolStr, Value)>,
}

impl<'a> CallsReader<'a> {
    /// Reads events from `source`.
    pub fn new(source: Box<dyn BufRead + 'a>) -> Self {
        Self { lines: Lines::new(source), position: 0, is_stack: false, open: FxHashMap::default() }
    }

    fn event(&mut self) -> Result<Option<Event>, ReadError> {
        while let Some((line, text)) = self.lines.next()? {
            let text = text.trim_start();
            if text.is_empty() || text.starts_with('#') {
                self.is_stack |= text.contains("@object") && text.contains("stack");
                continue;
            }
            let error =
                || malformed(line, text, "a line such as `[1] call enq(7)` or `[1] return 7`");
            let (process, action) =
                text.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(error)?;
            let process: u64 = process.trim().parse().map_err(|_| error())?;
            let (verb, rest) = action.trim().split_once(' ').unwrap_or((action.trim(), ""));
            let (kind, f, value) = match verb {
                "call" => {
                    let (name, argument) = match rest.trim().split_once('(') {
                        Some((name, argument)) => (name, argument.trim_end_matches(')')),
                        None => (rest.trim(), ""),
                    };
                    if name.is_empty() {
                        return Err(error());
                    }
                    let name = match (name, self.is_stack) {
                        ("add", true) => "push",
                        ("remove", true) => "pop",
                        (name, _) => name,
                    };
                    let call = (function(name), value(argument));
                    self.open.insert(process, call.clone());
                    (EventKind::Invoke, call.0, call.1)
                }
                "return" => {
                    let (f, argument) = self.open.remove(&process).ok_or_else(error)?;
                    let result = match rest.trim() {
                        "" => argument,
                        "empty" => Value::Null,
                        result => value(result),
                    };
                    (EventKind::Ok, f, result)
                }
                _ => return Err(error()),
            };
            let index = self.position;
            self.position += 1;
            return Ok(Some(Event {
                index,
                // Only the order is known.
                time: index * 1_000_000,
                scheduled: None,
                process: Process::Client(process),
                kind,
                f,
                key: None,
                value,
                error: None,
                node: None,
            }));
        }
        Ok(None)
    }
}

impl Iterator for CallsReader<'_> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.event().transpose()
    }
}

/// Our name of a method. `add` and `remove` are those of a queue, unless something else is said.
pub(super) fn function(name: &str) -> SmolStr {
    SmolStr::new(match name {
        "enq" | "add" => "enqueue",
        "deq" | "remove" => "dequeue",
        other => other,
    })
}

/// A number, or else a text; nothing if there is nothing.
pub(super) fn value(text: &str) -> Value {
    match text.trim() {
        "" => Value::Null,
        text => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::Int),
    }
}
