//! Values that must be next to each other, and when they were there.

use crate::history::Value;

/// An operation that shows when a value was there.
#[derive(Debug, Clone)]
pub(super) struct Witness {
    pub(super) process: u64,
    /// In words, such as `read 3`.
    pub(super) what: What,
    pub(super) value: Value,
    /// The moment that counts, of a completion or of an invocation: 0 is the start, and events follow
    /// from 1 on.
    pub(super) moment: u64,
}

/// What a witness did to the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Start,
    Wrote,
    Read,
    Replaced,
}

impl Witness {
    /// For example `at event 17`.
    pub(super) fn at(&self) -> String {
        match self.moment {
            0 => "at the start".to_owned(),
            moment => format!("at event {}", moment - 1),
        }
    }

    /// For example `the read of 3 by process 4`.
    pub(super) fn subject(&self) -> String {
        let value = show(&self.value);
        match self.what {
            What::Start => format!("the start with {value}"),
            What::Wrote => format!("the write of {value} by process {}", self.process),
            What::Read => format!("the read of {value} by process {}", self.process),
            What::Replaced => format!("the replacement of {value} by process {}", self.process),
        }
    }

    /// For example `process 4 read 3`.
    pub(super) fn describe(&self) -> String {
        let value = show(&self.value);
        match self.what {
            What::Start => format!("{value} was there from the start"),
            What::Wrote => format!("process {} wrote {value}", self.process),
            What::Read => format!("process {} read {value}", self.process),
            What::Replaced => format!("process {} replaced {value} by another value", self.process),
        }
    }
}

/// A value in words.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}

/// The operations on one value.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) value: Value,
    pub(super) block: u32,
    /// The value that a cas replaced by this one, until that is known to have happened.
    pub(super) replaces: Option<(Value, u64, u64)>,
    /// When the operation that wrote it was invoked.
    pub(super) written: u64,
    /// Whether a cas is known to have replaced this value.
    pub(super) is_replaced: bool,
    /// The last invocation of an operation on it.
    pub(super) last: u64,
    /// The first completion of an operation on it; none until it is known to have been there.
    pub(super) first: Option<u64>,
}

/// Groups that are tied together by cas operations, in their only possible order.
#[derive(Debug)]
pub(super) struct Block {
    /// Groups that are still remembered, in order.
    pub(super) groups: Vec<u32>,
    /// The first completion and the last invocation of an operation on any of them.
    pub(super) first: Witness,
    pub(super) last: Witness,
    /// The first completion of another block that has a later invocation than `first`: whoever is
    /// invoked after it and sees this block is in contradiction.
    pub(super) death: Option<Death>,
}

/// Another block that shows that this one is over.
#[derive(Debug, Clone)]
pub(super) struct Death {
    pub(super) first: Witness,
    pub(super) last: Witness,
}

impl Block {
    /// Sentences that say why this block and the one that gave its death contradict each other.
    pub(super) fn contradiction(&self, death: &Death) -> Vec<String> {
        let done = |witness: &Witness| match witness.moment {
            0 => format!("{}.", witness.describe()),
            _ => format!("{}, and was done {}.", witness.describe(), witness.at()),
        };
        let (old, new) = (show(&self.first.value), show(&death.last.value));
        vec![
            done(&self.first),
            format!(
                "{} began after that, {}. So {old} was there before {new}.",
                death.last.subject(),
                death.last.at()
            ),
            done(&death.first),
            format!(
                "But {} began after that, {}: {} was still there, or came back. No order explains this.",
                self.last.subject(),
                self.last.at(),
                show(&self.last.value),
            ),
        ]
    }
}
