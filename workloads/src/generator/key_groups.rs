//! Workers in groups, each group on its own key at a time.
//!
//! Neighbouring workers are in one group, because a worker's number also chooses its node: so each
//! key is used through many nodes.

use std::collections::VecDeque;

use super::GeneratorOptions;

/// Operations on a key before its group moves on to a fresh one, so that counterexamples and
/// searches stay small and new keys meet every fault.
pub(super) const OPERATIONS_PER_KEY: usize = 300;

/// Keys that a group has left and that it visits again in the final phase.
const RECENT_KEYS: usize = 3;

/// Which worker uses which key.
#[derive(Debug)]
pub(super) struct KeyGroups {
    concurrency: usize,
    groups: Vec<KeyGroup>,
    next_key: u64,
}

#[derive(Debug)]
struct KeyGroup {
    key: u64,
    operations: usize,
    recent: VecDeque<u64>,
}

impl KeyGroups {
    /// At most `options.keys` groups, of `clients_per_key` workers or more each (if there are so many
    /// workers at all).
    pub(super) fn new(options: &GeneratorOptions, clients_per_key: usize) -> Self {
        let groups = (options.concurrency / clients_per_key).clamp(1, options.keys.max(1));
        let group = |key| KeyGroup { key, operations: 0, recent: VecDeque::new() };
        Self {
            concurrency: options.concurrency.max(1),
            groups: (0..groups as u64).map(group).collect(),
            next_key: groups as u64,
        }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The group of a worker.
    pub(super) fn group(&self, worker: usize) -> usize {
        (worker * self.groups.len() / self.concurrency).min(self.groups.len() - 1)
    }

    /// The key that a group uses now.
    pub(super) fn key(&self, group: usize) -> u64 {
        self.groups[group].key
    }

    /// Counts an operation of a group. True if its key is a fresh one from now on.
    pub(super) fn use_key(&mut self, group: usize) -> bool {
        let group = &mut self.groups[group];
        let fresh = group.operations == OPERATIONS_PER_KEY;
        if fresh {
            group.recent.push_back(group.key);
            if group.recent.len() > RECENT_KEYS {
                group.recent.pop_front();
            }
            group.key = self.next_key;
            group.operations = 0;
            self.next_key += 1;
        }
        group.operations += 1;
        fresh
    }

    /// All keys that were ever used.
    pub(super) fn used(&self) -> std::ops::Range<u64> {
        0..self.next_key
    }

    /// The keys that a group uses now or has left lately, newest first.
    pub(super) fn recent(&self, group: usize) -> impl Iterator<Item = u64> {
        let group = &self.groups[group];
        std::iter::once(group.key).chain(group.recent.iter().rev().copied())
    }
}
