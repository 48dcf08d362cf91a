//! Histories of one collection, valid by construction or with one planted violation.
//!
//! Clients run against one real object. Each operation acts at a random moment of its interval; of the
//! crashed ones 40 % act before the client gives up, 20 % at some later time, and 40 % never. Every value
//! is inserted once.

mod plant;

pub use plant::{Violation, plant};

use std::collections::{BTreeSet, VecDeque};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::history::{Operation, Outcome, Value};

/// Which object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectionKind {
    /// First in, first out.
    Queue,
    /// Any element leaves next.
    Bag,
    /// Last in, first out.
    Stack,
    /// The least element leaves next.
    PriorityQueue,
    /// With add, remove and contains.
    Set,
    /// With add, and reads of all elements.
    GrowOnlySet,
    /// With append, and reads at offsets.
    Log,
}

/// What to generate.
#[derive(Debug, Clone, Copy)]
pub struct CollectionHistory {
    /// Which object.
    pub kind: CollectionKind,
    /// The same seed gives the same history.
    pub seed: u64,
    /// Clients, of which each does one operation at a time.
    pub clients: u64,
    /// Operations, of all clients.
    pub operations: usize,
    /// Percent of operations whose outcome nobody learns.
    pub crashes: u32,
    /// Percent of operations that insert.
    pub inserts: u32,
}

/// What a client is doing.
enum Client {
    Idle,
    Invoked(usize),
    /// The operation acted, or never will.
    Settled(usize),
}

/// The real object.
#[derive(Default)]
struct Object {
    elements: VecDeque<i64>,
    sorted: BTreeSet<i64>,
}

/// Multiplier that scatters priorities; odd, so that no two numbers below `SCATTER` meet.
const SCATTER: i64 = 1 << 31;

