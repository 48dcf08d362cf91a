//! Linearizable keys that come and go.

use super::{Expectation, Interface, Workload};
use crate::generator::register::{CLIENTS_PER_KEY, RegisterGenerator};

/// As `register`, with deletes.
pub const KV: Workload = Workload {
    name: "kv",
    about: "As register, but keys are deleted too, and written again after that. Finds deleted keys \
            that come back (after a snapshot, say), deletes that are lost or applied late, and \
            compare-and-sets that succeed on a key that is gone.",
    interface: Interface::KeyValue,
    required: &["read", "write", "cas", "delete"],
    clients_per_key: CLIENTS_PER_KEY,
    generator: |options| Box::new(RegisterGenerator::with_deletes(options)),
    total: None,
    expectations: &[Expectation { model: "kv", property: "linearizable" }],
    local_expectations: &[Expectation { model: "kv", property: "bounded-staleness" }],
};
