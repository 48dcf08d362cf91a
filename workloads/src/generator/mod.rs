//! Generators: pure, seeded sources of operations.

pub mod bank;
pub mod collection;
pub mod counter;
pub mod elements;
pub mod hot_key;
mod key_groups;
pub mod lock;
pub mod log;
pub mod long_fork;
pub mod monotonic;
pub mod multi_register;
pub mod register;
pub mod sequential;
pub mod texts;
pub mod transactions;
pub mod unique_ids;
pub mod watch;

use crate::history::{Event, Value};

/// An operation that a worker should invoke.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// The function, such as `read`.
    pub f: &'static str,
    /// The independent object, if the workload has several.
    pub key: Option<Value>,
    /// The argument, as it is written in the invocation event.
    pub value: Value,
}

/// What a generator is told about the run before it starts.
#[derive(Debug, Clone)]
pub struct GeneratorOptions {
    /// Workers that invoke operations; each has one open operation at a time.
    pub concurrency: usize,
    /// Independent keys in use at the same time.
    pub keys: usize,
    /// Seed of the generator's own stream.
    pub seed: u64,
}

/// A source of operations. Synchronous; the same calls give the same operations.
pub trait Generator: Send {
    /// The next operation for `worker`, in `0..concurrency`.
    fn next(&mut self, worker: usize) -> Invocation;

    /// A completion of an operation of `worker`, so that later operations can build on it.
    fn observe(&mut self, worker: usize, completion: &Event);

    /// Operations of the final phase, after the heal, for `worker`: usually one read of each key.
    fn final_operations(&mut self, worker: usize) -> Vec<Invocation>;
}
