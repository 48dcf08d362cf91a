//! From the order of appends to edges.

use super::seen::ends_with;
use super::versions::Versions;
use crate::checker::isolation::graph::{Edges, RW, WR, WW};
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::transactions::{NONE, Transactions};
use crate::history::Outcome;

/// The edges between transactions, and which transactions took effect. The version of an edge is the
/// append that was read or written.
pub(in crate::checker::isolation) fn dependencies(
    transactions: &Transactions<'_>,
    versions: &Versions<'_>,
    meter: &mut Meter<'_>,
) -> Result<(Edges, Vec<bool>), Stop> {
    let mut present: Vec<bool> =
        transactions.all().map(|it| transactions.outcome(it) == Outcome::Ok).collect();
    for (append, &length) in versions.writes.list.iter().zip(&versions.length) {
        present[append.writer as usize] |= length > 0;
    }
    let mut edges = Edges::new(transactions.len());
    // Of each key, the appends that no read returned.
    let mut unread: Vec<Vec<(u32, u32)>> = vec![Vec::new(); transactions.keys.len()];
    for ((append, &length), number) in versions.writes.list.iter().zip(&versions.length).zip(0..) {
        let sure = versions.writes.find(append.key, append.value).is_some();
        if length == 0 && sure && present[append.writer as usize] {
            unread[append.key as usize].push((append.writer, number));
        }
    }
    // Of each list of each key, the next append behind it.
    let mut next: Vec<Vec<u32>> = Vec::with_capacity(versions.order.len());
    for (order, unread) in versions.order.iter().zip(&mut unread) {
        meter.step(|| edges.list.len() * 16)?;
        let mut before = NONE;
        for &append in order.iter().filter(|&&append| append != NONE) {
            let writer = versions.writes.list[append as usize].writer;
            if before != NONE {
                edges.add(before, writer, WW, append);
            }
            before = writer;
        }
        // Of several appends of one transaction, the first is the one that others miss first.
        unread.dedup_by_key(|(writer, _)| *writer);
        for &(writer, append) in unread.iter().filter(|_| before != NONE) {
            edges.add(before, writer, WW, append);
        }
        let mut following = vec![NONE; order.len() + 1];
        for length in (0..order.len()).rev() {
            let append = order[length];
            following[length] = if append == NONE { following[length + 1] } else { append };
        }
        next.push(following);
    }
    let mut late_readers: Vec<(u32, u32)> = Vec::new();
    for reader in transactions.all() {
        for step in transactions.steps(reader).iter().filter(|step| !step.write) {
            meter.step(|| edges.list.len() * 16 + late_readers.len() * 8)?;
            let list = transactions.lists[step.value as usize];
            if let Some(append) = ends_with(transactions, versions, step.key, list) {
                let writer = versions.writes.list[append as usize].writer;
                if writer == reader {
                    continue;
                }
                edges.add(writer, reader, WR, append);
            }
            let Some(length) = versions.position(transactions, step.key, list) else { continue };
            match next[step.key as usize][length as usize] {
                NONE if unread[step.key as usize].is_empty() => {}
                NONE => late_readers.push((step.key, reader)),
                append => {
                    let writer = versions.writes.list[append as usize].writer;
                    edges.add(reader, writer, RW, append);
                }
            }
        }
    }
    late_readers.sort_unstable();
    late_readers.dedup();
    for group in late_readers.chunk_by(|one, other| one.0 == other.0) {
        let readers: Vec<u32> = group.iter().map(|&(_, reader)| reader).collect();
        edges.miss(&readers, &unread[group[0].0 as usize]);
        meter.step(|| edges.list.len() * 16)?;
    }
    Ok((edges, present))
}
