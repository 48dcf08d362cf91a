//! Transactions on lists.

use super::{Expectation, Interface, Workload};
use crate::generator::transactions::TransactionGenerator;

/// Transactions that read lists and append to them.
pub const APPEND: Workload = Workload {
    name: "append",
    about: "Transactions of up to four steps, each of which reads a list or appends an element to one, \
            on a few keys at a time. Because a read shows the whole order of the appends, cycles of \
            transactions can be found: what each saw and overwrote must fit one order that also keeps \
            real time. Finds every anomaly of isolation, from dirty reads to write skew, and stale reads.",
    interface: Interface::ListAppend,
    required: &["txn"],
    clients_per_key: 2,
    generator: |options| Box::new(TransactionGenerator::appends(options)),
    total: None,
    expectations: &[Expectation { model: "list-append", property: "strict-serializable" }],
    local_expectations: &[Expectation { model: "list-append", property: "serializable" }],
};
