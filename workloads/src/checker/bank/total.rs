//! The check as a whole: totals, accounts, and balances where they were asked for.

use rustc_hash::FxHashMap;

use super::half_seen::half_seen;
use super::parse::{Bank, Read, banks};
use crate::checker::findings::{Findings, Spending, measured};
use crate::checker::{Budget, Check, CheckOptions, Verdict};
use crate::history::{Operation, Value};
use crate::model::UnsuitableOperation;
use crate::plural::counted;

/// What is asked of a bank besides its total.
#[derive(Clone, Copy)]
struct Demands {
    name: &'static str,
    /// No account may hold less than nothing.
    solvent: bool,
    /// Each balance must be explained by the transfers.
    balances: bool,
}

/// Checks that every read shows the total, all balances, and none below zero.
pub(in crate::checker) fn check_total(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    check(
        operations,
        options,
        budget,
        Demands { name: "bank-total", solvent: true, balances: false },
    )
}

/// As [`check_total`], but accounts may be overdrawn.
pub(in crate::checker) fn check_total_signed(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let demands = Demands { name: "bank-total-signed", solvent: false, balances: false };
    check(operations, options, budget, demands)
}

/// As [`check_total_signed`], and every balance lies between what the transfers allow.
pub(in crate::checker) fn check_balances(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let demands = Demands { name: "bank-balances", solvent: false, balances: true };
    check(operations, options, budget, demands)
}

fn check(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
    demands: Demands,
) -> Result<Check, UnsuitableOperation> {
    let banks = banks(operations, options.initial.as_ref())?;
    let mut findings = Findings::new(operations);
    let mut spending = Spending::new(budget);
    let held: usize = banks.iter().map(|(_, bank, _)| bank.bytes()).sum();
    let (mut spent, mut reads, mut wrong) = (None, 0_u64, Extremes::default());
    let mut unknown_start = None;
    for (key, bank, members) in &banks {
        let total = options.total.map(i128::from).or_else(|| total(bank));
        let judged = totals(operations, *key, bank, total, demands, &mut findings, &mut wrong)
            .and_then(|()| match demands.balances {
                true => super::balances::check(
                    operations,
                    *key,
                    bank,
                    members,
                    held,
                    &mut findings,
                    &mut spending,
                ),
                false => Ok(true),
            })
            .and_then(|known| spending.step(bank.reads.len(), held).map(|()| known));
        reads += bank.reads.len() as u64;
        match judged {
            Ok(true) => {}
            Ok(false) => {
                unknown_start.get_or_insert_with(|| {
                    "no read shows the balances before the first transfer\nhint: --initial with a map of \
                     accounts to balances"
                        .to_owned()
                });
            }
            Err(reason) => {
                spent = Some(reason);
                break;
            }
        }
    }
    let mut measurements = vec![measured("reads", reads)];
    for kind in KINDS {
        measurements.push(measured(kind, findings.count(kind)));
    }
    if let (Some(lowest), Some(highest)) = (wrong.lowest, wrong.highest) {
        measurements.push(measured("lowest wrong total", wide(lowest)));
        measurements.push(measured("highest wrong total", wide(highest)));
    }
    let skewed = findings.count("wrong-total") > 0;
    let valid = || format!("{} with the right total", counted(reads, "read"));
    let mut check = findings.check(demands.name, spent.or(unknown_start), valid, measurements);
    if check.verdict == Verdict::Invalid && skewed {
        check.broken.push("snapshot-isolation".to_owned());
    }
    Ok(check)
}

const KINDS: [&str; 5] =
    ["wrong-total", "nil-balance", "negative-value", "unexpected-key", "impossible-balance"];

#[derive(Default)]
struct Extremes {
    lowest: Option<i128>,
    highest: Option<i128>,
}

/// The total that was told by the balances at the start, or the one that most reads show.
fn total(bank: &Bank) -> Option<i128> {
    if let Some(start) = &bank.start {
        return Some(start.iter().map(|&(_, balance)| i128::from(balance)).sum());
    }
    let mut counts: FxHashMap<i128, (usize, usize)> = FxHashMap::default();
    for (number, read) in bank.reads.iter().enumerate() {
        counts.entry(read.sum()).or_insert((0, number)).0 += 1;
    }
    // The earliest of those that are most often shown.
    let best = counts.into_iter().max_by_key(|&(_, (count, first))| (count, usize::MAX - first));
    best.map(|(sum, _)| sum)
}

/// Each read is judged by the first of Jepsen's four questions that it fails.
fn totals(
    operations: &[Operation],
    key: Option<&Value>,
    bank: &Bank,
    total: Option<i128>,
    demands: Demands,
    findings: &mut Findings<'_>,
    wrong: &mut Extremes,
) -> Result<(), String> {
    let mut last_right: Option<&Read> = None;
    // Reads are in the order of their invocation; a right one is known once it completed.
    let mut right: Vec<&Read> = Vec::new();
    for read in &bank.reads {
        let position = read.position;
        right.retain(|&earlier| {
            if operations[earlier.position].complete_index < Some(operations[position].invoke_index)
            {
                last_right = Some(earlier);
                return false;
            }
            true
        });
        let sum = read.sum();
        if let Some(start) = &bank.start
            && let Some(&(account, _)) =
                read.balances.iter().find(|(account, _)| *account as usize >= start.len())
        {
            findings.add("unexpected-key", key, &[position], || {
                vec![format!("A shows {}, which is none of the accounts.", bank.name(account))]
            });
        } else if let Some(&(account, _)) = read.balances.iter().find(|(_, it)| it.is_none()) {
            findings.add("nil-balance", key, &[position], || {
                vec![format!("A shows no balance for {}.", bank.name(account))]
            });
        } else if let Some(total) = total.filter(|&total| total != sum) {
            wrong.lowest = Some(wrong.lowest.map_or(sum, |it| it.min(sum)));
            wrong.highest = Some(wrong.highest.map_or(sum, |it| it.max(sum)));
            let seen = || half_seen(operations, bank, read, last_right, total);
            // The search for the transfer is made only for what is shown.
            if findings.count("wrong-total") < crate::checker::findings::SHOWN_MAX as u64 {
                let (involved, words) = seen();
                findings.add("wrong-total", key, &involved, || words);
            } else {
                findings.add("wrong-total", key, &[], Vec::new);
            }
        } else if let Some(&(account, balance)) =
            read.balances.iter().find(|(_, it)| demands.solvent && it.is_some_and(|it| it < 0))
        {
            findings.add("negative-value", key, &[position], || {
                vec![format!(
                    "A shows {} in {}: more was taken out than was in it.",
                    balance.unwrap_or(0),
                    bank.name(account)
                )]
            });
        } else {
            right.push(read);
        }
    }
    Ok(())
}

/// As a value; a sum that does not fit is cut.
fn wide(sum: i128) -> Value {
    Value::Int(i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX }))
}
