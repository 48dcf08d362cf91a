//! Registers with few values.

use super::{Expectation, Interface, Workload};
use crate::generator::register::{CLIENTS_PER_KEY, RegisterGenerator};

/// Reads, blind writes and blind compare-and-sets of five values.
pub const CAS_REGISTER: Workload = Workload {
    name: "cas-register",
    about: "Clients read, write and compare-and-set single keys with five values only, so that \
            values come again, and expect values that they have not read, also of keys that do \
            not exist yet. Each key must behave as one register. Finds what depends on the \
            values themselves: compare-and-sets that take one value for another, or nothing for \
            something.",
    interface: Interface::Register,
    required: &["read", "write", "cas"],
    clients_per_key: CLIENTS_PER_KEY,
    generator: |options| Box::new(RegisterGenerator::few_values(options)),
    total: None,
    expectations: &[Expectation { model: "cas-register", property: "linearizable" }],
    local_expectations: &[Expectation { model: "cas-register", property: "bounded-staleness" }],
};
