//! Several registers that are read and written by transactions of single reads and writes.

use super::{
    Encoded, Entry, Initial, Model, Numbers, OPEN, ObjectModel, UnsuitableOperation, completion,
};
use crate::history::{Operation, Outcome, Value};
use crate::model::nearby::nearby;

/// What a register holds if nobody told us.
const UNKNOWN: u32 = u32::MAX;

/// Registers, with the values of one history.
#[derive(Debug, Clone)]
pub struct MultiRegister {
    registers: Numbers,
    values: Numbers,
    initial: Vec<u32>,
}

/// One step of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MicroOp {
    register: u32,
    value: u32,
    is_write: bool,
}

/// Values of registers, by number.
pub type MultiRegisterState = Box<[u32]>;

impl MultiRegister {
    fn micro_ops(&mut self, operation: &Operation) -> Result<Box<[MicroOp]>, UnsuitableOperation> {
        let expected =
            "a txn with value [[\"read\", register, value], [\"write\", register, value]...]";
        // What a crashed transaction read, nobody knows.
        let is_known = operation.outcome == Outcome::Ok;
        let value = if is_known { &operation.result } else { &operation.invoked };
        let unsuitable = || UnsuitableOperation::value(operation, expected, value);
        if operation.f != "txn" {
            return Err(UnsuitableOperation::function(operation, expected));
        }
        let mut micro_ops = Vec::new();
        for micro_op in value.as_list().ok_or_else(unsuitable)? {
            let Some([f, register, value]) = micro_op.as_list() else { return Err(unsuitable()) };
            let is_write = match f.as_str() {
                Some("write" | "w") => true,
                Some("read" | "r") => false,
                _ => return Err(unsuitable()),
            };
            if is_write || is_known {
                let register = self.registers.number(register);
                micro_ops.push(MicroOp { register, value: self.values.number(value), is_write });
            }
        }
        Ok(micro_ops.into())
    }
}

impl ObjectModel for MultiRegister {
    /// The initial value is a map of registers to values; what it does not name holds nothing.
    fn encode(
        operations: &[&Operation],
        initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        let mut model = MultiRegister {
            registers: Numbers::default(),
            values: Numbers::default(),
            initial: Vec::new(),
        };
        let mut entries = Vec::with_capacity(operations.len());
        for (id, operation) in nearby(operations) {
            let op = model.micro_ops(operation)?;
            let completed = completion(operation);
            let is_moot = operation.outcome == Outcome::Fail
                || completed == OPEN && op.iter().all(|micro_op| !micro_op.is_write);
            if !is_moot {
                entries.push(Entry { id, op, invoked: 2 * operation.invoke_index, completed });
            }
        }
        for register in 0..model.registers.len() as u32 {
            let value = match initial {
                Initial::Any => UNKNOWN,
                Initial::Value(value) => {
                    let register = model.registers.value(register);
                    let named = value.as_map().unwrap_or_default().iter();
                    let value = named
                        .filter(|(name, _)| {
                            name == register || name.as_str() == Some(register.to_string().as_str())
                        })
                        .map(|(_, value)| value.clone())
                        .next();
                    model.values.number(&value.unwrap_or_default())
                }
            };
            model.initial.push(value);
        }
        Ok((model, entries))
    }
}

impl Model for MultiRegister {
    type Op = Box<[MicroOp]>;
    type State = MultiRegisterState;

    fn initial(&self) -> MultiRegisterState {
        self.initial.clone().into()
    }

    fn step(&self, state: &MultiRegisterState, op: &Box<[MicroOp]>) -> Option<MultiRegisterState> {
        let mut after = state.clone();
        for micro_op in op {
            let held = &mut after[micro_op.register as usize];
            if micro_op.is_write || *held == UNKNOWN {
                *held = micro_op.value;
            } else if *held != micro_op.value {
                return None;
            }
        }
        Some(after)
    }

    fn is_read_only(&self, op: &Box<[MicroOp]>) -> bool {
        op.iter().all(|micro_op| !micro_op.is_write)
    }

    fn state_bytes(&self, state: &MultiRegisterState) -> usize {
        size_of_val(state) + size_of_val(&**state)
    }

    fn describe_op(&self, op: &Box<[MicroOp]>) -> String {
        let micro_ops: Vec<String> = op
            .iter()
            .map(|micro_op| {
                let (register, value) = (self.register(micro_op.register), micro_op.value);
                let value = self.describe_value(value);
                match micro_op.is_write {
                    true => format!("write {register} = {value}"),
                    false => format!("read {register} -> {value}"),
                }
            })
            .collect();
        micro_ops.join(", ")
    }

    fn describe_state(&self, state: &MultiRegisterState) -> String {
        let registers: Vec<String> = (0..)
            .zip(state.iter())
            .map(|(register, &value)| {
                format!("{} = {}", self.register(register), self.describe_value(value))
            })
            .collect();
        registers.join(", ")
    }

    fn describe_refusal(&self, state: &MultiRegisterState, op: &Box<[MicroOp]>) -> String {
        let mut held = state.clone();
        for micro_op in op {
            let register = micro_op.register as usize;
            if !micro_op.is_write && ![micro_op.value, UNKNOWN].contains(&held[register]) {
                return format!(
                    "it read {} from {}, which holds {}",
                    self.describe_value(micro_op.value),
                    self.register(micro_op.register),
                    self.describe_value(held[register]),
                );
            }
            held[register] = micro_op.value;
        }
        "it is possible".to_owned()
    }

    fn describe_value(&self, value: u32) -> String {
        match value {
            UNKNOWN => "an unknown value".to_owned(),
            value => match self.values.value(value) {
                Value::Null => "nothing".to_owned(),
                value => value.to_string(),
            },
        }
    }

    fn describe_holding(&self, state: &MultiRegisterState) -> String {
        format!("the registers hold {}", self.describe_state(state))
    }

    fn noun(&self) -> &'static str {
        "registers"
    }
}

impl MultiRegister {
    fn register(&self, register: u32) -> String {
        match self.registers.value(register) {
            Value::Text(name) => name.to_string(),
            other => other.to_string(),
        }
    }
}
