//! Several registers at once.

use super::{Expectation, Interface, Workload};
use crate::generator::multi_register::{CLIENTS_PER_KEY, MultiRegisterGenerator};

/// Transactions on the registers of one key.
pub const MULTI_REGISTER: Workload = Workload {
    name: "multi-register",
    about: "Each key has six registers. Transactions read some of them, write some, or read some \
            and write others, up to all six at once, with values that never repeat. All \
            registers of a key together must be linearizable, which leaves less room than the \
            order of versions in wr. Finds transactions that are performed in part, and reads \
            that mix two states.",
    interface: Interface::MultiRegister,
    required: &["txn"],
    clients_per_key: CLIENTS_PER_KEY,
    generator: |options| Box::new(MultiRegisterGenerator::new(options)),
    total: None,
    expectations: &[Expectation { model: "multi-register", property: "linearizable" }],
    local_expectations: &[Expectation { model: "multi-register", property: "bounded-staleness" }],
};
