//! Numbers that nobody else gets.

use super::{Expectation, Interface, Workload};
use crate::generator::unique_ids::UniqueIdsGenerator;

/// Asks for numbers.
pub const UNIQUE_IDS: Workload = Workload {
    name: "unique-ids",
    about: "Clients ask for numbers, and no number may be given twice. Finds histories that forked: two \
            leaders that count on from the same place, or a node that forgot what it had given out.",
    interface: Interface::UniqueIds,
    required: &["generate"],
    clients_per_key: 1,
    generator: |_| Box::new(UniqueIdsGenerator),
    total: None,
    expectations: &[Expectation { model: "unique-ids", property: "unique-ids" }],
    local_expectations: &[Expectation { model: "unique-ids", property: "unique-ids" }],
};
