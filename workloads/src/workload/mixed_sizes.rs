//! Small and large values.

use super::{Expectation, Interface, Workload};
use crate::generator::register::{CLIENTS_PER_KEY, RegisterGenerator};

/// Registers whose values take from one byte to 128 KiB.
pub const MIXED_SIZES: Workload = Workload {
    name: "mixed-sizes",
    about: "As register, but values are of very different sizes, from one byte to 128 KiB, and \
            every byte of a value is compared when it is read. Finds values that are cut, mixed \
            up or damaged on their way through messages, logs, snapshots and disks, and limits \
            that are off by one.",
    interface: Interface::SizedRegister,
    required: &["read", "write", "cas"],
    clients_per_key: CLIENTS_PER_KEY,
    generator: |options| Box::new(RegisterGenerator::new(options)),
    total: None,
    expectations: &[Expectation { model: "register", property: "linearizable" }],
    local_expectations: &[
        Expectation { model: "register", property: "monotonic-writes" },
        Expectation { model: "register", property: "writes-follow-reads" },
        Expectation { model: "register", property: "bounded-staleness" },
    ],
};
