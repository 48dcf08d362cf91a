//! Numbers that only grow.

use super::{Expectation, Interface, Workload};
use crate::generator::monotonic::MonotonicGenerator;

/// Adds the next number, and reads all of them or the greatest.
pub const MONOTONIC: Workload = Workload {
    name: "monotonic",
    about: "Clients add the greatest number so far plus one, and are told the revision of the \
            transaction; others read all numbers with their revisions, or the greatest number \
            alone. Sorted by revision the numbers must grow, and nothing goes back in time. \
            Finds revisions in the wrong order, lost rows, and reads from the past.",
    interface: Interface::Monotonic,
    required: &["add", "read"],
    clients_per_key: 5,
    generator: |options| Box::new(MonotonicGenerator::new(options)),
    total: None,
    expectations: &[Expectation { model: "monotonic", property: "monotonic" }],
    local_expectations: &[Expectation { model: "monotonic", property: "monotonic-per-process" }],
};
