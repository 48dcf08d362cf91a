//! Counters.

use super::{Expectation, Interface, Workload};
use crate::generator::counter::CounterGenerator;

/// Adds to counters, and reads them.
pub const COUNTER: Workload = Workload {
    name: "counter",
    about: "Clients add to counters and read them. A read must show at least what was surely added \
            before it, and at most what may have been. Finds increments that are lost or applied twice, \
            and reads from the past.",
    interface: Interface::Counter,
    required: &["add", "read"],
    clients_per_key: 5,
    generator: |options| Box::new(CounterGenerator::new(options)),
    total: None,
    expectations: &[Expectation { model: "counter", property: "counter-bounds" }],
    local_expectations: &[Expectation { model: "counter", property: "bounded-staleness" }],
};
