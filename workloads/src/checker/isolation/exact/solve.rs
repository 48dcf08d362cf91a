//! The search for an order of the writers of each key.

use super::reach::Reach;
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::weak::{INITIAL, Reads};
use rustc_hash::FxHashMap;

/// The most nodes of the graph; their closure takes the square of it in bits.
const NODES_MAX: usize = 2048;
/// The most pairs of writers of the same key.
const PAIRS_MAX: usize = 1_000_000;

/// The most decisions that are open at the same time; each keeps a closure.
const DEPTH_MAX: usize = 1000;

/// The history is too large to be decided by search.
#[derive(Debug)]
pub(in crate::checker::isolation) struct TooLarge;

/// Two writers of a key, and who read their versions.
struct Pair {
    writers: [u32; 2],
    readers: [Vec<u32>; 2],
}

/// Transactions whose reads some order should explain.
pub(in crate::checker::isolation) struct Problem {
    /// Whether two reads that miss each other's writes are allowed, as in snapshot isolation.
    snapshots: bool,
    sure: Vec<(u32, u32)>,
    /// (reader, writer): the reader misses what the writer writes.
    misses: Vec<(u32, u32)>,
    pairs: Vec<Pair>,
    count: usize,
}

impl Problem {
    /// The problem of these transactions; reads from others do not count.
    pub(in crate::checker::isolation) fn new(
        of: &[u32],
        reads: &Reads,
        snapshots: bool,
    ) -> Result<Problem, TooLarge> {
        let nodes = of.len() * if snapshots { 2 } else { 1 };
        if nodes > NODES_MAX {
            return Err(TooLarge);
        }
        let number: FxHashMap<u32, u32> = of.iter().copied().zip(0..).collect();
        let mut problem = Problem {
            snapshots,
            sure: Vec::new(),
            misses: Vec::new(),
            pairs: Vec::new(),
            count: of.len(),
        };
        let mut writers: std::collections::BTreeMap<u32, Vec<u32>> = Default::default();
        let mut readers: FxHashMap<(u32, u32), Vec<u32>> = FxHashMap::default();
        let mut last: FxHashMap<u32, u32> = FxHashMap::default();
        for &transaction in of {
            let here = number[&transaction];
            let (session, _) = reads.place[transaction as usize];
            if let Some(before) = last.insert(session, here) {
                problem.sure.push((before, here));
            }
            for &key in reads.written(transaction) {
                writers.entry(key).or_default().push(here);
            }
            for read in reads.of(transaction).iter().filter(|read| read.external) {
                let Some(&writer) = number
                    .get(&read.writer)
                    .or_else(|| (read.writer == INITIAL).then_some(&INITIAL))
                else {
                    continue;
                };
                readers.entry((read.key, writer)).or_default().push(here);
                if writer != INITIAL {
                    problem.sure.push((writer, here));
                }
            }
        }
        for (key, writers) in writers {
            let read = |writer: u32| readers.get(&(key, writer)).cloned().unwrap_or_default();
            for reader in read(INITIAL) {
                problem.misses.extend(
                    writers.iter().filter(|&&writer| writer != reader).map(|&it| (reader, it)),
                );
            }
            if problem.pairs.len() + writers.len() * writers.len() / 2 > PAIRS_MAX {
                return Err(TooLarge);
            }
            for (at, &one) in writers.iter().enumerate() {
                for &other in &writers[at + 1..] {
                    problem
                        .pairs
                        .push(Pair { writers: [one, other], readers: [read(one), read(other)] });
                }
            }
        }
        Ok(problem)
    }

    /// Whether some order explains all reads.
    pub(in crate::checker::isolation) fn solve(&self, meter: &mut Meter<'_>) -> Result<bool, Stop> {
        let nodes = self.count * if self.snapshots { 2 } else { 1 };
        let mut reach = Reach::new(nodes);
        for &(from, to) in &self.sure {
            if !self.add_sure(&mut reach, from, to) {
                return Ok(false);
            }
            meter.step(|| reach.bytes())?;
        }
        for &(reader, writer) in &self.misses {
            if !self.add_miss(&mut reach, reader, writer) {
                return Ok(false);
            }
            meter.step(|| reach.bytes())?;
        }
        let open: Vec<u32> = (0..self.pairs.len() as u32).collect();
        self.search(reach, open, 1, meter)
    }

