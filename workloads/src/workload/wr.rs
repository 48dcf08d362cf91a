//! Transactions on registers.

use super::{Expectation, Interface, Workload};
use crate::generator::transactions::TransactionGenerator;

/// Transactions that read and write registers.
pub const WR: Workload = Workload {
    name: "wr",
    about: "Transactions of up to four steps, each of which reads or writes a register, on a few keys \
            at a time, with values that never repeat on a key. Less is known of the order of writes \
            than with lists, but blind writes are tried too. Finds the same anomalies as append, where \
            the order of writes can be told.",
    interface: Interface::ReadWrite,
    required: &["txn"],
    clients_per_key: 2,
    generator: |options| Box::new(TransactionGenerator::writes(options)),
    total: None,
    expectations: &[Expectation { model: "rw-register", property: "strict-serializable" }],
    local_expectations: &[Expectation { model: "rw-register", property: "serializable" }],
};
