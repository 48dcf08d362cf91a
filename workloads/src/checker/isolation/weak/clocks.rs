//! Vector clocks over chains: of a transaction, how many of each chain it comes after.
//!
//! A chain is a sequence of transactions of which each comes after the one before: those of a process,
//! and then those of a later process whose first transaction knew the end of it. So clocks stay short
//! when processes crash and others take over.

/// How many of each chain; chains beyond the end count 0.
pub(super) type Clock = Vec<u32>;

/// How many of a chain a clock knows.
pub(super) fn known(clock: &[u32], chain: u32) -> u32 {
    clock.get(chain as usize).copied().unwrap_or_default()
}

/// Takes over what another clock knows.
pub(super) fn join(clock: &mut Clock, other: &[u32]) {
    if clock.len() < other.len() {
        clock.resize(other.len(), 0);
    }
    for (mine, theirs) in clock.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}

/// The chains so far.
#[derive(Default)]
pub(super) struct Chains {
    /// Of each chain, how long it is, and whether another process may go on with it.
    chains: Vec<(u32, bool)>,
}

impl Chains {
    /// The place, chain and position, of a transaction with this clock, which comes right `after` the
    /// place of the one before in its process; `last` if it is the last of its process.
    pub(super) fn place(
        &mut self,
        clock: &[u32],
        after: Option<(u32, u32)>,
        last: bool,
    ) -> (u32, u32) {
        let own = after.filter(|&(chain, position)| self.chains[chain as usize].0 == position + 1);
        let chain = own.map(|(chain, _)| chain).or_else(|| {
            let free = |chain: &u32| {
                let (length, free) = self.chains[*chain as usize];
                free && known(clock, *chain) == length
            };
            (0..self.chains.len() as u32).find(free)
        });
        let chain = chain.unwrap_or_else(|| {
            self.chains.push((0, false));
            self.chains.len() as u32 - 1
        });
        let (length, free) = &mut self.chains[chain as usize];
        *length += 1;
        *free = last;
        (chain, *length - 1)
    }
}

/// Clocks that are kept only as long as somebody will ask for them.
pub(super) struct Clocks {
    kept: Vec<Option<Clock>>,
    uses: Vec<u32>,
    spare: Vec<Clock>,
    bytes: usize,
}

impl Clocks {
    /// `uses` says how often each clock will be released.
    pub(super) fn new(uses: Vec<u32>) -> Self {
        let bytes = uses.len() * 28;
        Self { kept: uses.iter().map(|_| None).collect(), uses, spare: Vec::new(), bytes }
    }

    /// A clock of zeros.
    pub(super) fn fresh(&mut self) -> Clock {
        let mut clock = self.spare.pop().unwrap_or_default();
        self.bytes -= clock.capacity() * 4;
        clock.clear();
        clock
    }

    /// The clock of a transaction, if it is kept.
    pub(super) fn get(&self, transaction: u32) -> Option<&[u32]> {
        self.kept[transaction as usize].as_deref()
    }

    /// Keeps a clock, if it will be needed.
    pub(super) fn keep(&mut self, transaction: u32, clock: Clock) {
        self.bytes += clock.capacity() * 4;
        match self.uses[transaction as usize] {
            0 => self.spare.push(clock),
            _ => self.kept[transaction as usize] = Some(clock),
        }
    }

    /// One of its uses is over.
    pub(super) fn release(&mut self, transaction: u32) {
        let uses = &mut self.uses[transaction as usize];
        *uses -= 1;
        if *uses == 0
            && let Some(clock) = self.kept[transaction as usize].take()
        {
            self.spare.push(clock);
        }
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
