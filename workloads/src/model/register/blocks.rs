//! An exact decision without search, where every value is written at most once.
//!
//! Gibbons & Korach (1997) decide such histories of reads and writes: all operations on one value
//! must be next to each other in any explanation, so only the order of these groups is open. We
//! extend the groups to cas: a cas from `e` to `n` ends the group of `e` and begins that of `n`,
//! so a chain of cas operations ties groups into one *block* whose inner order is forced. Hence
//!
//! * each block must be in order by itself, and
//! * block `A` comes before `B` if an operation of `A` completes before one of `B` is invoked,
//!   that is, if the first completion in `A` precedes the last invocation in `B`.
//!
//! A history is explained exactly if the second relation has no cycle. Repeatedly taking a block
//! that nothing else must precede finds an order, or gets stuck at two blocks that must precede each
//! other (a longer cycle always has such a pair in it, because the relation compares one moment of
//! the one with one moment of the other). This takes `O(n log n)` for any number of clients.

use super::{RegisterOp, RegisterState};
use crate::model::{Decision, Entry};

const NONE: u32 = u32::MAX;

/// Why there are no blocks in order. Operations are positions in the entries.
pub(super) enum Obstacle {
    /// A value is written twice, or an operation may have had no effect: another way must decide.
    Unsuited,
    /// No order explains these operations and their sources.
    Impossible(Vec<u32>),
    /// This chain in its forced order is not in order of time.
    Disorder(Vec<u32>),
}

/// The operations on each value.
pub(super) struct Values {
    /// The value at the start, if it is known.
    initial: Option<u32>,
    /// Whether it is only presumed that nobody observed the start.
    pub(super) presumed: bool,
    writer: Vec<u32>,
    cas: Vec<u32>,
    /// Readers of value `v` are `readers[reader_start[v]..reader_start[v + 1]]`, by invocation.
    reader_start: Vec<u32>,
    readers: Vec<u32>,
}

/// Operations that must be next to each other: `order[start..end]`, in their only possible order.
pub(super) struct Block {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) first_completion: u64,
    pub(super) last_invocation: u64,
}

/// Decides, or none if a value is written twice or an operation may have had no effect.
pub(in crate::model) fn decide(
    values: usize,
    initial: RegisterState,
    entries: &[Entry<RegisterOp>],
) -> Option<Decision> {
    let values = match Values::new(values, initial, entries) {
        Ok(values) => values,
        Err(Obstacle::Unsuited) => return None,
        Err(Obstacle::Impossible(_) | Obstacle::Disorder(_)) => return Some(Decision::Impossible),
    };
    let arranged = values
        .blocks(entries)
        .ok()
        .and_then(|(order, blocks)| arrange(&blocks).ok().map(|by| (order, blocks, by)));
    match arranged {
        Some((order, blocks, arrangement)) => {
            let mut ids = Vec::with_capacity(order.len());
            for block in arrangement {
                let block = &blocks[block as usize];
                let members = &order[block.start as usize..block.end as usize];
                ids.extend(members.iter().map(|&position| entries[position as usize].id));
            }
            Some(Decision::Order(ids))
        }
        None if values.presumed => None,
        None => Some(Decision::Impossible),
    }
}

impl Values {
    pub(super) fn new(
        count: usize,
        initial: RegisterState,
        entries: &[Entry<RegisterOp>],
    ) -> Result<Values, Obstacle> {
        let mut values = Values {
            initial: None,
            presumed: false,
            writer: vec![NONE; count],
            cas: vec![NONE; count],
            reader_start: vec![0; count + 1],
            readers: Vec::new(),
        };
        let mut twice = None;
        for (position, entry) in entries.iter().enumerate() {
            let position = position as u32;
            if entry.is_crashed() {
                return Err(Obstacle::Unsuited);
            }
            if let Some(value) = entry.op.writes()
                && std::mem::replace(&mut values.writer[value as usize], position) != NONE
            {
                return Err(Obstacle::Unsuited);
            }
            match entry.op {
                RegisterOp::Read(value) => values.reader_start[value as usize + 1] += 1,
                RegisterOp::Cas { expected, .. } => {
                    // The first of two cas operations removes the value for good.
                    let other = std::mem::replace(&mut values.cas[expected as usize], position);
                    if other != NONE {
                        twice.get_or_insert([other, position]);
                    }
                }
                RegisterOp::Write(_) => {}
            }
        }
        for value in 0..count {
            values.reader_start[value + 1] += values.reader_start[value];
        }
        values.sort_readers(entries);
        values.set_initial(initial, entries)?;
        match twice {
            Some(_) if values.presumed => Err(Obstacle::Unsuited),
            Some(both) => Err(Obstacle::Impossible(values.with_sources(both.to_vec(), entries))),
            None => Ok(values),
        }
    }

