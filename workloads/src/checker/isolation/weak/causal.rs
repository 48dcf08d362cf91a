//! Who must have committed before whom, if who sees an effect sees its causes.

use rustc_hash::FxHashMap;

use super::clocks::{Chains, Clocks, join, known};
use super::decide::{Inference, Inferences};
use super::local::own_writes;
use super::reads::{INITIAL, Reads};
use crate::checker::isolation::meter::{Meter, Stop};
use crate::checker::isolation::transactions::NONE;

/// Clocks may grow by so many bytes between two questions to the budget.
const BYTES_PER_QUESTION: usize = 1 << 24;

/// Causal consistency: a transaction misses no write of anything that it comes after. `order` has all
/// transactions that took effect, causes first.
pub(super) fn causal(
    order: &[u32],
    reads: &Reads,
    inferences: &mut Inferences,
    meter: &mut Meter<'_>,
) -> Result<(), Stop> {
    let mut uses = vec![0u32; reads.present.len()];
    let mut goes_on = vec![false; reads.present.len()];
    for &transaction in order {
        for cause in causes(reads, transaction) {
            uses[cause as usize] += 1;
        }
        if let Some(before) = before(reads, transaction) {
            goes_on[before as usize] = true;
        }
    }
    let mut clocks = Clocks::new(uses);
    let mut chains = Chains::default();
    let mut place = vec![(NONE, 0); reads.present.len()];
    let mut writers = Writers::default();
    let mut asked = 0;
    for &reader in order {
        own_writes(reads, reader, inferences);
        let mut clock = clocks.fresh();
        for cause in causes(reads, reader) {
            let (chain, position) = place[cause as usize];
            join(&mut clock, clocks.get(cause).unwrap_or_default());
            if clock.len() <= chain as usize {
                clock.resize(chain as usize + 1, 0);
            }
            let mine = &mut clock[chain as usize];
            *mine = (*mine).max(position + 1);
        }
        for read in reads.of(reader).iter().filter(|read| read.external) {
            let writer_clock = if read.writer == INITIAL { None } else { clocks.get(read.writer) };
            for (chain, of_chain) in writers.of(read.key) {
                // The last write of this key in that chain that the reader comes after.
                let behind = of_chain.partition_point(|&(at, _)| at < known(&clock, *chain));
                let Some(&(position, writer)) = behind.checked_sub(1).map(|at| &of_chain[at])
                else {
                    continue;
                };
                // No need to say what the writer of the version read comes after anyway.
                let implied = writer_clock.is_some_and(|clock| position < known(clock, *chain));
                if writer != read.writer && !implied {
                    let (key, other) = (read.key, read.writer);
                    inferences.add(Inference { reader, key, known: writer, other });
                }
            }
            meter.step(|| inferences.bytes() + clocks.bytes() + writers.bytes())?;
        }
        let after = before(reads, reader).map(|before| place[before as usize]);
        let here = chains.place(&clock, after, !goes_on[reader as usize]);
        place[reader as usize] = here;
        for &key in reads.written(reader) {
            writers.add(key, here, reader);
        }
        for cause in causes(reads, reader) {
            clocks.release(cause);
        }
        clocks.keep(reader, clock);
        if clocks.bytes() > asked + BYTES_PER_QUESTION {
            asked = clocks.bytes();
            meter.ask(inferences.bytes() + asked + writers.bytes())?;
        }
    }
    Ok(())
}

/// The transaction before this one in its process.
fn before(reads: &Reads, transaction: u32) -> Option<u32> {
    Some(reads.before[transaction as usize]).filter(|&it| it != NONE)
}

/// What a transaction comes right after: the one before in its process, and those it read from.
fn causes(reads: &Reads, transaction: u32) -> impl Iterator<Item = u32> {
    let read = reads.of(transaction).iter().map(|read| read.writer);
    before(reads, transaction).into_iter().chain(read.filter(|&writer| writer != INITIAL))
}

/// Who wrote each key, by chain: position in the chain, and the transaction.
type OfChain = (u32, Vec<(u32, u32)>);

#[derive(Default)]
struct Writers {
    of_key: FxHashMap<u32, Vec<OfChain>>,
    count: usize,
}

impl Writers {
    fn of(&self, key: u32) -> &[OfChain] {
        self.of_key.get(&key).map(Vec::as_slice).unwrap_or_default()
    }

    fn add(&mut self, key: u32, (chain, position): (u32, u32), writer: u32) {
        self.count += 1;
        let chains = self.of_key.entry(key).or_default();
        match chains.iter_mut().find(|(other, _)| *other == chain) {
            Some((_, writers)) => writers.push((position, writer)),
            None => chains.push((chain, vec![(position, writer)])),
        }
    }

    fn bytes(&self) -> usize {
        self.count * 48
    }
}
