//! Banks: transfers conserve the total of all accounts, and each read must show it.
//!
//! ```text
//! operations ── parse ──> reads, transfers ── total ──────> wrong-total ── half_seen ──> which transfer
//!                                          ├─ accounts ───> unexpected-key, nil-balance, negative-value
//!                                          └─ balances ───> impossible-balance (for `bank-balances`)
//! ```
//!
//! Jepsen's `tests.bank`. A wrong total is a read skew, a write skew or a lost update: something that
//! snapshot isolation forbids. The total is conserved whatever becomes of a transfer, so crashed ones
//! need no care there; balances have bounds, as counters do.

mod balances;
mod half_seen;
mod parse;
mod total;

#[cfg(test)]
mod tests;

pub(super) use total::{check_balances, check_total, check_total_signed};