    fn sort_readers(&mut self, entries: &[Entry<RegisterOp>]) {
        let reads = self.reader_start.last().copied().unwrap_or(0);
        self.readers = vec![NONE; reads as usize];
        let mut next = self.reader_start.clone();
        let mut sorted = true;
        let mut latest = 0;
        for (position, entry) in entries.iter().enumerate() {
            sorted &= latest <= entry.invoked;
            latest = entry.invoked;
            if let RegisterOp::Read(value) = entry.op {
                let place = &mut next[value as usize];
                self.readers[*place as usize] = position as u32;
                *place += 1;
            }
        }
        if !sorted {
            for value in 0..self.writer.len() {
                let range =
                    self.reader_start[value] as usize..self.reader_start[value + 1] as usize;
                self.readers[range]
                    .sort_unstable_by_key(|&position| entries[position as usize].invoked);
            }
        }
    }

    /// Finds out what the register held at the start.
    fn set_initial(
        &mut self,
        initial: RegisterState,
        entries: &[Entry<RegisterOp>],
    ) -> Result<(), Obstacle> {
        match initial {
            RegisterState::Holds(value) => self.initial = Some(value),
            RegisterState::Unobservable => {}
            RegisterState::Unknown => {
                // A value that is observed but never written can only be the initial one.
                let mut unwritten = entries.iter().enumerate().filter_map(|(position, entry)| {
                    let value = entry.op.observes()?;
                    (self.writer[value as usize] == NONE).then_some((position as u32, value))
                });
                match unwritten.next() {
                    Some((first, value)) => {
                        if let Some((second, _)) = unwritten.find(|&(_, other)| other != value) {
                            return Err(Obstacle::Impossible(vec![first, second]));
                        }
                        self.initial = Some(value);
                    }
                    // It may be one of those that are written, too: an order without it is an order,
                    // but none without it proves nothing.
                    None => self.presumed = true,
                }
            }
        }
        match self.initial {
            Some(initial) if self.writer[initial as usize] != NONE => Err(Obstacle::Unsuited),
            _ => Ok(()),
        }
    }

    /// Adds the writers of all that is observed.
    pub(super) fn with_sources(
        &self,
        mut set: Vec<u32>,
        entries: &[Entry<RegisterOp>],
    ) -> Vec<u32> {
        set.sort_unstable();
        set.dedup();
        let mut known: rustc_hash::FxHashSet<u32> = set.iter().copied().collect();
        let mut next = 0;
        while let Some(&position) = set.get(next) {
            next += 1;
            if let Some(value) = entries[position as usize].op.observes()
                && self.writer[value as usize] != NONE
                && known.insert(self.writer[value as usize])
            {
                set.push(self.writer[value as usize]);
            }
        }
        set
    }

