//! Keys with leases.

use super::{Expectation, Interface, Workload};
use crate::generator::lock::{LockGenerator, Protection};

/// Keys that live as long as the leases of those who created them.
pub const LEASE: Workload = Workload {
    name: "lease",
    about: "As an election of a leader is built from keys: whoever creates the key holds it \
            while its lease lives, keeps the lease alive, and gives up by revoking it. No two \
            surely hold a key at once, by the times of the clients. Finds keep-alives without \
            effect, leases that end early, and keys that go before their lease.",
    interface: Interface::Lease,
    required: &["acquire", "release"],
    clients_per_key: 5,
    generator: |options| Box::new(LockGenerator::new(options, Protection::Renewal)),
    total: None,
    expectations: &[
        Expectation { model: "lock", property: "mutual-exclusion" },
        Expectation { model: "lock", property: "fencing" },
    ],
    local_expectations: &[
        Expectation { model: "lock", property: "mutual-exclusion" },
        Expectation { model: "lock", property: "fencing" },
    ],
};
