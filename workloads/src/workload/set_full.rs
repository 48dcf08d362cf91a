//! Sets that are one value.

use super::{Expectation, Interface, Workload};
use crate::generator::elements::ElementsGenerator;

/// Sets that are one value each, and read as a whole.
pub const SET_FULL: Workload = Workload {
    name: "set-full",
    about: "As set, but a whole set is one value, to which elements are added by \
            compare-and-set, so that values grow. Finds compare-and-sets that take a changed \
            value for the old one, lost acknowledged elements, and elements that appear and \
            vanish again.",
    interface: Interface::SetValue,
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
