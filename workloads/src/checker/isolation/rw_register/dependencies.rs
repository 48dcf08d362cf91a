//! From reads to edges.

use super::sources::{Source, Sources};
use crate::checker::isolation::graph::{Edges, RW, WR, WW};
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::transactions::{NONE, Transactions, earlier, external_reads};
use crate::history::Outcome;

/// The edges that are sure, and which transactions took effect. The version of an edge is the write
/// that was read or that overwrites what was read.
pub(in crate::checker::isolation) fn dependencies(
    transactions: &Transactions<'_>,
    sources: &Sources,
    meter: &mut Meter<'_>,
) -> Result<(Edges, Vec<bool>), Stop> {
    let mut present: Vec<bool> =
        transactions.all().map(|it| transactions.outcome(it) == Outcome::Ok).collect();
    let mut edges = Edges::new(transactions.len());
    // Who read the initial value of which key.
    let mut initial: Vec<(u32, u32)> = Vec::new();
    for reader in transactions.all() {
        for read in external_reads(transactions.steps(reader)) {
            meter.step(|| edges.list.len() * 16 + initial.len() * 8)?;
            match sources.of(read.key, read.value) {
                Source::Write(write) => {
                    let writer = sources.writes.list[write as usize].writer;
                    present[writer as usize] = true;
                    edges.add(writer, reader, WR, write);
                }
                Source::Initial if sources.initial_is_clear(read.key) => {
                    initial.push((read.key, reader));
                }
                _ => {}
            }
        }
    }
    let writers = writers(transactions, sources, &present);
    initial.sort_unstable();
    for group in initial.chunk_by(|one, other| one.0 == other.0) {
        let readers: Vec<u32> = group.iter().map(|&(_, reader)| reader).collect();
        edges.miss(&readers, &writers[group[0].0 as usize]);
        meter.step(|| edges.list.len() * 16)?;
    }
    Ok((edges, present))
}

/// Of each key, the transactions that wrote it and took effect, in their order, with the last write of
/// each.
fn writers(
    transactions: &Transactions<'_>,
    sources: &Sources,
    present: &[bool],
) -> Vec<Vec<(u32, u32)>> {
    let mut writers: Vec<Vec<(u32, u32)>> = vec![Vec::new(); transactions.keys.len()];
    for (write, number) in sources.writes.list.iter().zip(0..) {
        if write.last && present[write.writer as usize] {
            writers[write.key as usize].push((write.writer, number));
        }
    }
    writers
}

/// The most edges that are added one by one where a hub would lead a transaction to itself.
const SINGLE_EDGES_MAX: usize = 16;

/// More edges, if writes follow reads, and if keys are linearizable.
pub(in crate::checker::isolation) fn assumed(
    transactions: &Transactions<'_>,
    sources: &Sources,
    present: &[bool],
    linearizable_keys: bool,
    edges: &mut Edges,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    let writers = writers(transactions, sources, present);
    // Who read each write, sorted by write.
    let mut readers: Vec<(u32, u32)> = Vec::new();
    // Which write was made right upon which, sorted likewise.
    let mut upon: Vec<(u32, u32)> = Vec::new();
    for reader in transactions.all() {
        let steps = transactions.steps(reader);
        for read in external_reads(steps) {
            let Source::Write(write) = sources.of(read.key, read.value) else { continue };
            readers.push((write, reader));
        }
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.last) {
            let Some(own) = sources.writes.find(step.key, step.value) else { continue };
            let first = earlier(steps, at).last().filter(|first| !first.write);
            if let Some(Source::Write(write)) = first.map(|it| sources.of(it.key, it.value)) {
                upon.push((write, own));
            }
        }
        meter.step(|| (edges.list.len() * 2 + readers.len() + upon.len()) * 8)?;
    }
    readers.sort_unstable();
    upon.sort_unstable();
    for group in upon.chunk_by(|one, other| one.0 == other.0) {
        let base = group[0].0;
        let next: Vec<(u32, u32)> =
            group.iter().map(|&(_, own)| (sources.writes.list[own as usize].writer, own)).collect();
        for &(writer, own) in &next {
            edges.add(sources.writes.list[base as usize].writer, writer, WW, own);
        }
        let from = readers.partition_point(|&(write, _)| write < base);
        let here = readers[from..].iter().take_while(|&&(write, _)| write == base);
        let here: Vec<u32> = here.map(|&(_, reader)| reader).collect();
        edges.miss(&here, &next);
        meter.step(|| edges.list.len() * 16)?;
    }
    if !linearizable_keys {
        return Ok(());
    }
    // The hubs of each key: a hub leads to a writer and to the hub of the next one.
    let hubs: Vec<u32> = writers.iter().map(|writers| edges.chain(writers)).collect();
    for group in readers.chunk_by(|one, other| one.0 == other.0) {
        let write = sources.writes.list[group[0].0 as usize];
        let operation = &transactions.operations[write.writer as usize];
        let Some(end) = operation.complete_index.filter(|_| operation.outcome == Outcome::Ok)
        else {
            continue;
        };
        let writers = &writers[write.key as usize];
        let begins = |writer: u32| transactions.operations[writer as usize].invoke_index;
        let later = writers.partition_point(|&(writer, _)| begins(writer) < end) as u32;
        for &(_, reader) in group {
            meter.step(|| edges.list.len() * 16)?;
            let own = writers.binary_search_by_key(&reader, |&(writer, _)| writer);
            let mut from = later;
            if let Ok(own) = own
                && own as u32 >= later
            {
                let between = &writers[later as usize..own];
                for &(writer, number) in between.iter().rev().take(SINGLE_EDGES_MAX) {
                    edges.add(reader, writer, RW, number);
                }
                from = own as u32 + 1;
            }
            if (from as usize) < writers.len() {
                edges.add(reader, hubs[write.key as usize] + from, RW, NONE);
            }
        }
    }
    Ok(())
}
