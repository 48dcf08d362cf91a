//! One key that everybody wants.

use super::{Expectation, Interface, Workload};
use crate::generator::hot_key::HotKeyGenerator;

/// Nearly all operations on one key.
pub const HOT_KEY: Workload = Workload {
    name: "hot-key",
    about: "As register, but nine of ten operations of all clients are on one key, for thousands \
            of operations, and the rest on twenty others. Every key must behave as one register. \
            Finds what shows only under contention, or after many writes of one key.",
    interface: Interface::Register,
    required: &["read", "write", "cas"],
    clients_per_key: 5,
    generator: |options| Box::new(HotKeyGenerator::new(options)),
    total: None,
    expectations: &[Expectation { model: "register", property: "linearizable" }],
    local_expectations: &[
        Expectation { model: "register", property: "monotonic-writes" },
        Expectation { model: "register", property: "writes-follow-reads" },
        Expectation { model: "register", property: "bounded-staleness" },
    ],
};
