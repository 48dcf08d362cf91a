//! Sets that only grow.

use super::{Expectation, Interface, Workload};
use crate::generator::elements::ElementsGenerator;

/// Adds elements, and reads all of them.
pub const SET: Workload = Workload {
    name: "set",
    about: "Clients add elements, each once, and read whole sets. An element whose add was \
            acknowledged must be in every read that begins after it. Finds lost acknowledged writes, \
            elements that appear and vanish again, stale reads, and scans that are no snapshot.",
    interface: Interface::Set,
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
