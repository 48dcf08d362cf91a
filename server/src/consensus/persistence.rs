//! What is on its way to the log store: numbered batches, and what waits for them.
//!
//! raft-rs numbers its readies, and reports go back to it by those numbers; batches to the log store
//! have numbers of their own, because a compaction belongs to no ready.
//!
//! While a snapshot is being installed all batches are held back, the log's reset first of them: a
//! state that is ahead of its log can be told from one that is not (it knows that it was
//! installed), but a log that was reset without its state would have lost what the state lacks.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

use protobuf::Message as _;
use raft::eraftpb::Message;

use crate::replica::Persist;
use crate::types::PersistNumber;

/// A ready that raft-rs handed out and that is not durable yet.
#[derive(Debug)]
pub(super) struct PendingReady {
    /// The last batch that it waits for.
    pub(super) number: PersistNumber,
    /// raft-rs' number.
    pub(super) ready: u64,
    pub(super) has_writes: bool,
    /// Index and term of its last entry, as raft-rs remembers them until the ready is durable.
    pub(super) last_entry: Option<(u64, u64)>,
    /// The snapshot that it resets the log to.
    pub(super) reset: Option<u64>,
    /// These leave when it is durable.
    pub(super) messages: Vec<Message>,
}

/// Readies that became durable.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// raft-rs' number of the last one.
    pub(super) ready: u64,
    /// The last snapshot that the log was reset to.
    pub(super) reset: Option<u64>,
    pub(super) messages: Vec<Message>,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(super) struct Persistence {
    last_number: u64,
    pending: VecDeque<PendingReady>,
    /// To be handed out next.
    batches: Vec<Persist>,
    held: Vec<Persist>,
    installing: bool,
}

impl Persistence {
    /// The number of the last batch.
    pub(super) fn last_number(&self) -> PersistNumber {
        PersistNumber(self.last_number)
    }

    /// Is a snapshot being installed?
    pub(super) fn is_installing(&self) -> bool {
        self.installing
    }

    /// Adds a batch, and numbers it.
    pub(super) fn write(&mut self, batch: Persist) {
        self.last_number += 1;
        let batch = Persist { number: PersistNumber(self.last_number), ..batch };
        match self.installing {
            true => self.held.push(batch),
            false => self.batches.push(batch),
        }
    }

    /// From now on batches are held back, except for the ones that are returned.
    pub(super) fn hold(&mut self) -> Vec<Persist> {
        self.installing = true;
        std::mem::take(&mut self.batches)
    }

    /// The snapshot is installed.
    pub(super) fn release(&mut self) {
        self.installing = false;
        self.batches.append(&mut self.held);
    }

    /// Batches that may be written now.
    pub(super) fn take(&mut self) -> Vec<Persist> {
        std::mem::take(&mut self.batches)
    }

    /// Adds a ready. If nothing has to be written for it, nor for any before it, it is done.
    pub(super) fn push(&mut self, ready: PendingReady) -> Option<Done> {
        self.pending.push_back(ready);
        match self.pending.iter().all(|pending| !pending.has_writes) {
            true => self.done(PersistNumber(0)),
            false => None,
        }
    }

    /// Every batch up to `number` is durable.
    pub(super) fn done(&mut self, number: PersistNumber) -> Option<Done> {
        let mut done = None;
        while let Some(front) =
            self.pending.pop_front_if(|front| front.number <= number || !front.has_writes)
        {
            let all: &mut Done = done.get_or_insert_default();
            all.ready = front.ready;
            all.reset = front.reset.or(all.reset);
            all.messages.extend(front.messages);
        }
        done
    }

    /// Feeds what is pending to `hasher`. Numbers are compared with each other only, so the order
    /// of the readies is enough.
    pub(super) fn fingerprint(&self, hasher: &mut impl Hasher) {
        (self.installing, self.pending.len(), self.held.len()).hash(hasher);
        for pending in &self.pending {
            let key = (pending.has_writes, pending.last_entry, pending.reset);
            (key, pending.messages.len()).hash(hasher);
            for message in &pending.messages {
                let bytes = message.write_to_bytes().expect("a message in memory can be encoded");
                bytes.hash(hasher);
            }
        }
        for batch in &self.held {
            (batch.reset, batch.compact, batch.must_sync, batch.entries.len()).hash(hasher);
            let hard_state = batch.hard_state.as_ref();
            hard_state.map(|it| (it.term, it.vote, it.commit)).hash(hasher);
            for entry in &batch.entries {
                (entry.index, entry.term, &entry.data[..]).hash(hasher);
            }
        }
    }
}
