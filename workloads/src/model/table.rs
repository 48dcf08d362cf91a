//! The table of models.

use thiserror::Error;

use crate::history::{Operation, Value};

/// A model, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelInfo {
    /// The name on the command line.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What it is, in a sentence.
    pub about: &'static str,
}

/// All models of this list are judged by a line of the same name in `checker::CHECKERS`.
pub const MODELS: &[ModelInfo] = &[
    ModelInfo {
        name: "register",
        aliases: &["cas-register", "kv"],
        about: "One value per key, with read, write, delete and cas (compare-and-set, value \
                [expected, new]).",
    },
    ModelInfo {
        name: "versioned-register",
        aliases: &[],
        about: "A register whose store gives revisions that grow: completions have value [revision, \
                value].",
    },
    ModelInfo {
        name: "multi-register",
        aliases: &[],
        about: "Several registers, with txn (value [[\"read\", register, value], [\"write\", register, \
                value]...]).",
    },
    ModelInfo {
        name: "kv-append",
        aliases: &[],
        about: "One text per key, with read (or scan), write, append and delete.",
    },
    ModelInfo { name: "mutex", aliases: &[], about: "A lock per key, with acquire and release." },
    ModelInfo {
        name: "fencing-lock",
        aliases: &[],
        about: "A lock per key, with acquire (returns a token that grows) and release.",
    },
    ModelInfo { name: "counter", aliases: &[], about: "A number per key, with add and read." },
    ModelInfo {
        name: "set",
        aliases: &["set-full", "grow-only-set"],
        about: "A set, with add, remove and contains (value [element, true or false]), and read (the \
                list of all elements).",
    },
    ModelInfo {
        name: "log",
        aliases: &[],
        about: "A log, with append (returns an offset), read (at an offset; null is beyond the end) and \
                poll (a list from an offset on).",
    },
    ModelInfo {
        name: "queue",
        aliases: &["fifo-queue"],
        about: "A fifo queue, with enqueue and dequeue (null is empty).",
    },
    ModelInfo {
        name: "unordered-queue",
        aliases: &["bag"],
        about: "A queue without order, with enqueue and dequeue (null is empty).",
    },
    ModelInfo { name: "stack", aliases: &[], about: "A stack, with push and pop (null is empty)." },
    ModelInfo {
        name: "priority-queue",
        aliases: &[],
        about: "A queue whose least element leaves first, with insert and delete-min (null is empty).",
    },
    ModelInfo {
        name: "max-priority-queue",
        aliases: &[],
        about: "A queue whose greatest element leaves first, with insert and delete-max (null is \
                empty).",
    },
];

/// The model of this name or alias, if there is one.
pub fn model(name: &str) -> Option<&'static ModelInfo> {
    MODELS.iter().find(|model| model.name == name || model.aliases.contains(&name))
}

/// An operation that a model does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("event {index}: expected {expected}, got {got}")]
pub struct UnsuitableOperation {
    /// Index of the invocation.
    pub index: u64,
    /// What the model has.
    pub expected: &'static str,
    /// What the history has.
    pub got: String,
}

impl UnsuitableOperation {
    /// A function that the model does not have; `expected` are those it has.
    pub fn function(operation: &Operation, expected: &'static str) -> Self {
        let got = format!("`{}`", operation.f);
        Self { index: operation.invoke_index, expected, got }
    }

    /// A value that the model cannot read.
    pub fn value(operation: &Operation, expected: &'static str, value: &Value) -> Self {
        Self { index: operation.invoke_index, expected, got: value.to_string() }
    }
}
