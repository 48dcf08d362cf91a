//! Money that must not get lost.

use super::{Expectation, Interface, Workload};
use crate::generator::bank::{ACCOUNTS, BankGenerator, FIRST_BALANCE};

/// Transfers between accounts, and reads of all balances.
pub const BANK: Workload = Workload {
    name: "bank",
    about: "Clients move money between eight accounts and read all balances at once. The sum must be \
            the same in every read, and no balance negative. Finds transactions that are applied in \
            part, reads that mix two states, and transfers that are applied twice or lost.",
    interface: Interface::Bank,
    required: &["read", "transfer"],
    clients_per_key: 2,
    generator: |options| Box::new(BankGenerator::new(options)),
    total: Some(FIRST_BALANCE * ACCOUNTS as i64),
    expectations: &[Expectation { model: "bank", property: "bank-total" }],
    local_expectations: &[Expectation { model: "bank", property: "bank-total" }],
};
