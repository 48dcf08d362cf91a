//! Streams of changes.

use super::{Expectation, Interface, Workload};
use crate::generator::watch::WatchGenerator;

/// Puts and deletes, and watches of ranges of keys.
pub const WATCH: Workload = Workload {
    name: "watch",
    about: "Clients put and delete keys while others watch ranges of them for half a second at a \
            time, from now on or from where they stopped. Nine guarantees must hold: changes \
            come once, in order, in whole revisions, none outside of the range, none left out, \
            with the right previous values. Finds changes that are skipped or told twice, and \
            streams that go on at the wrong place.",
    interface: Interface::Watch,
    required: &["put", "delete", "watch"],
    clients_per_key: 5,
    generator: |options| Box::new(WatchGenerator::new(options)),
    total: None,
    expectations: &[Expectation { model: "watch", property: "watch" }],
    local_expectations: &[Expectation { model: "watch", property: "watch" }],
};
