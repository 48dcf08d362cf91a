//! The order of one client's writes.

use super::{Expectation, Interface, Workload};
use crate::generator::sequential::SequentialGenerator;

/// Subkeys written one after the other, and read in the opposite order.
pub const SEQUENTIAL: Workload = Workload {
    name: "sequential",
    about: "A client writes five subkeys one after the other; others look for them one after the \
            other in the opposite order. Who finds one must find all that were written before \
            it, also where reads may be old. Finds replicas and caches that show writes in \
            another order than they were made in.",
    interface: Interface::Sequential,
    required: &["write", "read"],
    clients_per_key: 2,
    generator: |options| Box::new(SequentialGenerator::new(options)),
    total: None,
    expectations: &[Expectation { model: "sequential", property: "sequential" }],
    local_expectations: &[Expectation { model: "sequential", property: "sequential" }],
};
