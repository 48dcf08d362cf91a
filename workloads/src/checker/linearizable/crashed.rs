//! Crashed operations: how many of each kind have been used.

use rustc_hash::FxHashMap;

/// Equal crashed operations, by invocation. The first `used` of them have taken effect.
pub(super) struct Group {
    ops: Vec<u32>,
    used: usize,
    word: usize,
    shift: u32,
    width: u32,
}

impl Group {
    /// The first that has not taken effect.
    pub(super) fn next(&self) -> Option<u32> {
        self.ops.get(self.used).copied()
    }
}

/// All groups, and their counts in a few words.
///
/// Equal operations are used in the order of their invocation: exchanging two of them in an
/// explanation keeps it. So a count says which have been used. Counts stand side by side in
/// words, each with a bit to spare, so that all counts of a word are compared by one subtraction.
pub(super) struct Crashed {
    groups: Vec<Group>,
    group_of: Vec<u32>,
    first_op: usize,
    by_value: FxHashMap<u32, Vec<u32>>,
    counts: Vec<u64>,
    /// Which counts matter: the others are of values that nobody is left to observe.
    live: Vec<u64>,
    guards: Vec<u64>,
}

impl Crashed {
    /// `facts` are class and value written of the crashed operations, by invocation; the first of
    /// them is operation `first_op`.
    pub(super) fn new(facts: impl Iterator<Item = (u32, u32)>, first_op: usize) -> Self {
        let mut group_of_class: FxHashMap<u32, u32> = FxHashMap::default();
        let mut groups: Vec<Group> = Vec::new();
        let mut by_value: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        let mut group_of = Vec::new();
        for (at, (class, written)) in facts.enumerate() {
            let number = *group_of_class.entry(class).or_insert_with(|| {
                groups.push(Group { ops: Vec::new(), used: 0, word: 0, shift: 0, width: 0 });
                let number = groups.len() as u32 - 1;
                by_value.entry(written).or_default().push(number);
                number
            });
            groups[number as usize].ops.push((first_op + at) as u32);
            group_of.push(number);
        }
        let mut guards: Vec<u64> = Vec::new();
        let mut free = 0;
        for group in &mut groups {
            group.width = usize::BITS - group.ops.len().leading_zeros();
            if free < group.width + 1 {
                guards.push(0);
                free = u64::BITS;
            }
            group.word = guards.len() - 1;
            group.shift = u64::BITS - free;
            guards[group.word] |= 1 << (group.shift + group.width);
            free -= group.width + 1;
        }
        let words = guards.len();
        Self {
            groups,
            group_of,
            first_op,
            by_value,
            counts: vec![0; words],
            live: vec![u64::MAX; words],
            guards,
        }
    }

    /// Groups, in the order of the first invocation.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Groups that write `value`.
    pub(super) fn writers(&self, value: u32) -> impl Iterator<Item = &Group> {
        self.by_value.get(&value).into_iter().flatten().map(|&group| &self.groups[group as usize])
    }

    /// The next operation of the group of `op` has taken effect, which is `op`.
    pub(super) fn take(&mut self, op: u32) {
        let group = &mut self.groups[self.group_of[op as usize - self.first_op] as usize];
        group.used += 1;
        self.counts[group.word] += 1 << group.shift;
    }

    /// Undoes the last [`take`](Self::take) of `op`.
    pub(super) fn untake(&mut self, op: u32) {
        let group = &mut self.groups[self.group_of[op as usize - self.first_op] as usize];
        group.used -= 1;
        self.counts[group.word] -= 1 << group.shift;
    }

    /// Says whether somebody is left to observe `value`.
    pub(super) fn set_observable(&mut self, value: u32, observable: bool) {
        let Some(groups) = self.by_value.get(&value) else { return };
        for &group in groups {
            let Group { word, shift, width, .. } = self.groups[group as usize];
            let mask = ((1 << width) - 1) << shift;
            if observable {
                self.live[word] |= mask;
            } else {
                self.live[word] &= !mask;
            }
        }
    }

    /// The counts that matter, as words.
    pub(super) fn counts(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().zip(&self.live).map(|(counts, live)| counts & live)
    }

    /// The spare bit of each count.
    pub(super) fn guards(&self) -> &[u64] {
        &self.guards
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.group_of.capacity() * 8 + self.groups.len() * (size_of::<Group>() + 24)
    }
}
