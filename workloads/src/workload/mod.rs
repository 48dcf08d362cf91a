//! Workloads: a generator, the operations it uses, and what must hold.

mod append;
mod bank;
mod cas_register;
mod counter;
mod hot_key;
mod kv;
mod kv_append;
mod lease;
mod lock;
mod lock_set;
mod log;
mod long_fork;
mod mixed_sizes;
mod monotonic;
mod multi_register;
mod queue;
mod register;
mod sequential;
mod session;
mod set;
mod set_full;
mod unique_ids;
mod watch;
mod wr;

#[cfg(test)]
mod tests;

pub use append::APPEND;
pub use bank::BANK;
pub use cas_register::CAS_REGISTER;
pub use counter::COUNTER;
pub use hot_key::HOT_KEY;
pub use kv::KV;
pub use kv_append::KV_APPEND;
pub use lease::LEASE;
pub use lock::LOCK;
pub use lock_set::LOCK_SET;
pub use log::LOG;
pub use long_fork::LONG_FORK;
pub use mixed_sizes::MIXED_SIZES;
pub use monotonic::MONOTONIC;
pub use multi_register::MULTI_REGISTER;
pub use queue::QUEUE;
pub use register::REGISTER;
pub use sequential::SEQUENTIAL;
pub use session::SESSION;
pub use set::SET;
pub use set_full::SET_FULL;
pub use unique_ids::UNIQUE_IDS;
pub use watch::WATCH;
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
    /// As [`Interface::Register`], with values that take very different numbers of bytes.
    SizedRegister,
    /// As [`Interface::Register`], and `delete`, after which a key holds nothing.
    KeyValue,
    /// A text per key: `read` and `scan` it, `write` one, `append` to it, `delete` it.
    Text,
    /// A few registers per key: `txn` with a list of `["r", register, null]` and
    /// `["w", register, value]`.
    MultiRegister,
    /// A growing set per key: `add` an element, `read` all of them.
    Set,
    /// The same, each set as one value.
    SetValue,
    /// As [`Interface::SetValue`], changed under a lock.
    LockSet,
    /// `txn` with a list of `["r", key, null]` and `["append", key, element]`.
    ListAppend,
    /// `txn` with a list of `["r", key, null]` and `["w", key, value]`.
    ReadWrite,
    /// As [`Interface::ReadWrite`]: each key is written once, or groups of keys are read.
    WriteOnce,
    /// `read` all balances, `transfer` `{"from": _, "to": _, "amount": _}`.
    Bank,
    /// A counter per key: `add` a number, `read` the sum.
    Counter,
    /// A queue per key without an order: `enqueue` an element, `dequeue` one, or nothing if it is empty.
    Queue,
    /// Logs: `send` `[["send", log, message]]`, whose result has `[offset, message]` for the message;
    /// `poll` `[["poll", {log: []}]]`, whose result has `[offset, message]` pairs.
    Log,
    /// A lock per key: `acquire` gives `{"token": _, "lease-ms": _, "lease": _}`; with
    /// `{"pause-ms": _}` the client pauses before it goes on. `release` and `use` take that result.
    Lock,
    /// As [`Interface::Lock`], without `use`; `acquire` with `{"lease": _}` keeps that lease alive.
    Lease,
    /// `generate` a number that nobody else ever gets.
    UniqueIds,
    /// `put` `[key, value]` and `delete` a key, both with the result `{"revision": _}`; `watch`
    /// `{"prefix": _, "from": _}` with a list of responses.
    Watch,
    /// Rows per key: `add` the next number, with the result `[number, revision]`; `read` `"rows"`, with
    /// a list of such pairs, or `"greatest"`, with a number.
    Monotonic,
    /// Subkeys per key: `write` so many, one after the other; `read` so many in the opposite order.
    Sequential,
}

impl Interface {
    /// All of them.
    pub const ALL: &[Interface] = &[
        Interface::Register,
        Interface::SizedRegister,
        Interface::KeyValue,
        Interface::Text,
        Interface::MultiRegister,
        Interface::Set,
        Interface::SetValue,
        Interface::LockSet,
        Interface::ListAppend,
        Interface::ReadWrite,
        Interface::WriteOnce,
        Interface::Bank,
        Interface::Counter,
        Interface::Queue,
        Interface::Log,
        Interface::Lock,
        Interface::Lease,
        Interface::UniqueIds,
        Interface::Watch,
        Interface::Monotonic,
        Interface::Sequential,
    ];
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
    /// What must hold if reads are linearizable; not empty.
    pub expectations: &'static [Expectation],
    /// What must hold if reads show what the asked node has; not empty.
    pub local_expectations: &'static [Expectation],
}
