//! Why a total is wrong: which transfer a read saw one half of.
//!
//! Compared with an earlier read that was right, a read differs by whole transfers: all that surely
//! happened in between, and some of those that may have. If exactly one of them is seen by halves, its
//! amount is what is missing or too much.

use rustc_hash::FxHashMap;

use super::parse::{Bank, Read, Transfer};
use crate::checker::order::precedes;
use crate::history::{Operation, Outcome};
use crate::plural::counted;

/// Transfers that are tried as the one that is seen by halves.
const CANDIDATES_MAX: usize = 64;
/// Transfers of which the search may choose those that are seen whole.
const OPTIONAL_MAX: usize = 256;
/// Steps of the search, for all candidates together.
const STEPS_MAX: usize = 50_000;

/// Which half a read saw.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    /// The money left its account and arrived nowhere.
    Debit,
    /// It arrived and did not leave.
    Credit,
}

/// The operations that show the anomaly, the read first, and the story.
pub(super) fn half_seen(
    operations: &[Operation],
    bank: &Bank,
    read: &Read,
    anchor: Option<&Read>,
    total: i128,
) -> (Vec<usize>, Vec<String>) {
    let sum = read.sum();
    let excess = sum - total;
    let mut words =
        vec![format!("A shows {sum} in all. It must be {total}: transfers conserve it.")];
    let mut involved = vec![read.position];
    let (certain, optional) = between(operations, bank, read, anchor);
    let found = certain
        .iter()
        .map(|transfer| (transfer, true))
        .chain(optional.iter().map(|transfer| (transfer, false)))
        .filter(|(transfer, _)| {
            i128::from(transfer.amount).abs() == excess.abs() && transfer.from != transfer.to
        })
        .take(CANDIDATES_MAX);
    let mut steps = 0;
    let mut guess = None;
    for (transfer, surely) in found {
        let half = if (i128::from(transfer.amount) > 0) == (excess > 0) {
            Half::Credit
        } else {
            Half::Debit
        };
        guess.get_or_insert((*transfer, half));
        let explained = anchor.is_some_and(|anchor| {
            let residual = residual(read, anchor, &certain, transfer, half, surely);
            let rest: Vec<&Transfer> = optional.iter().filter(|it| *it != transfer).collect();
            explains(residual, &rest, &mut steps)
        });
        if explained {
            involved.push(transfer.position);
            words.push(story(bank, transfer, half));
            if let Some(anchor) = anchor {
                involved.push(anchor.position);
                words.push(
                    "Compared with C, an earlier read that was right, every other transfer is seen whole \
                     or not at all."
                        .to_owned(),
                );
            }
            if operations[transfer.position].outcome == Outcome::Info {
                words.push("B may have happened or not, but not one half of it.".to_owned());
            }
            return (involved, words);
        }
    }
    match guess {
        Some((transfer, half)) => {
            involved.push(transfer.position);
            words.push(format!(
                "One transfer that would explain it: {}",
                story(bank, &transfer, half)
            ));
        }
        None if excess < 0 => {
            let nearby = optional.len() as u64;
            words.push(format!(
                "{} is missing, and no single one of the {} beside it moved that much.",
                -excess,
                counted(nearby, "transfer")
            ));
        }
        None => {
            let nearby = optional.len() as u64;
            words.push(format!(
                "{excess} is too much, and no single one of the {} beside it moved that much.",
                counted(nearby, "transfer")
            ));
        }
    }
    (involved, words)
}

fn story(bank: &Bank, transfer: &Transfer, half: Half) -> String {
    let (from, to) = (bank.name(transfer.from), bank.name(transfer.to));
    match half {
        Half::Debit => format!(
            "B moved {} from {from} to {to}. A saw it leave {from}, but not arrive in {to}: half of B.",
            transfer.amount
        ),
        Half::Credit => format!(
            "B moved {} from {from} to {to}. A saw it arrive in {to}, but not leave {from}: half of B.",
            transfer.amount
        ),
    }
}

/// The transfers that surely happened between the anchor and the read, and those that may have.
fn between(
    operations: &[Operation],
    bank: &Bank,
    read: &Read,
    anchor: Option<&Read>,
) -> (Vec<Transfer>, Vec<Transfer>) {
    let reading = &operations[read.position];
    let end = reading.complete_index.unwrap_or(u64::MAX);
    let (mut certain, mut optional) = (Vec::new(), Vec::new());
    // Late ones first: those beside the read are the likely ones.
    for transfer in bank.transfers.iter().rev() {
        let operation = &operations[transfer.position];
        if operation.outcome == Outcome::Fail || operation.invoke_index > end {
            continue;
        }
        let Some(anchor) = anchor.map(|anchor| &operations[anchor.position]) else {
            optional.push(*transfer);
            continue;
        };
        if precedes(operation, anchor) {
            continue;
        }
        if precedes(anchor, operation) && precedes(operation, reading) {
            certain.push(*transfer);
        } else {
            optional.push(*transfer);
        }
    }
    optional.truncate(OPTIONAL_MAX);
    (certain, optional)
}

/// What the read shows beyond the anchor, all that surely happened, and the half that it saw.
fn residual(
    read: &Read,
    anchor: &Read,
    certain: &[Transfer],
    transfer: &Transfer,
    half: Half,
    surely: bool,
) -> FxHashMap<u32, i128> {
    let mut residual: FxHashMap<u32, i128> = FxHashMap::default();
    let mut add = |account: u32, amount: i128| *residual.entry(account).or_default() += amount;
    for &(account, balance) in &read.balances {
        add(account, i128::from(balance.unwrap_or(0)));
    }
    for &(account, balance) in &anchor.balances {
        add(account, -i128::from(balance.unwrap_or(0)));
    }
    for it in certain {
        add(it.from, i128::from(it.amount));
        add(it.to, -i128::from(it.amount));
    }
    let amount = i128::from(transfer.amount);
    if surely {
        // It is taken away as a whole above; give back the half that was not seen.
        match half {
            Half::Debit => add(transfer.to, amount),
            Half::Credit => add(transfer.from, -amount),
        };
    } else {
        match half {
            Half::Debit => add(transfer.from, amount),
            Half::Credit => add(transfer.to, -amount),
        };
    }
    residual.retain(|_, amount| *amount != 0);
    residual
}

/// Whether some of the transfers, each seen whole, leave no residual.
fn explains(residual: FxHashMap<u32, i128>, rest: &[&Transfer], steps: &mut usize) -> bool {
    let mut used = vec![false; rest.len()];
    search(residual, rest, &mut used, steps)
}

fn search(
    residual: FxHashMap<u32, i128>,
    rest: &[&Transfer],
    used: &mut [bool],
    steps: &mut usize,
) -> bool {
    // Any account will do: some unused transfer must touch it.
    let Some(&account) = residual.keys().min() else { return true };
    for next in 0..rest.len() {
        if used[next] || (rest[next].from != account && rest[next].to != account) {
            continue;
        }
        *steps += 1;
        if *steps > STEPS_MAX {
            return false;
        }
        let mut left = residual.clone();
        *left.entry(rest[next].from).or_default() += i128::from(rest[next].amount);
        *left.entry(rest[next].to).or_default() -= i128::from(rest[next].amount);
        left.retain(|_, amount| *amount != 0);
        used[next] = true;
        if search(left, rest, used, steps) {
            return true;
        }
        used[next] = false;
    }
    false
}
