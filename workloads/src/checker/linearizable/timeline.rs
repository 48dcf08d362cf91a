//! Invocations and completions in a doubly linked list, from which operations can be lifted.

use super::search::NONE;
use crate::model::Entry;

/// Invocation of operation `i` is node `2i + 1`, its completion node `2i + 2`; node 0 is the head.
///
/// Operations that overlap have different *slots*, of which there are as many as operations that are
/// open at the same time, at most.
pub(super) struct Timeline {
    next: Vec<u32>,
    previous: Vec<u32>,
    slot: Vec<u32>,
    slots: usize,
}

impl Timeline {
    /// A list of all `entries`, which have completions.
    pub(super) fn new<O>(entries: &[&Entry<O>]) -> Self {
        let count = entries.len();
        let mut nodes: Vec<(u64, u32)> = Vec::with_capacity(2 * count);
        for (op, entry) in entries.iter().enumerate() {
            nodes.push((entry.invoked, 2 * op as u32 + 1));
            nodes.push((entry.completed, 2 * op as u32 + 2));
        }
        nodes.sort_unstable();
        let mut list = Self {
            next: vec![NONE; 2 * count + 1],
            previous: vec![0; 2 * count + 1],
            slot: vec![0; count],
            slots: 0,
        };
        let mut last = 0;
        let mut free = Vec::new();
        for (_, node) in nodes {
            list.next[last as usize] = node;
            list.previous[node as usize] = last;
            last = node;
            let slot = &mut list.slot[((node - 1) / 2) as usize];
            if node.is_multiple_of(2) {
                free.push(*slot);
            } else {
                *slot = free.pop().unwrap_or_else(|| {
                    list.slots += 1;
                    list.slots as u32 - 1
                });
            }
        }
        list
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// The slot of an operation.
    pub(super) fn slot(&self, op: u32) -> u32 {
        self.slot[op as usize]
    }

    /// The first node, or [`NONE`].
    pub(super) fn first(&self) -> u32 {
        self.next[0]
    }

    /// The node after `node`, or [`NONE`]. Right after `node` was lifted it is still the one that
    /// followed it, unless that was lifted with it.
    pub(super) fn after(&self, node: u32) -> u32 {
        self.next[node as usize]
    }

    /// The node that now follows where `node` was before it was lifted.
    pub(super) fn after_lifted(&self, node: u32) -> u32 {
        self.next[self.previous[node as usize] as usize]
    }

    /// The operation of a node.
    pub(super) fn op(node: u32) -> u32 {
        (node - 1) / 2
    }

    /// Whether a node is a completion.
    pub(super) fn is_completion(node: u32) -> bool {
        node.is_multiple_of(2)
    }

    /// The completion of an operation.
    pub(super) fn completion(op: u32) -> u32 {
        2 * op + 2
    }

    /// Takes an operation out of the list.
    pub(super) fn lift(&mut self, op: u32) {
        for node in [2 * op + 1, 2 * op + 2] {
            let (previous, next) = (self.previous[node as usize], self.next[node as usize]);
            self.next[previous as usize] = next;
            if next != NONE {
                self.previous[next as usize] = previous;
            }
        }
    }

    /// Puts back the operation that was lifted last.
    pub(super) fn unlift(&mut self, op: u32) {
        for node in [2 * op + 2, 2 * op + 1] {
            let (previous, next) = (self.previous[node as usize], self.next[node as usize]);
            self.next[previous as usize] = node;
            if next != NONE {
                self.previous[next as usize] = node;
            }
        }
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        4 * (self.next.capacity() + self.previous.capacity() + self.slot.capacity())
    }
}
