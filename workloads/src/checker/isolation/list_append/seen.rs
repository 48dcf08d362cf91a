//! What somebody saw and must not have: elements taken back, unfinished, or from nowhere; and
//! updates that were lost.

use super::versions::Versions;
use crate::checker::isolation::findings::Findings;
use crate::checker::isolation::kind::Kind;
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::transactions::{Micro, NONE, Transactions, earlier};
use crate::checker::isolation::words;
use crate::history::{Outcome, Value};

/// Checks what each read of a committed transaction saw.
pub(in crate::checker::isolation) fn check_seen(
    transactions: &Transactions<'_>,
    versions: &Versions<'_>,
    findings: &mut Findings,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    // Of each key, how long the list is up to the first element that nobody, or a failed one, wrote.
    let clean: Vec<usize> = versions
        .order
        .iter()
        .map(|order| order.iter().position(|&it| it == NONE).unwrap_or(usize::MAX))
        .collect();
    let mut updates: Vec<(u32, u32, u32)> = Vec::new();
    for transaction in transactions.all() {
        if transactions.outcome(transaction) != Outcome::Ok {
            continue;
        }
        let steps = transactions.steps(transaction);
        for (at, step) in steps.iter().enumerate() {
            meter.step(|| updates.len() * 12)?;
            if step.write {
                if let Some(base) = base(transactions, versions, steps, at) {
                    updates.push((step.key, base, transaction));
                }
                continue;
            }
            let list = transactions.lists[step.value as usize];
            let longest = versions.longest[step.key as usize].0.elements();
            // Most reads hold nothing but elements that are known to be fine.
            if list.len() > clean[step.key as usize] || list.len() > longest.len() {
                strange_elements(transactions, versions, transaction, *step, findings);
            }
            intermediate(transactions, versions, transaction, *step, findings);
        }
    }
    dirty_updates(transactions, versions, findings);
    lost_updates(transactions, versions, updates, findings);
    Ok(())
}

/// What an append builds upon: the length of the list that its transaction read before, if it did,
/// and if this is its first append to that key.
fn base(
    transactions: &Transactions<'_>,
    versions: &Versions<'_>,
    steps: &[Micro],
    at: usize,
) -> Option<u32> {
    let mut read = None;
    for step in earlier(steps, at) {
        if step.write {
            return None;
        }
        read = Some(step);
    }
    let read = read?;
    versions.position(transactions, read.key, transactions.lists[read.value as usize])
}

/// Elements of failed transactions, and elements that nobody appended.
fn strange_elements(
    transactions: &Transactions<'_>,
    versions: &Versions<'_>,
    reader: u32,
    read: Micro,
    findings: &mut Findings,
) {
    let list = transactions.lists[read.value as usize];
    for element in list {
        let value = transactions.values.find(element);
        let known = value.is_some_and(|value| {
            let writes = &versions.writes;
            writes.find(read.key, value).is_some() || writes.is_ambiguous(read.key, value)
        });
        if known {
            continue;
        }
        let key = words::plain(&transactions.keys[read.key as usize]);
        let text = words::plain(element);
        if let Some(writer) = value.and_then(|value| versions.writes.failed(read.key, value)) {
            findings.add(Kind::G1a, || {
                let lines = vec![
                    format!(
                        "T1 appended {text} to {key} and failed, so it must have had no effect."
                    ),
                    format!("T2 read {key} = {}, with {text}.", words::list(list)),
                    "So T2 saw something that was taken back.".to_owned(),
                ];
                let of = [writer, reader];
                words::anomaly(transactions, Kind::G1a, &[read.key], &of, vec![], lines)
            });
        } else {
            findings.add(Kind::ThinAirRead, || {
                let lines = vec![
                    format!("T1 read {key} = {}, with {text}.", words::list(list)),
                    format!("No transaction ever tried to append {text} to {key}."),
                ];
                let of = [reader];
                words::anomaly(transactions, Kind::ThinAirRead, &[read.key], &of, vec![], lines)
            });
        }
        return;
    }
}