    /// Orders the `open` pairs.
    fn search(
        &self,
        mut reach: Reach,
        mut open: Vec<u32>,
        depth: usize,
        meter: &mut Meter<'_>,
    ) -> Result<bool, Stop> {
        loop {
            let (mut changed, mut still) = (false, Vec::with_capacity(open.len()));
            for &number in &open {
                meter.step(|| reach.bytes() * depth + open.len() * 8 * depth)?;
                let possible = [0, 1].map(|first| self.possible(&reach, number, first));
                let first = match possible {
                    [true, true] => {
                        still.push(number);
                        continue;
                    }
                    [false, false] => return Ok(false),
                    [true, false] => 0,
                    [false, true] => 1,
                };
                if !self.take(&mut reach, number, first) {
                    return Ok(false);
                }
                changed = true;
            }
            open = still;
            if !changed {
                break;
            }
        }
        if depth == 1 && self.earlier_first(&reach, &open, meter)? {
            return Ok(true);
        }
        let Some(number) = open.pop() else { return Ok(true) };
        if depth == DEPTH_MAX {
            return Err(Stop::Spent(format!("limit of {DEPTH_MAX} open decisions")));
        }
        for first in [0, 1] {
            meter.ask(reach.bytes() * (depth + 1))?;
            let mut next = reach.clone();
            if self.take(&mut next, number, first)
                && self.search(next, open.clone(), depth + 1, meter)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the reads are explained if of two writers the earlier one comes first, wherever both
    /// orders are possible.
    fn earlier_first(
        &self,
        reach: &Reach,
        open: &[u32],
        meter: &mut Meter<'_>,
    ) -> Result<bool, Stop> {
        let mut reach = reach.clone();
        for &number in open {
            meter.step(|| reach.bytes() * 2)?;
            let first = usize::from(!self.possible(&reach, number, 0));
            if !self.take(&mut reach, number, first) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether no edge of this order of a pair closes a circle by itself.
    fn possible(&self, reach: &Reach, number: u32, first: usize) -> bool {
        let pair = &self.pairs[number as usize];
        let (one, other) = (pair.writers[first], pair.writers[1 - first]);
        let readers = pair.readers[first].iter().filter(|&&reader| reader != other);
        if self.snapshots {
            let (seen, missed) = (2 * other + 1, 2 * other);
            !reach.reaches(seen, 2 * one)
                && !reach.reaches(seen, 2 * one + 1)
                && readers.clone().all(|&reader| !reach.reaches(missed, 2 * reader + 1))
        } else {
            !reach.reaches(other, one) && readers.clone().all(|&it| !reach.reaches(other, it))
        }
    }

    /// Adds the edges of an order of a pair; says whether there is still no circle.
    fn take(&self, reach: &mut Reach, number: u32, first: usize) -> bool {
        let pair = &self.pairs[number as usize];
        let (one, other) = (pair.writers[first], pair.writers[1 - first]);
        let mut readers = pair.readers[first].iter().filter(|&&reader| reader != other);
        self.add_sure(reach, one, other)
            && readers.all(|&reader| self.add_miss(reach, reader, other))
    }

    /// With snapshots each transaction has two nodes: 2t if one came there by a miss, which must not be
    /// followed by another one, and 2t + 1.
    fn add_sure(&self, reach: &mut Reach, from: u32, to: u32) -> bool {
        if self.snapshots {
            reach.add(2 * from, 2 * to + 1) && reach.add(2 * from + 1, 2 * to + 1)
        } else {
            reach.add(from, to)
        }
    }

    fn add_miss(&self, reach: &mut Reach, reader: u32, writer: u32) -> bool {
        if self.snapshots {
            reach.add(2 * reader + 1, 2 * writer)
        } else {
            reach.add(reader, writer)
        }
    }
}
