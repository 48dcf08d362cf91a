//! What somebody saw and must not have: values taken back or unfinished; contradictions within a
//! transaction; and updates that were lost.

use rustc_hash::FxHashMap;

use super::sources::{Source, Sources, value};
use crate::checker::isolation::findings::Findings;
use crate::checker::isolation::kind::Kind;
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::transactions::{Micro, Transactions, earlier};
use crate::checker::isolation::words;
use crate::history::Outcome;

/// Checks what each committed transaction saw. Returns a read of a value that nobody wrote, as
/// (transaction, key, value), if there is one.
pub(in crate::checker::isolation) fn check_seen(
    transactions: &Transactions<'_>,
    sources: &Sources,
    findings: &mut Findings,
    meter: &mut Meter<'_>,
) -> Result<Option<(u32, u32, u32)>, Stop> {
    let mut updates: Vec<(u32, u32, u32)> = Vec::new();
    let mut from_nowhere = None;
    let mut initial: FxHashMap<u32, u32> = FxHashMap::default();
    for transaction in transactions.all() {
        if transactions.outcome(transaction) != Outcome::Ok {
            continue;
        }
        let steps = transactions.steps(transaction);
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| !step.write) {
            meter.step(|| updates.len() * 12)?;
            let before = steps.get(step.before as usize);
            if let Some(before) = before.filter(|before| before.value != step.value) {
                internal(transactions, transaction, *before, *step, findings);
            }
            match sources.of(step.key, step.value) {
                Source::Write(write) => {
                    let write = sources.writes.list[write as usize];
                    if write.writer == transaction {
                        if write.at as usize > at {
                            future(transactions, transaction, *step, findings);
                        }
                    } else if !write.last {
                        seen_from(
                            transactions,
                            Kind::G1b,
                            write.writer,
                            transaction,
                            *step,
                            findings,
                        );
                    }
                }
                Source::Failed(writer) => {
                    seen_from(transactions, Kind::G1a, writer, transaction, *step, findings);
                }
                Source::Nobody => {
                    from_nowhere.get_or_insert((transaction, step.key, step.value));
                }
                Source::Initial => {
                    // A key held one value at first, whichever it was.
                    if *initial.entry(step.key).or_insert(step.value) != step.value {
                        from_nowhere.get_or_insert((transaction, step.key, step.value));
                    }
                }
                Source::Ambiguous => {}
            }
        }
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.last) {
            let first = earlier(steps, at).last().filter(|first| !first.write);
            updates.extend(first.map(|read| (step.key, read.value, transaction)));
        }
    }
    updates.sort_unstable();
    for group in updates.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
        if let [(key, seen, first), (_, _, second), ..] = *group
            && sources.of(key, seen) != Source::Ambiguous
        {
            lost(transactions, key, seen, [first, second], group.len(), findings);
        }
    }
    Ok(from_nowhere)
}

fn internal(
    transactions: &Transactions<'_>,
    transaction: u32,
    before: Micro,
    read: Micro,
    findings: &mut Findings,
) {
    findings.add(Kind::Internal, || {
        let key = words::plain(&transactions.keys[read.key as usize]);
        let verb = if before.write { "wrote" } else { "read" };
        let lines = vec![
            format!("T1 {verb} {key} = {}.", words::plain(value(transactions, before.value))),
            format!(
                "Right after that it read {key} = {}.",
                words::plain(value(transactions, read.value))
            ),
            "It should have seen the same again.".to_owned(),
        ];
        let of = [transaction];
        words::anomaly(transactions, Kind::Internal, &[read.key], &of, vec![], lines)
    });
}

fn future(transactions: &Transactions<'_>, transaction: u32, read: Micro, findings: &mut Findings) {
    findings.add(Kind::FutureRead, || {
        let key = words::plain(&transactions.keys[read.key as usize]);
        let text = words::plain(value(transactions, read.value));
        let lines = vec![
            format!("T1 read {key} = {text}."),
            format!("Only after that T1 itself wrote {text} to {key}, and nobody else did."),
        ];
        let of = [transaction];
        words::anomaly(transactions, Kind::FutureRead, &[read.key], &of, vec![], lines)
    });
}

/// G1a or G1b: `reader` saw a write of `writer` that it must not.
fn seen_from(
    transactions: &Transactions<'_>,
    kind: Kind,
    writer: u32,
    reader: u32,
    read: Micro,
    findings: &mut Findings,
) {
    findings.add(kind, || {
        let key = words::plain(&transactions.keys[read.key as usize]);
        let text = words::plain(value(transactions, read.value));
        let lines = match kind {
            Kind::G1a => vec![
                format!("T1 wrote {text} to {key} and failed, so it must have had no effect."),
                format!("T2 read {key} = {text}."),
                "So T2 saw something that was taken back.".to_owned(),
            ],
            _ => vec![
                format!("T1 wrote {text} to {key}, and then something else to {key}."),
                format!("T2 read {key} = {text}."),
                "So T2 saw T1 half done: a first write, but not the last one.".to_owned(),
            ],
        };
        words::anomaly(transactions, kind, &[read.key], &[writer, reader], vec![], lines)
    });
}

fn lost(
    transactions: &Transactions<'_>,
    key: u32,
    seen: u32,
    of: [u32; 2],
    count: usize,
    findings: &mut Findings,
) {
    findings.add(Kind::LostUpdate, || {
        let name = words::plain(&transactions.keys[key as usize]);
        let text = words::plain(value(transactions, seen));
        let lines = vec![
            format!("T1 and T2 both read {name} = {text}."),
            format!("Both then wrote {name} and committed."),
            format!(
                "Whichever wrote second replaced a value that it had not read, as if the other had not \
                 been there ({count} transactions did this to the same value)."
            ),
        ];
        words::anomaly(transactions, Kind::LostUpdate, &[key], &of, vec![], lines)
    });
}
