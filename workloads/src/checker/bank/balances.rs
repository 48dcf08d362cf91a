//! Each balance lies between what the transfers allow.
//!
//! The bounds of an account are those of a counter to which transfers add; see `bounds`. Where the
//! balances at the start were not told, a read shows them that ended before any transfer began.

use super::parse::{Bank, Read};
use crate::checker::bounds::Bounds;
use crate::checker::findings::{Findings, Spending};
use crate::checker::order::{Moment, moments};
use crate::history::{Operation, Outcome, Value};

/// What an operation of the bank is.
#[derive(Clone, Copy)]
enum Role {
    Transfer(usize),
    Read(usize),
    Nothing,
}

/// Judges all balances of a bank. False if the balances at the start are not known.
pub(super) fn check(
    operations: &[Operation],
    key: Option<&Value>,
    bank: &Bank,
    members: &[usize],
    held: usize,
    findings: &mut Findings<'_>,
    spending: &mut Spending<'_>,
) -> Result<bool, String> {
    let Some(start) = bank.start.clone().or_else(|| first_read(operations, bank)) else {
        return Ok(bank.reads.is_empty());
    };
    let mut balances = vec![None; bank.accounts.len()];
    for (account, balance) in start {
        balances[account as usize] = Some(i128::from(balance));
    }
    let roles = roles(bank, members);
    let mut bounds = vec![Bounds::default(); bank.accounts.len()];
    let mut begun: Vec<(usize, u64)> = Vec::new();
    for (now, moment) in (0_u64..).zip(moments(operations, members)) {
        let (Moment::Invoked(position) | Moment::Completed(position)) = moment;
        let operation = &operations[position];
        let role = roles[position - members[0]];
        if operation.outcome == Outcome::Fail {
            continue;
        }
        let acknowledged = operation.outcome == Outcome::Ok;
        match (role, moment) {
            (Role::Transfer(number), moment) => {
                spending.step(1, held + members.len() * 64)?;
                let transfer = bank.transfers[number];
                let (from, to) = (transfer.from as usize, transfer.to as usize);
                match moment {
                    // Money that goes round does not move.
                    _ if from == to => {}
                    Moment::Invoked(_) => {
                        bounds[from].asked(now, -transfer.amount);
                        bounds[to].asked(now, transfer.amount);
                    }
                    Moment::Completed(_) if acknowledged => {
                        bounds[from].acknowledged(now, -transfer.amount);
                        bounds[to].acknowledged(now, transfer.amount);
                    }
                    Moment::Completed(_) => {}
                }
            }
            (Role::Read(number), Moment::Invoked(_)) => {
                spending.step(bank.reads[number].balances.len(), held + members.len() * 64)?;
                for &(account, _) in &bank.reads[number].balances {
                    bounds[account as usize].note(now);
                }
                begun.push((position, now));
            }
            (Role::Read(number), Moment::Completed(_)) => {
                let open = begun.iter().position(|&(it, _)| it == position);
                let (_, since) = begun.swap_remove(open.expect("a completion has an invocation"));
                judge(key, bank, &bank.reads[number], since, &balances, &bounds, findings);
            }
            (Role::Nothing, _) => {}
        }
    }
    Ok(true)
}

/// The first balance of a read that its account cannot have.
fn judge(
    key: Option<&Value>,
    bank: &Bank,
    read: &Read,
    since: u64,
    start: &[Option<i128>],
    bounds: &[Bounds],
    findings: &mut Findings<'_>,
) {
    for &(account, balance) in &read.balances {
        let (Some(balance), Some(start)) = (balance.map(i128::from), start[account as usize])
        else {
            continue;
        };
        let (low, high) = bounds[account as usize].since(since);
        if (start + low..=start + high).contains(&balance) {
            continue;
        }
        findings.add("impossible-balance", key, &[read.position], || {
            vec![
                format!("A shows {balance} in {}.", bank.name(account)),
                format!(
                    "It held {start} at the start. With all transfers that had surely happened, and any of \
                     those that may have, it held between {} and {} while A ran.",
                    start + low,
                    start + high
                ),
            ]
        });
        return;
    }
}

/// What each operation is, by its distance from the first of the bank.
fn roles(bank: &Bank, members: &[usize]) -> Vec<Role> {
    let (Some(first), Some(last)) = (members.first(), members.last()) else { return Vec::new() };
    let mut roles = vec![Role::Nothing; last - first + 1];
    for (number, transfer) in bank.transfers.iter().enumerate() {
        roles[transfer.position - first] = Role::Transfer(number);
    }
    for (number, read) in bank.reads.iter().enumerate() {
        roles[read.position - first] = Role::Read(number);
    }
    roles
}

/// The balances that a read shows which ended before any transfer began.
fn first_read(operations: &[Operation], bank: &Bank) -> Option<Vec<(u32, i64)>> {
    let first_transfer = bank
        .transfers
        .iter()
        .filter(|it| operations[it.position].outcome != Outcome::Fail)
        .map(|it| operations[it.position].invoke_index)
        .next()
        .unwrap_or(u64::MAX);
    let read = bank.reads.iter().find(|read| {
        operations[read.position].complete_index.is_some_and(|completed| completed < first_transfer)
            && read.balances.iter().all(|(_, balance)| balance.is_some())
    })?;
    Some(read.balances.iter().filter_map(|&(account, balance)| Some((account, balance?))).collect())
}
