//! Texts that are appended to.

use super::{Expectation, Interface, Workload};
use crate::generator::texts::{CLIENTS_PER_KEY, TextsGenerator};

/// Texts that are set, appended to, deleted, and read by get and scan.
pub const KV_APPEND: Workload = Workload {
    name: "kv-append",
    about: "Clients set a key to a text, append to it, delete it, and read it with a get or with \
            a scan. Every piece of text is used once, so that a read shows which appends it has \
            seen, and in which order. Each key must be linearizable. Finds appends that are lost \
            or applied twice, appends to a value that was deleted, and scans that see something \
            else than gets.",
    interface: Interface::Text,
    required: &["read", "scan", "write", "append", "delete"],
    clients_per_key: CLIENTS_PER_KEY,
    generator: |options| Box::new(TextsGenerator::new(options)),
    total: None,
    expectations: &[Expectation { model: "kv-append", property: "linearizable" }],
    local_expectations: &[Expectation { model: "kv-append", property: "bounded-staleness" }],
};
