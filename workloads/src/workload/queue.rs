//! Queues without an order.

use super::{Expectation, Interface, Workload};
use crate::generator::elements::ElementsGenerator;

/// Puts elements in, and takes them out.
pub const QUEUE: Workload = Workload {
    name: "queue",
    about: "Clients enqueue elements, each once, and dequeue them, in no particular order; at the end \
            everything is dequeued. Every acknowledged element must come out exactly once. Finds lost \
            and duplicated elements: reads of old state followed by a successful delete, deletes that \
            are applied twice or not at all.",
    interface: Interface::Queue,
    required: &["enqueue", "dequeue"],
    clients_per_key: 5,
    generator: |options| Box::new(ElementsGenerator::queue(options)),
    total: None,
    expectations: &[
        Expectation { model: "unordered-queue", property: "linearizable" },
        Expectation { model: "total-queue", property: "total-queue" },
    ],
    local_expectations: &[
        Expectation { model: "unordered-queue", property: "linearizable" },
        Expectation { model: "total-queue", property: "total-queue" },
    ],
};
