//! Session guarantees.

use super::{Expectation, Interface, Workload};
use crate::generator::register::{CLIENTS_PER_KEY, RegisterGenerator};

/// Reads and writes, judged by what each client saw.
pub const SESSION: Workload = Workload {
    name: "session",
    about: "Clients read and write single keys, and the four session guarantees are judged one \
            at a time: read your writes, monotonic reads, monotonic writes, and writes follow \
            reads. With local reads a client may miss its own last write; the other three must \
            hold as long as its node lives. Finds reads that go back.",
    interface: Interface::Register,
    required: &["read", "write"],
    clients_per_key: CLIENTS_PER_KEY,
    generator: |options| Box::new(RegisterGenerator::without_cas(options)),
    total: None,
    expectations: &[
        Expectation { model: "register", property: "read-your-writes" },
        Expectation { model: "register", property: "monotonic-reads" },
        Expectation { model: "register", property: "monotonic-writes" },
        Expectation { model: "register", property: "writes-follow-reads" },
    ],
    local_expectations: &[
        Expectation { model: "register", property: "monotonic-reads" },
        Expectation { model: "register", property: "monotonic-writes" },
        Expectation { model: "register", property: "writes-follow-reads" },
    ],
};
