//! A register for stateright's testers, which tests compare with.

use stateright::semantics::SequentialSpec;

use crate::history::{Operation, Value};

/// A register with cas.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Register(Value);

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Read,
    Write(Value),
    Cas(Value, Value),
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Ret {
    Value(Value),
    Done,
    Refused,
}

impl Op {
    /// An operation and what it returned, if it did.
    pub(crate) fn of(operation: &Operation) -> (Op, Ret) {
        match operation.f.as_str() {
            "read" => (Op::Read, Ret::Value(operation.result.clone())),
            "write" => (Op::Write(operation.invoked.clone()), Ret::Done),
            _ => {
                let (expected, new) = (operation.invoked[0].clone(), operation.invoked[1].clone());
                (Op::Cas(expected, new), Ret::Done)
            }
        }
    }
}

impl SequentialSpec for Register {
    type Op = Op;
    type Ret = Ret;

    fn invoke(&mut self, op: &Op) -> Ret {
        match op {
            Op::Read => Ret::Value(self.0.clone()),
            Op::Write(value) => {
                self.0 = value.clone();
                Ret::Done
            }
            Op::Cas(expected, new) if *expected == self.0 => {
                self.0 = new.clone();
                Ret::Done
            }
            Op::Cas(..) => Ret::Refused,
        }
    }
}
