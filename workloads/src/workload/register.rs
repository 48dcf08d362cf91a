//! Linearizable registers.

use super::{Expectation, Interface, Workload};
use crate::generator::register::{CLIENTS_PER_KEY, RegisterGenerator};

/// Reads, writes and compare-and-sets on single keys.
pub const REGISTER: Workload = Workload {
    name: "register",
    about: "Clients read, write and compare-and-set single keys, at least five on a key at the same \
            time, with values that never repeat. Each key must behave as one register, whatever \
            breaks. Finds stale reads, lost acknowledged writes, writes applied twice or rolled \
            back, and compare-and-sets that succeed on a value the key no longer had.",
    interface: Interface::Register,
    required: &["read", "write", "cas"],
    clients_per_key: CLIENTS_PER_KEY,
    generator: |options| Box::new(RegisterGenerator::new(options)),
    total: None,
    expectations: &[Expectation { model: "register", property: "linearizable" }],
    local_expectations: &[
        Expectation { model: "register", property: "monotonic-writes" },
        Expectation { model: "register", property: "writes-follow-reads" },
        Expectation { model: "register", property: "bounded-staleness" },
    ],
};