/// A list that ends with an append after which its transaction appended more.
fn intermediate(
    transactions: &Transactions<'_>,
    versions: &Versions<'_>,
    reader: u32,
    read: Micro,
    findings: &mut Findings,
) {
    let list = transactions.lists[read.value as usize];
    let Some(append) = ends_with(transactions, versions, read.key, list) else { return };
    let append = versions.writes.list[append as usize];
    if append.last || append.writer == reader {
        return;
    }
    findings.add(Kind::G1b, || {
        let key = words::plain(&transactions.keys[read.key as usize]);
        let element = words::plain(&transactions.values.values[append.value as usize]);
        let lines = vec![
            format!("T1 appended {element} to {key}, and then more to {key}."),
            format!("T2 read {key} = {}, which ends with {element}.", words::list(list)),
            "So T2 saw T1 half done: its first appends, but not its last one.".to_owned(),
        ];
        let of = [append.writer, reader];
        words::anomaly(transactions, Kind::G1b, &[read.key], &of, vec![], lines)
    });
}

/// The append of the last element of a list, if it is known.
pub(super) fn ends_with(
    transactions: &Transactions<'_>,
    versions: &Versions<'_>,
    key: u32,
    list: &[Value],
) -> Option<u32> {
    let order = &versions.order[key as usize];
    let longest = versions.longest[key as usize].0.elements();
    let last = list.last()?;
    // The reader of a beginning of the order needs no look into the table.
    if longest.get(list.len() - 1) == Some(last) {
        return Some(order[list.len() - 1]).filter(|&append| append != NONE);
    }
    versions.writes.find(key, transactions.values.find(last)?)
}

/// Committed appends right behind one that was taken back; unknown outcomes in between do not count.
fn dirty_updates(
    transactions: &Transactions<'_>,
    versions: &Versions<'_>,
    findings: &mut Findings,
) {
    if !versions.writes.any_failed() {
        return;
    }
    for (key, order) in (0..).zip(&versions.order) {
        let elements = versions.longest[key as usize].0.elements();
        let mut dirty: Option<(u32, &Value)> = None;
        for (&append, element) in order.iter().zip(elements) {
            if append == NONE {
                let value = transactions.values.find(element);
                let failed = value.and_then(|value| versions.writes.failed(key, value));
                dirty = failed.map(|writer| (writer, element)).or(dirty);
                continue;
            }
            let writer = versions.writes.list[append as usize].writer;
            if transactions.outcome(writer) != Outcome::Ok {
                continue;
            }
            let Some((failed, gone)) = dirty.take() else { continue };
            findings.add(Kind::DirtyUpdate, || {
                let name = words::plain(&transactions.keys[key as usize]);
                let (gone, element) = (words::plain(gone), words::plain(element));
                let lines = vec![
                    format!("T1 appended {gone} to {name} and failed, so it must have had no effect."),
                    format!("T2 appended {element} to {name} and committed."),
                    format!("The list has {gone} before {element}, so T2 built upon what was taken back."),
                ];
                let of = [failed, writer];
                words::anomaly(transactions, Kind::DirtyUpdate, &[key], &of, vec![], lines)
            });
        }
    }
}

/// Two committed transactions that read the same list and then appended to it.
fn lost_updates(
    transactions: &Transactions<'_>,
    versions: &Versions<'_>,
    mut updates: Vec<(u32, u32, u32)>,
    findings: &mut Findings,
) {
    updates.sort_unstable();
    for group in updates.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
        let [(key, length, first), (_, _, second), ..] = *group else { continue };
        findings.add(Kind::LostUpdate, || {
            let name = words::plain(&transactions.keys[key as usize]);
            let base = &versions.longest[key as usize].0.elements()[..length as usize];
            let lines = vec![
                format!("T1 and T2 both read {name} = {}.", words::list(base)),
                format!("Both then appended to {name} and committed."),
                format!(
                    "Whichever appended second did so to a list that it had not read, as if the other \
                     had not been there ({} transactions did this to the same list).",
                    group.len()
                ),
            ];
            let of = [first, second];
            words::anomaly(transactions, Kind::LostUpdate, &[key], &of, vec![], lines)
        });
    }
}
