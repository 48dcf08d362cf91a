//! Who must have committed before whom, by what one transaction read: read committed, read atomic.

use super::decide::{Inference, Inferences};
use super::reads::Reads;
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::transactions::{NONE, Transactions};

/// Read committed: once a transaction has read from another one, it misses none of its writes.
pub(super) fn read_committed(
    transactions: &Transactions<'_>,
    reads: &Reads,
    inferences: &mut Inferences,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    // The reads of a transaction by key, and its writers with their first reads.
    let mut by_key: Vec<(u32, u32, u32)> = Vec::new();
    let mut writers: Vec<(u32, u32)> = Vec::new();
    for reader in transactions.all() {
        let all = reads.of(reader);
        if all.len() < 2 {
            own_writes(reads, reader, inferences);
            continue;
        }
        by_key.clear();
        writers.clear();
        for (read, at) in all.iter().zip(0..) {
            by_key.push((read.key, at, read.writer));
            writers.push((read.writer, at));
        }
        by_key.sort_unstable();
        writers.sort_unstable();
        writers.dedup_by_key(|(writer, _)| *writer);
        for &(writer, at) in writers.iter().filter(|(writer, _)| *writer != super::reads::INITIAL) {
            common_keys(&by_key, reads.written(writer), |key, of_key| {
                // The first read behind that did not return this writer's version; the next ones
                // follow from that one.
                let from = of_key.partition_point(|&(_, position, _)| position <= at);
                let other = of_key[from..].iter().find(|&&(_, _, other)| other != writer);
                if let Some(&(_, _, other)) = other {
                    inferences.add(Inference { reader, key, known: writer, other });
                }
            });
            meter.step(|| inferences.bytes())?;
        }
        own_writes(reads, reader, inferences);
    }
    Ok(())
}

/// Who wrote a key and then read it from another one missed its own write.
pub(super) fn own_writes(reads: &Reads, reader: u32, inferences: &mut Inferences) {
    for read in reads.of(reader).iter().filter(|read| read.own) {
        let (key, other) = (read.key, read.writer);
        inferences.add(Inference { reader, key, known: reader, other });
    }
}

/// Read atomic: a transaction misses no write of those that it read from, nor of its process before.
pub(super) fn read_atomic(
    transactions: &Transactions<'_>,
    reads: &Reads,
    inferences: &mut Inferences,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    let mut by_key: Vec<(u32, u32, u32)> = Vec::new();
    let mut writers: Vec<u32> = Vec::new();
    // Of each session, who wrote a key last.
    let mut last: rustc_hash::FxHashMap<(u32, u32), u32> = rustc_hash::FxHashMap::default();
    for reader in transactions.all() {
        let (session, _) = reads.place[reader as usize];
        if session == NONE {
            continue;
        }
        by_key.clear();
        writers.clear();
        for read in reads.of(reader).iter().filter(|read| read.external) {
            by_key.push((read.key, 0, read.writer));
            if read.writer != super::reads::INITIAL {
                writers.push(read.writer);
            }
            if let Some(&known) = last.get(&(session, read.key))
                && known != read.writer
            {
                let (key, other) = (read.key, read.writer);
                inferences.add(Inference { reader, key, known, other });
            }
        }
        by_key.sort_unstable();
        writers.sort_unstable();
        writers.dedup();
        for &writer in writers.iter().filter(|_| by_key.len() > 1) {
            common_keys(&by_key, reads.written(writer), |key, of_key| {
                if let Some(&(_, _, other)) = of_key.iter().find(|&&(_, _, it)| it != writer) {
                    inferences.add(Inference { reader, key, known: writer, other });
                }
            });
            meter.step(|| inferences.bytes() + last.len() * 16)?;
        }
        for &key in reads.written(reader) {
            last.insert((session, key), reader);
        }
        own_writes(reads, reader, inferences);
    }
    Ok(())
}

/// Calls `visit` for each key in both lists, with its reads. Looks up the shorter in the longer.
fn common_keys(
    by_key: &[(u32, u32, u32)],
    written: &[u32],
    mut visit: impl FnMut(u32, &[(u32, u32, u32)]),
) {
    if written.len() < by_key.len() {
        for &key in written {
            let from = by_key.partition_point(|&(other, ..)| other < key);
            let here = by_key[from..].iter().take_while(|&&(other, ..)| other == key).count();
            if here > 0 {
                visit(key, &by_key[from..from + here]);
            }
        }
        return;
    }
    for of_key in by_key.chunk_by(|one, other| one.0 == other.0) {
        if written.binary_search(&of_key[0].0).is_ok() {
            visit(of_key[0].0, of_key);
        }
    }
}
