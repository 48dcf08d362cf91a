//! Transactions in a compact form: numbers for keys and values, flat arrays for micro-operations.
//!
//! A transaction is known by its position among the operations, which are in the order of their
//! invocation. Reads count only if the transaction is known to have committed; writes of the others
//! are kept, because somebody may have seen them.

use rustc_hash::FxHashMap;

use super::meter::{Meter, Stop};
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;

/// The number of a transaction that does not exist.
pub(super) const NONE: u32 = u32::MAX;

/// What transactions do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// `["append", key, element]` and `["r", key, list]`.
    ListAppend,
    /// `["w", key, value]` and `["r", key, value]`.
    RwRegister,
}

impl Model {
    fn expected(self) -> &'static str {
        match self {
            Model::ListAppend => {
                "a list of micro-operations such as [\"append\", \"x\", 3] and [\"r\", \"x\", [1, 2]]"
            }
            Model::RwRegister => {
                "a list of micro-operations such as [\"w\", \"x\", 3] and [\"r\", \"x\", 2]"
            }
        }
    }
}

/// One step of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Micro {
    pub(super) key: u32,
    /// A write or append: the number of the value. A read of a register: likewise. A read of a list:
    /// its position in `lists`.
    pub(super) value: u32,
    /// The step of the same transaction before this one on the same key; `NONE` if this is the first.
    pub(super) before: u32,
    pub(super) write: bool,
    /// Whether it is a write, and the last one to this key.
    pub(super) last: bool,
}

/// The steps on the same key before the one at this position, the latest first.
pub(super) fn earlier(steps: &[Micro], at: usize) -> impl Iterator<Item = &Micro> {
    std::iter::successors(Some(&steps[at]), |step| steps.get(step.before as usize)).skip(1)
}

/// The external reads of a transaction: of each key that it read before it wrote it, the first.
pub(super) fn external_reads(steps: &[Micro]) -> impl Iterator<Item = &Micro> {
    steps.iter().filter(|step| step.before == NONE && !step.write)
}

/// All transactions of a history.
pub(super) struct Transactions<'a> {
    pub(super) operations: &'a [Operation],
    pub(super) model: Model,
    /// Of each transaction, where its steps begin; one more at the end.
    first: Vec<u32>,
    steps: Vec<Micro>,
    pub(super) keys: Vec<Value>,
    pub(super) values: Interner,
    /// The lists that were read.
    pub(super) lists: Vec<&'a [Value]>,
}

impl<'a> Transactions<'a> {
    /// Reads them all.
    pub(super) fn read(
        operations: &'a [Operation],
        model: Model,
        meter: &mut Meter<'_>,
    ) -> Result<Self, Stop> {
        let mut these = Transactions {
            operations,
            model,
            first: Vec::with_capacity(operations.len() + 1),
            steps: Vec::with_capacity(operations.len().saturating_mul(2)),
            keys: Vec::new(),
            values: Interner::default(),
            lists: Vec::new(),
        };
        if operations.len() >= (NONE / 8) as usize {
            return Err(Stop::Spent(format!("limit of {} transactions", NONE / 8)));
        }
        let mut keys = Interner::default();
        let mut latest = Latest::default();
        for operation in operations {
            let first = these.steps.len();
            these.first.push(number(first)?);
            these.add(operation, &mut keys)?;
            latest.link(&mut these.steps, first);
            meter.step(|| these.bytes())?;
        }
        these.first.push(number(these.steps.len())?);
        these.keys = keys.values;
        Ok(these)
    }

    /// Of how many steps it consists, and which.
    pub(super) fn steps(&self, transaction: u32) -> &[Micro] {
        let transaction = transaction as usize;
        &self.steps[self.first[transaction] as usize..self.first[transaction + 1] as usize]
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.operations.len()
    }

    /// All of them.
    pub(super) fn all(&self) -> std::ops::Range<u32> {
        0..self.operations.len() as u32
    }

    /// How it ended.
    pub(super) fn outcome(&self, transaction: u32) -> Outcome {
        self.operations[transaction as usize].outcome
    }

    /// What is held in memory.
    pub(super) fn bytes(&self) -> usize {
        self.first.len() * 4 + self.steps.len() * 16 + self.lists.len() * 16 + self.values.bytes()
    }

