//! Linearizable reads by ReadIndex (Raft thesis §6.4), and keep-alives of leases, which are confirmed
//! in the same way.
//!
//! A read waits for three things: for a slot in a batch, for the batch's ReadIndex, and for the state machine.
//! A batch's context is (boot nonce, counter): fresh for every batch of every process, and never
//! asked for twice. raft-rs matches acknowledgements by context alone, so a reused one would let an
//! old acknowledgement confirm a new read.

use std::collections::{BTreeMap, VecDeque};

use super::effects::{Rejection, Reply};
use crate::types::{LogIndex, NodeId, RequestId, Term};

/// ReadIndex batches without an answer.
const BATCHES_MAX: usize = 16;

/// What is to be done once the leader is confirmed and the state machine has caught up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Answer from the state.
    Read,
    /// Begin the time of this lease anew.
    KeepAlive(u64),
}

/// A read and the tick at which it is given up.
#[derive(Debug, Clone, Copy, Hash)]
struct PendingRead {
    request: RequestId,
    purpose: Purpose,
    deadline: u64,
}

/// Reads that were sent off with one context.
#[derive(Debug, Hash)]
struct Batch {
    term: Term,
    reads: Vec<PendingRead>,
}

/// All reads of a replica.
#[derive(Debug, Hash)]
pub(super) struct Reads {
    boot: u64,
    counter: u64,
    /// The term in which the counter last moved.
    counter_term: Term,
    queued: VecDeque<PendingRead>,
    /// By counter.
    batches: BTreeMap<u64, Batch>,
    /// Confirmed at this index, by (index, counter).
    confirmed: BTreeMap<(LogIndex, u64), Vec<PendingRead>>,
    len: usize,
}

impl Reads {
    pub(super) fn new(boot: u64) -> Reads {
        Reads {
            boot,
            counter: 0,
            counter_term: Term(0),
            queued: VecDeque::new(),
            batches: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, request: RequestId, purpose: Purpose, deadline: u64) {
        self.queued.push_back(PendingRead { request, purpose, deadline });
        self.len += 1;
    }

    /// Makes a batch of all queued reads, if there are any and a slot is free. Returns its context.
    pub(super) fn next_batch(&mut self, term: Term, reuse_context: bool) -> Option<Vec<u8>> {
        if self.queued.is_empty() || self.batches.len() >= BATCHES_MAX {
            return None;
        }
        let reads: Vec<PendingRead> = self.queued.drain(..).collect();
        if reuse_context && self.counter > 0 && self.counter_term == term {
            // The planted bug: reads ride on the context of earlier ones, whose acknowledgements may
            // still be on their way, from before the reads were asked.
            let empty = Batch { term, reads: Vec::new() };
            self.batches.entry(self.counter).or_insert(empty).reads.extend(reads);
            return Some(self.context(self.counter));
        }
        self.counter_term = term;
        self.counter += 1;
        self.batches.insert(self.counter, Batch { term, reads });
        Some(self.context(self.counter))
    }

    /// The engine confirmed this context: its reads may be answered once `index` is applied.
    pub(super) fn confirm(&mut self, context: &[u8], index: LogIndex) {
        let Some(counter) = self.counter_of(context) else { return };
        if let Some(batch) = self.batches.remove(&counter) {
            self.confirmed.entry((index, counter)).or_default().extend(batch.reads);
        }
    }

    /// The reads that a state machine at `applied` may answer.
    pub(super) fn release(&mut self, applied: LogIndex) -> Vec<(RequestId, Purpose)> {
        let waiting = self.confirmed.split_off(&(LogIndex(applied.0 + 1), 0));
        let released = std::mem::replace(&mut self.confirmed, waiting);
        let reads = released.into_values().flatten();
        let reads: Vec<_> = reads.map(|read| (read.request, read.purpose)).collect();
        self.len -= reads.len();
        reads
    }

    /// Refuses what cannot be confirmed any more: everything unconfirmed of another term.
    pub(super) fn leadership(
        &mut self,
        leads: bool,
        term: Term,
        leader: Option<NodeId>,
    ) -> Vec<(RequestId, Reply)> {
        let mut refused = Vec::new();
        self.batches.retain(|_, batch| {
            let keep = leads && batch.term == term;
            if !keep {
                refused.append(&mut batch.reads);
            }
            keep
        });
        if !leads {
            refused.extend(self.queued.drain(..));
        }
        self.refuse(refused, Rejection::NotLeader { leader })
    }

    /// Gives up what waited until `tick`.
    pub(super) fn expire(&mut self, tick: u64) -> Vec<(RequestId, Reply)> {
        let mut expired = Vec::new();
        let mut sieve = |read: &PendingRead| {
            let keep = read.deadline > tick;
            if !keep {
                expired.push(*read);
            }
            keep
        };
        self.queued.retain(&mut sieve);
        for reads in self.confirmed.values_mut() {
            reads.retain(&mut sieve);
        }
        for batch in self.batches.values_mut() {
            batch.reads.retain(&mut sieve);
        }
        // A batch without reads would hold its slot for as long as the leader is cut off.
        self.batches.retain(|_, batch| !batch.reads.is_empty());
        self.refuse(expired, Rejection::Timeout)
    }

    fn refuse(&mut self, reads: Vec<PendingRead>, rejection: Rejection) -> Vec<(RequestId, Reply)> {
        self.len -= reads.len();
        reads.into_iter().map(|read| (read.request, Reply::Rejected(rejection))).collect()
    }

    fn context(&self, counter: u64) -> Vec<u8> {
        [self.boot.to_be_bytes(), counter.to_be_bytes()].concat()
    }

    fn counter_of(&self, context: &[u8]) -> Option<u64> {
        let (boot, counter) = context.split_at_checked(8)?;
        if boot != self.boot.to_be_bytes() {
            return None;
        }
        counter.try_into().ok().map(u64::from_be_bytes)
    }
}
