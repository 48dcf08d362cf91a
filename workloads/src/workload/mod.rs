//! Workloads: a generator, the operations it uses, and what must hold.

mod append;
mod bank;
mod counter;
mod kv;
mod long_fork;
mod queue;
mod register;
mod set;
mod unique_ids;
mod wr;

pub use append::APPEND;
pub use bank::BANK;
pub use counter::COUNTER;
pub use kv::KV;
pub use long_fork::LONG_FORK;
pub use queue::QUEUE;
pub use register::REGISTER;
pub use set::SET;
pub use unique_ids::UNIQUE_IDS;
pub use wr::WR;

use crate::generator::{Generator, GeneratorOptions};

/// What a workload promises: the history has this property of this model. The harness looks the
/// judge up in [`crate::checker::CHECKERS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// The model, such as `register`.
    pub model: &'static str,
    /// The property, such as `linearizable`.
    pub property: &'static str,
}

/// What clients ask of a system: the functions of a history, and what they mean.
///
/// A system says which of these it can offer, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interface {
    /// One value per key: `read`, `write` and `cas` (value `[expected, new]`).
    Register,
    /// As [`Interface::Register`], and `delete`, after which a key holds nothing.
    KeyValue,
    /// A growing set per key: `add` an element, `read` all of them.
    Set,
    /// `txn` with a list of `["r", key, null]` and `["append", key, element]`.
    ListAppend,
    /// `txn` with a list of `["r", key, null]` and `["w", key, value]`.
    ReadWrite,
    /// `read` all balances, `transfer` `{"from": _, "to": _, "amount": _}`.
    Bank,
    /// A counter per key: `add` a number, `read` the sum.
    Counter,
    /// A queue per key without an order: `enqueue` an element, `dequeue` one, or nothing if it is empty.
    Queue,
    /// `generate` a number that nobody else ever gets.
    UniqueIds,
}

/// A workload, by name. One file each, one line each in [`crate::registry::WORKLOADS`].
pub struct Workload {
    /// The name on the command line.
    pub name: &'static str,
    /// One paragraph on what it does and which mistakes it finds.
    pub about: &'static str,
    /// What it asks of a system.
    pub interface: Interface,
    /// Operation kinds of which at least one must succeed, or the run proves nothing.
    pub required: &'static [&'static str],
    /// Clients that must share a key for a mistake to be seen.
    pub clients_per_key: usize,
    /// Builds the generator.
    pub generator: fn(&GeneratorOptions) -> Box<dyn Generator>,
    /// The sum of all accounts, if it has any.
    pub total: Option<i64>,
    /// What must hold; not empty.
    pub expectations: &'static [Expectation],
}
