//! Locks with fencing tokens.

use super::{Expectation, Interface, Workload};
use crate::generator::lock::{LockGenerator, Protection};

/// Locks with fencing tokens, and holders that outlive their leases.
pub const LOCK: Workload = Workload {
    name: "lock",
    about: "Clients take locks that live as long as their leases, use what a lock protects under \
            its token, and give it back. Some pause for longer than the lease as soon as they \
            hold the lock, and some use a token long after they gave the lock back. No two \
            surely hold a lock at once, tokens grow from holder to holder, and no token is \
            accepted after a newer one. Finds leases that end early, locks that are given twice, \
            and tokens in the wrong order.",
    interface: Interface::Lock,
    required: &["acquire", "release", "use"],
    clients_per_key: 5,
    generator: |options| Box::new(LockGenerator::new(options, Protection::Token)),
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
