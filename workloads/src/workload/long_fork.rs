//! Readers who disagree on the order of two writes.

use super::{Expectation, Interface, Workload};
use crate::generator::long_fork::LongForkGenerator;

/// Single writes, and reads of whole groups of keys.
pub const LONG_FORK: Workload = Workload {
    name: "long-fork",
    about: "Each key is written once, and transactions read whole groups of keys. If one reader saw the \
            first of two writes only, and another one the second only, the state has forked: parallel \
            snapshot isolation allows that, snapshot isolation does not. Finds replicas that apply \
            writes in different orders.",
    interface: Interface::WriteOnce,
    required: &["txn"],
    clients_per_key: 2,
    generator: |options| Box::new(LongForkGenerator::new(options)),
    total: None,
    expectations: &[
        Expectation { model: "long-fork", property: "parallel-snapshot-isolation" },
        Expectation { model: "rw-register", property: "strict-serializable" },
    ],
    local_expectations: &[
        Expectation { model: "long-fork", property: "snapshot-isolation" },
        Expectation { model: "rw-register", property: "serializable" },
    ],
};
