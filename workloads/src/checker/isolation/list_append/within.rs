//! What can be wrong within one transaction: it contradicts itself, or reads what it only appends
//! later.

use super::versions::Versions;
use crate::checker::isolation::findings::Findings;
use crate::checker::isolation::kind::Kind;
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::transactions::{Micro, Transactions, earlier};
use crate::checker::isolation::words;
use crate::history::{Outcome, Value};

/// Checks each committed transaction by itself.
pub(in crate::checker::isolation) fn check_within(
    transactions: &Transactions<'_>,
    versions: &Versions<'_>,
    findings: &mut Findings,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    let mut longest: Vec<&[Value]> = Vec::new();
    for transaction in transactions.all() {
        if transactions.outcome(transaction) != Outcome::Ok {
            continue;
        }
        let steps = transactions.steps(transaction);
        // Of each step, the longest list that was read of its key up to it.
        longest.clear();
        for (at, step) in steps.iter().enumerate() {
            meter.step(|| 0)?;
            let before = longest.get(step.before as usize).copied().unwrap_or(&[][..]);
            if step.write {
                future_read(transactions, versions, transaction, *step, before, findings);
                longest.push(before);
            } else {
                internal(transactions, transaction, *step, earlier(steps, at), findings);
                let list = transactions.lists[step.value as usize];
                longest.push(if list.len() > before.len() { list } else { before });
            }
        }
    }
    Ok(())
}

/// A read after own appends ends with them; after another read, it begins with that as well.
fn internal<'s>(
    transactions: &Transactions<'_>,
    transaction: u32,
    read: Micro,
    before: impl Iterator<Item = &'s Micro>,
    findings: &mut Findings,
) {
    let list = transactions.lists[read.value as usize];
    let mut rest = list;
    let mut appended: Vec<&Value> = Vec::new();
    let mut agrees = true;
    let mut known: Option<&[Value]> = None;
    for step in before {
        if !step.write {
            let earlier = transactions.lists[step.value as usize];
            agrees &= rest == earlier;
            known = Some(earlier);
            break;
        }
        let element = &transactions.values.values[step.value as usize];
        appended.push(element);
        match rest.split_last() {
            Some((last, others)) if last == element => rest = others,
            _ => agrees = false,
        }
    }
    if agrees {
        return;
    }
    appended.reverse();
    findings.add(Kind::Internal, || {
        let key = words::plain(&transactions.keys[read.key as usize]);
        let own: Vec<String> = appended.iter().map(|element| words::plain(element)).collect();
        let mut lines = Vec::new();
        if let Some(known) = known {
            lines.push(format!("T1 first read {key} = {}.", words::list(known)));
        }
        if !own.is_empty() {
            lines.push(format!("T1 itself appended {} to {key}.", own.join(", ")));
        }
        lines.push(format!("After that T1 read {key} = {}.", words::list(list)));
        lines.push(match known {
            Some(known) => {
                let mut expected = known.to_vec();
                expected.extend(appended.iter().map(|&element| element.clone()));
                format!("It should have read {}.", words::list(&expected))
            }
            None => format!("It should have read a list that ends with {}.", own.join(", ")),
        });
        words::anomaly(transactions, Kind::Internal, &[read.key], &[transaction], vec![], lines)
    });
}

/// An element is in a list that its transaction read before it appended the element. `read` is the
/// longest such list.
fn future_read(
    transactions: &Transactions<'_>,
    versions: &Versions<'_>,
    transaction: u32,
    append: Micro,
    read: &[Value],
    findings: &mut Findings,
) {
    let Some(number) = versions.writes.find(append.key, append.value) else { return };
    let length = versions.length[number as usize] as usize;
    let element = &transactions.values.values[append.value as usize];
    if length == 0 || read.len() < length || !read.contains(element) {
        return;
    }
    findings.add(Kind::FutureRead, || {
        let key = words::plain(&transactions.keys[append.key as usize]);
        let lines = vec![
            format!("T1 read {key} = {}.", words::list(read)),
            format!("Only after that T1 itself appended {} to {key}.", words::plain(element)),
            "Nobody else did, so it read its own future.".to_owned(),
        ];
        let kind = Kind::FutureRead;
        words::anomaly(transactions, kind, &[append.key], &[transaction], vec![], lines)
    });
}