    fn add(&mut self, operation: &'a Operation, keys: &mut Interner) -> Result<(), Stop> {
        let unsuitable = |got: &Value| {
            Stop::Unsuitable(UnsuitableOperation {
                index: operation.invoke_index,
                expected: self.model.expected(),
                got: shortened(&got.to_string(), 200),
            })
        };
        let ok = operation.outcome == Outcome::Ok;
        let invoked = operation.invoked.as_list();
        let returned = operation.result.as_list();
        let source = match operation.outcome {
            Outcome::Ok if operation.result.is_null() => {
                let only_writes = invoked.filter(|steps| {
                    steps.iter().all(|step| !matches!(step[0].as_str(), Some("r" | "read")))
                });
                only_writes.ok_or_else(|| unsuitable(&operation.result))?
            }
            Outcome::Ok => returned.ok_or_else(|| unsuitable(&operation.result))?,
            Outcome::Info => invoked.or(returned).ok_or_else(|| unsuitable(&operation.invoked))?,
            Outcome::Fail => invoked.or(returned).unwrap_or_default(),
        };
        for step in source {
            let parts = step.as_list().unwrap_or_default();
            let (f, key, value) = match parts {
                [f, key, value] => (f, key, value),
                [f, key] => (f, key, &Value::Null),
                _ => return Err(unsuitable(step)),
            };
            let list = self.model == Model::ListAppend;
            let write = match f.as_str() {
                Some("append") if list && parts.len() == 3 => true,
                Some("w" | "write") if !list && parts.len() == 3 => true,
                Some("r" | "read") => false,
                _ => return Err(unsuitable(step)),
            };
            if !write && !ok {
                continue;
            }
            let key = match &operation.key {
                Some(outer) => keys.number(&Value::list([outer.clone(), key.clone()]))?,
                None => keys.number(key)?,
            };
            let value = if write || !list {
                self.values.number(value)?
            } else {
                let elements = match value {
                    Value::Null => &[],
                    Value::List(elements) => &elements[..],
                    _ => return Err(unsuitable(step)),
                };
                self.lists.push(elements);
                number(self.lists.len() - 1)?
            };
            self.steps.push(Micro { key, value, before: NONE, write, last: false });
        }
        Ok(())
    }
}

/// Where each key was used last.
#[derive(Default)]
struct Latest {
    /// Of each key, the position of the last step on it and of the last write to it, plus one.
    steps: Vec<(usize, usize)>,
}

impl Latest {
    /// Connects the steps of the transaction that begins at `first`.
    fn link(&mut self, steps: &mut [Micro], first: usize) {
        for at in first..steps.len() {
            let step = &mut steps[at];
            let (key, write) = (step.key as usize, step.write);
            if key >= self.steps.len() {
                self.steps.resize(key + 1, (0, 0));
            }
            let (any, written) = &mut self.steps[key];
            if *any > first {
                step.before = (*any - 1 - first) as u32;
            }
            *any = at + 1;
            if write {
                step.last = true;
                let overwritten = std::mem::replace(written, at + 1);
                if overwritten > first {
                    steps[overwritten - 1].last = false;
                }
            }
        }
    }
}

/// The first characters of a text.
pub(super) fn shortened(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max).collect();
    short.push('…');
    short
}

/// A position as a small number.
fn number(position: usize) -> Result<u32, Stop> {
    u32::try_from(position)
        .ok()
        .filter(|&number| number < NONE / 2)
        .ok_or_else(|| Stop::Spent(format!("limit of {} micro-operations", NONE / 2)))
}

/// Integers up to so many times the number of values (and a few more) are found in a table.
const SPARSENESS_MAX: usize = 8;

/// Numbers for values, in the order in which they came.
///
/// Integers that are close together are looked up in a table, which stays in the cache where they come
/// more or less in order; all others in hash maps.
#[derive(Default)]
pub(super) struct Interner {
    table: Vec<u32>,
    integers: FxHashMap<i64, u32>,
    others: FxHashMap<Value, u32>,
    pub(super) values: Vec<Value>,
}

impl Interner {
    /// Its number; a new one, if it has none yet.
    fn number(&mut self, value: &Value) -> Result<u32, Stop> {
        if let Some(found) = self.find(value) {
            return Ok(found);
        }
        let next = number(self.values.len())?;
        self.values.push(value.clone());
        match value {
            Value::Int(integer) => match self.place(*integer) {
                Some(place) => {
                    if place >= self.table.len() {
                        self.table.resize((place + 1).next_power_of_two(), NONE);
                    }
                    self.table[place] = next;
                }
                None => {
                    self.integers.insert(*integer, next);
                }
            },
            other => {
                self.others.insert(other.clone(), next);
            }
        }
        Ok(next)
    }

    /// Where a new integer is put in the table, if it is one for the table.
    fn place(&self, integer: i64) -> Option<usize> {
        let place = usize::try_from(integer).ok()?;
        (place < SPARSENESS_MAX * (self.values.len() + 128)).then_some(place)
    }

    /// Its number, if it has one.
    pub(super) fn find(&self, value: &Value) -> Option<u32> {
        match value {
            Value::Int(integer) => {
                let place = usize::try_from(*integer).ok();
                match place.and_then(|place| self.table.get(place)) {
                    Some(&number) if number != NONE => Some(number),
                    _ => self.integers.get(integer).copied(),
                }
            }
            other => self.others.get(other).copied(),
        }
    }

    fn bytes(&self) -> usize {
        self.values.len() * 24
            + self.table.len() * 4
            + self.integers.len() * 34
            + self.others.len() * 66
    }
}
