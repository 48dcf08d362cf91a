//! Sets that are protected by locks.

use super::{Expectation, Interface, Workload};
use crate::generator::elements::ElementsGenerator;

/// Sets that are changed under a lock: read, then written back with one element more.
pub const LOCK_SET: Workload = Workload {
    name: "lock-set",
    about: "As set-full, but who adds an element takes a lock, reads the set, writes it back with the \
            element by a write that asks for nothing, and gives the lock back. If two ever do so at \
            once, elements are lost. Finds locks that two hold, and leases that end without the \
            holder knowing: a client that pauses between its read and its write (fault client-pause) \
            overwrites what the next holders added, unless what the lock protects refuses old holders.",
    interface: Interface::LockSet,
    required: &["add", "read"],
    clients_per_key: 5,
    generator: |options| Box::new(ElementsGenerator::set(options)),
    total: None,
    expectations: &[
        Expectation { model: "set-full", property: "linearizable" },
        Expectation { model: "set-full", property: "set-full" },
    ],
    local_expectations: &[Expectation { model: "set-full", property: "bounded-staleness" }],
};