    /// All blocks; impossible with the chain that is not in order by itself.
    pub(super) fn blocks(
        &self,
        entries: &[Entry<RegisterOp>],
    ) -> Result<(Vec<u32>, Vec<Block>), Obstacle> {
        let mut order: Vec<u32> = Vec::with_capacity(entries.len());
        let mut blocks = Vec::new();
        let roots = entries.iter().filter_map(|entry| match entry.op {
            RegisterOp::Write(value) => Some(value),
            RegisterOp::Read(_) | RegisterOp::Cas { .. } => None,
        });
        for root in self.initial.into_iter().chain(roots) {
            let start = order.len();
            let mut next = Some(root);
            // Each cas is the only writer of its value, and no write is, so chains end.
            while let Some(value) = next {
                let value = value as usize;
                if self.writer[value] != NONE {
                    order.push(self.writer[value]);
                }
                let readers =
                    self.reader_start[value] as usize..self.reader_start[value + 1] as usize;
                order.extend_from_slice(&self.readers[readers]);
                next = match self.cas[value] {
                    NONE => None,
                    cas => entries[cas as usize].op.writes(),
                };
            }
            let mut block = Block {
                start: start as u32,
                end: order.len() as u32,
                first_completion: u64::MAX,
                last_invocation: 0,
            };
            for &position in &order[start..] {
                let entry = &entries[position as usize];
                if entry.completed < block.last_invocation {
                    return Err(Obstacle::Disorder(order.split_off(start)));
                }
                block.first_completion = block.first_completion.min(entry.completed);
                block.last_invocation = block.last_invocation.max(entry.invoked);
            }
            if Some(root) == self.initial {
                // The initial value was there before anything else.
                block.first_completion = 0;
            }
            if block.start < block.end {
                blocks.push(block);
            }
        }
        if order.len() < entries.len() {
            return Err(Obstacle::Impossible(self.unreached(order, entries)));
        }
        Ok((order, blocks))
    }
}

impl Values {
    /// What observes a value that was never written, with all that rests on it: a chain back to that
    /// value, or a loop of cas operations. `placed` are the operations that some block has.
    fn unreached(&self, placed: Vec<u32>, entries: &[Entry<RegisterOp>]) -> Vec<u32> {
        let mut known = vec![false; entries.len()];
        for position in placed {
            known[position as usize] = true;
        }
        let mut core = Vec::new();
        let mut next = known.iter().position(|known| !known).map(|position| position as u32);
        while let Some(position) = next
            && !std::mem::replace(&mut known[position as usize], true)
        {
            core.push(position);
            next = entries[position as usize]
                .op
                .observes()
                .map(|value| self.writer[value as usize])
                .filter(|&writer| writer != NONE);
        }
        core
    }
}

/// An order of the blocks in which none follows a block that it must precede; else two blocks that
/// must precede each other.
pub(super) fn arrange(blocks: &[Block]) -> Result<Vec<u32>, (u32, u32)> {
    let sorted = |moment: fn(&Block) -> u64| {
        let mut moments: Vec<(u64, u32)> = Vec::with_capacity(blocks.len());
        moments.extend(blocks.iter().map(moment).zip(0..));
        moments.sort_unstable();
        moments
    };
    let by_completion = sorted(|block| block.first_completion);
    let by_invocation = sorted(|block| block.last_invocation);
    let mut taken = vec![false; blocks.len()];
    let mut arrangement = Vec::with_capacity(blocks.len());
    let (mut completion, mut invocation) = (0, 0);
    while arrangement.len() < blocks.len() {
        while taken[by_completion[completion].1 as usize] {
            completion += 1;
        }
        while taken[by_invocation[invocation].1 as usize] {
            invocation += 1;
        }
        let (first_completion, urgent) = by_completion[completion];
        let (last_invocation, earliest) = by_invocation[invocation];
        // Only the first completion of the others can force a block to wait. If the block that was
        // invoked first has to wait, so have all but the urgent one, whose own completion is no bar.
        let chosen = if earliest == urgent || last_invocation < first_completion {
            earliest
        } else {
            urgent
        };
        if chosen == urgent {
            let bar = by_completion[completion + 1..].iter().find(|it| !taken[it.1 as usize]);
            // The urgent one precedes the bar, too: it completes first, and nothing is invoked last
            // before that.
            if let Some(&(completed, bar)) = bar
                && completed < blocks[chosen as usize].last_invocation
            {
                return Err((chosen, bar));
            }
        }
        taken[chosen as usize] = true;
        arrangement.push(chosen);
    }
    Ok(arrangement)
}
