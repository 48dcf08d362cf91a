//! Configurations as words, for the set of those visited.

use super::search::NONE;

/// What is known of an operation.
#[derive(Clone, Copy)]
pub(super) struct Fact {
    /// Equal operations have equal classes.
    pub(super) class: u32,
    pub(super) observes: u32,
    pub(super) writes: u32,
    pub(super) is_read_only: bool,
}

impl Fact {
    /// Whether it is a write that is possible in every state.
    pub(super) fn is_blind(self) -> bool {
        self.writes != NONE && self.observes == NONE
    }

    /// Whether it depends on the state and changes it.
    fn is_change(self) -> bool {
        !self.is_read_only && !self.is_blind()
    }
}

/// The configuration that is being written down.
///
/// ```text
/// frontier and state | which changes are open | blind writes used or closed, what is owed | crashed
/// ```
///
/// Where nothing rides along, everything that is open stands in the second part.
pub(super) struct Key {
    words: Vec<u64>,
    /// A configuration in which nothing is open.
    blank: Vec<u64>,
    place: usize,
    /// Words before the counts of crashed operations.
    costs: usize,
    slots: usize,
}

impl Key {
    /// For acknowledged operations `facts` in so many slots, and so many words for crashed ones.
    pub(super) fn new(facts: &[Fact], slots: usize, crashed: usize) -> Self {
        let rides = facts.iter().any(|fact| fact.is_blind());
        let changes = !rides || facts.iter().any(|fact| fact.is_change());
        let place = 1 + if changes { slots.div_ceil(64) } else { 0 };
        let costs = place + if rides { (2 * slots).div_ceil(64) } else { 0 };
        let mut blank = vec![0; costs + crashed];
        if rides {
            (64 * place..64 * place + slots).for_each(|bit| blank[bit / 64] |= 1 << (bit % 64));
        }
        Self { words: blank.clone(), blank, place, costs, slots }
    }

    /// Words that must be equal.
    pub(super) fn place(&self) -> usize {
        self.place
    }

    /// Words with a bit for each thing that costs something.
    pub(super) fn bits(&self) -> usize {
        self.costs - self.place
    }

    /// A new configuration.
    pub(super) fn begin(&mut self, frontier: u32, state: u32) {
        self.words.copy_from_slice(&self.blank);
        self.words[0] = u64::from(frontier) << 32 | u64::from(state);
    }

    /// An operation is open.
    pub(super) fn open(&mut self, fact: Fact, slot: usize, may_ride: bool) {
        if self.bits() == 0 || fact.is_change() {
            self.words[1 + slot / 64] |= 1 << (slot % 64);
            return;
        }
        let start = 64 * self.place;
        if fact.is_blind() {
            let left = start + slot;
            self.words[left / 64] &= !(1 << (left % 64));
        }
        if !may_ride {
            let owed = start + self.slots + slot;
            self.words[owed / 64] |= 1 << (owed % 64);
        }
    }

    /// The whole, with the counts of crashed operations.
    pub(super) fn end(&mut self, counts: impl Iterator<Item = u64>) -> &[u64] {
        for (word, counts) in self.words[self.costs..].iter_mut().zip(counts) {
            *word = counts;
        }
        &self.words
    }
}
