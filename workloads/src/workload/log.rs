//! Logs with producers and consumers.

use super::{Expectation, Interface, Workload};
use crate::generator::log::LogGenerator;

/// Sends to logs, and polls by consumers.
pub const LOG: Workload = Workload {
    name: "log",
    about: "Producers append messages to logs and are told their offsets; consumers poll from \
            where they stand. Every message is at one offset, nobody skips or goes back, and in \
            the end every acknowledged message was polled. Finds messages that are lost, \
            doubled, moved or overwritten, and answers with the wrong offset.",
    interface: Interface::Log,
    required: &["send", "poll"],
    clients_per_key: 5,
    generator: |options| Box::new(LogGenerator::new(options)),
    total: None,
    expectations: &[Expectation { model: "kafka", property: "kafka-drained" }],
    local_expectations: &[Expectation { model: "kafka", property: "kafka" }],
};