impl CollectionHistory {
    /// A history that the object made.
    pub fn generate(&self) -> Vec<Operation> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut object = Object::default();
        let mut operations: Vec<Operation> = Vec::with_capacity(self.operations);
        let mut clients: Vec<(u64, Client)> =
            (0..self.clients).map(|process| (process, Client::Idle)).collect();
        let mut late: Vec<usize> = Vec::new();
        let mut inserted = 0;
        let mut busy = 0;
        let mut index = 0;
        while operations.len() < self.operations || busy > 0 {
            if !late.is_empty() && rng.random_bool(0.05) {
                let operation = late.swap_remove(rng.random_range(0..late.len()));
                self.act(&mut object, &mut operations[operation], &mut rng);
            }
            let chosen = rng.random_range(0..clients.len());
            let (process, client) = &mut clients[chosen];
            match *client {
                Client::Idle if operations.len() < self.operations => {
                    *client = Client::Invoked(operations.len());
                    busy += 1;
                    let (f, invoked) = self.invocation(&mut inserted, &mut rng);
                    operations.push(Operation {
                        process: *process,
                        f: f.into(),
                        key: None,
                        invoked,
                        result: Value::Null,
                        outcome: Outcome::Ok,
                        invoke_index: index,
                        invoke_time: index * 1_000_000,
                        complete_index: None,
                        complete_time: None,
                        node: None,
                        error: None,
                    });
                }
                Client::Idle => continue,
                Client::Invoked(number) => {
                    let operation = &mut operations[number];
                    if rng.random_range(0..100) < self.crashes {
                        match rng.random_range(0..5) {
                            0..2 => self.act(&mut object, operation, &mut rng),
                            2 => late.push(number),
                            _ => {}
                        }
                        operation.outcome = Outcome::Info;
                        *process += self.clients;
                        *client = Client::Idle;
                        busy -= 1;
                    } else {
                        self.act(&mut object, operation, &mut rng);
                        *client = Client::Settled(number);
                    }
                    continue;
                }
                Client::Settled(number) => {
                    operations[number].complete_index = Some(index);
                    operations[number].complete_time = Some(index * 1_000_000);
                    *client = Client::Idle;
                    busy -= 1;
                }
            }
            index += 1;
        }
        for operation in operations.iter_mut().filter(|it| it.outcome == Outcome::Info) {
            operation.result = Value::Null;
        }
        operations
    }

    /// A function and its argument.
    fn invocation(&self, inserted: &mut i64, rng: &mut ChaCha8Rng) -> (&'static str, Value) {
        let inserts = rng.random_range(0..100) < self.inserts;
        if inserts {
            *inserted += 1;
        }
        // Mostly about elements that came lately.
        let lately = |rng: &mut ChaCha8Rng| (*inserted - rng.random_range(0..20)).max(1);
        match self.kind {
            CollectionKind::Queue | CollectionKind::Bag if inserts => {
                ("enqueue", Value::from(*inserted))
            }
            CollectionKind::Queue | CollectionKind::Bag => ("dequeue", Value::Null),
            CollectionKind::Stack if inserts => ("push", Value::from(*inserted)),
            CollectionKind::Stack => ("pop", Value::Null),
            CollectionKind::PriorityQueue if inserts => {
                ("insert", Value::from((*inserted * 0x4f1b_bcdd) % SCATTER))
            }
            CollectionKind::PriorityQueue => ("delete-min", Value::Null),
            CollectionKind::Set if inserts => {
                ("add", Value::list([Value::from(*inserted), Value::Null]))
            }
            CollectionKind::Set => {
                let f = if rng.random_bool(0.3) { "remove" } else { "contains" };
                (f, Value::list([Value::from(lately(rng)), Value::Null]))
            }
            CollectionKind::GrowOnlySet if inserts => ("add", Value::from(*inserted)),
            CollectionKind::GrowOnlySet => ("read", Value::Null),
            CollectionKind::Log if inserts => ("append", Value::from(*inserted)),
            CollectionKind::Log => ("read", Value::from((lately(rng) - 1).max(0))),
        }
    }

    /// Takes effect, and sets the result.
    fn act(&self, object: &mut Object, operation: &mut Operation, rng: &mut ChaCha8Rng) {
        let invoked = operation.invoked.as_i64();
        let elements = &mut object.elements;
        operation.result = match (self.kind, invoked) {
            (CollectionKind::Queue | CollectionKind::Bag | CollectionKind::Stack, Some(value)) => {
                elements.push_back(value);
                Value::from(value)
            }
            (CollectionKind::Queue, None) => Value::from(elements.pop_front()),
            (CollectionKind::Stack, None) => Value::from(elements.pop_back()),
            (CollectionKind::Bag, None) if elements.is_empty() => Value::Null,
            (CollectionKind::Bag, None) => {
                Value::from(elements.swap_remove_back(rng.random_range(0..elements.len())))
            }
            (CollectionKind::PriorityQueue, Some(value)) => {
                object.sorted.insert(value);
                Value::from(value)
            }
            (CollectionKind::PriorityQueue, None) => Value::from(object.sorted.pop_first()),
            (CollectionKind::Set, _) => {
                let element = operation.invoked[0].as_i64().unwrap_or_default();
                let result = match operation.f.as_str() {
                    "add" => object.sorted.insert(element),
                    "remove" => object.sorted.remove(&element),
                    _ => object.sorted.contains(&element),
                };
                Value::list([Value::from(element), Value::from(result)])
            }
            (CollectionKind::GrowOnlySet, Some(value)) => {
                object.sorted.insert(value);
                Value::from(value)
            }
            (CollectionKind::GrowOnlySet, None) => {
                Value::list(object.sorted.iter().copied().map(Value::from))
            }
            (CollectionKind::Log, Some(value)) if operation.f == "append" => {
                elements.push_back(value);
                Value::from(elements.len() as i64 - 1)
            }
            (CollectionKind::Log, offset) => {
                let offset = usize::try_from(offset.unwrap_or_default()).unwrap_or_default();
                Value::from(elements.get(offset).copied())
            }
        };
    }
}
