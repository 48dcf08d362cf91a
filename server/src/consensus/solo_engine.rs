//! A group of one member, without Raft.
//!
//! ```text
//! propose ──> persist ──durable: committed──> apply
//! read    ──> wait until what is committed is applied
//! ```
//!
//! The only member leads from its first moment to its last. There are no elections, no messages and
//! no ticks; an entry is committed when it is durable here, and a read needs nobody's word.
//!
//! What is written is the log of a Raft group with one voter, so that the same data directory can be
//! opened by either engine:
//! - each start begins a new term, in which this replica votes for itself, durably before the first
//!   entry of that term. So an entry is named by (index, term), as everywhere else;
//! - a group with any other member is refused, because what is durable here alone need not be
//!   committed there;
//! - everything that is durable here was committed by the only voter, whichever engine wrote it.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::mem;

use raft::eraftpb::{Entry, EntryType};

use super::engine_ready::EngineReady;
use super::log_cache::LogCache;
use super::raft_engine::{ProposeError, UNCOMMITTED_BYTES_MAX};
use crate::log_store::{LogPosition, RecoveredLog};
use crate::membership::Configuration;
use crate::replica::{AppliedState, CommittedEntry, Persist, ReplicaError};
use crate::types::{LogIndex, NodeId, PersistNumber, Term};

/// Entries that are being written.
#[derive(Debug, Clone, Copy, Hash)]
struct Write {
    number: PersistNumber,
    /// The last of them.
    last: u64,
    bytes: u64,
}

/// The only member of a group.
pub struct SoloEngine {
    id: NodeId,
    term: Term,
    /// What was handed out for persistence.
    log: LogCache,
    /// What was not yet.
    proposed: Vec<Entry>,
    /// Of entries that were proposed and are not committed.
    uncommitted_bytes: u64,
    batches: Vec<Persist>,
    last_number: u64,
    writes: VecDeque<Write>,
    /// The last durable entry.
    committed: u64,
    /// The last entry that was handed out for application.
    handed_out: u64,
    applied: u64,
    /// Contexts of reads.
    reads: Vec<Vec<u8>>,
    configuration: Configuration,
    configuration_index: LogIndex,
}

impl SoloEngine {
    /// Resumes from what the log store and the state store held, which fit together. With `reset`,
    /// the log store is told to begin anew at `recovered.base`.
    pub fn new(
        id: NodeId,
        mut recovered: RecoveredLog,
        state: &AppliedState,
        reset: bool,
    ) -> Result<SoloEngine, ReplicaError> {
        let applied = state.position.index.0;
        check_alone(id, &recovered, state)?;
        let newest = recovered.entries.last().map_or(recovered.base.term.0, |entry| entry.term);
        let term = recovered.hard_state.term.max(newest) + 1;
        let committed = recovered.last_index().0;
        recovered.hard_state.term = term;
        recovered.hard_state.vote = id.0;
        recovered.hard_state.commit = committed;
        let hard_state = recovered.hard_state.clone();
        let base = recovered.base;
        let snapshot = state.snapshot.clone().filter(|(position, _)| *position >= base);
        let configuration = state.configuration.clone();
        let mut engine = SoloEngine {
            id,
            term: Term(term),
            log: LogCache::new(recovered, configuration.to_conf_state(), snapshot),
            proposed: Vec::new(),
            uncommitted_bytes: 0,
            batches: Vec::new(),
            last_number: 0,
            writes: VecDeque::new(),
            committed,
            handed_out: applied,
            applied,
            reads: Vec::new(),
            configuration,
            configuration_index: state.position.index,
        };
        engine.write(Persist {
            reset: reset.then_some(base),
            hard_state: Some(hard_state),
            must_sync: true,
            ..Persist::default()
        });
        Ok(engine)
    }

    pub(super) fn propose(&mut self, data: Vec<u8>) -> Result<(LogIndex, Term), ProposeError> {
        let bytes = data.len() as u64;
        // However large it is, one entry always fits.
        if self.uncommitted_bytes > 0 && self.uncommitted_bytes + bytes > UNCOMMITTED_BYTES_MAX {
            return Err(ProposeError::Dropped);
        }
        let index = self.last_index().0 + 1;
        let entry = Entry { index, term: self.term.0, data: data.into(), ..Entry::default() };
        self.proposed.push(entry);
        self.uncommitted_bytes += bytes;
        Ok((LogIndex(index), self.term))
    }

    /// Nobody else could have committed anything: the commit index of this moment will do.
    pub(super) fn read_index(&mut self, context: Vec<u8>) {
        self.reads.push(context);
    }

    pub(super) fn persisted(&mut self, number: PersistNumber) {
        while let Some(write) = self.writes.pop_front_if(|write| write.number <= number) {
            self.committed = write.last;
            self.uncommitted_bytes -= write.bytes;
        }
    }

    pub(super) fn applied(&mut self, index: LogIndex) {
        self.applied = index.0;
    }

    pub(super) fn snapshot_taken(
        &mut self,
        position: LogPosition,
        configuration: Configuration,
    ) -> bool {
        self.log.snapshot_taken((position, configuration))
    }

    pub(super) fn compact(&mut self, index: LogIndex) {
        let compact = self.log.compact(index.0.min(self.applied));
        if compact.is_some() {
            self.write(Persist { compact, ..Persist::default() });
        }
    }

    pub(super) fn take_ready(&mut self) -> EngineReady {
        if !self.proposed.is_empty() {
            let entries = mem::take(&mut self.proposed);
            self.log.append(&entries);
            let bytes = entries.iter().map(|entry| entry.data.len() as u64).sum();
            let number = self.write(Persist { entries, must_sync: true, ..Persist::default() });
            self.writes.push_back(Write { number, last: self.log.last(), bytes });
        }
        let index = LogIndex(self.committed);
        EngineReady {
            persist: mem::take(&mut self.batches),
            committed: self.hand_out(),
            reads: self.reads.drain(..).map(|context| (context, index)).collect(),
            ..EngineReady::default()
        }
    }

    /// The entries that became committed since the last call. None of them is compacted, because
    /// they are not applied.
    fn hand_out(&mut self) -> Vec<CommittedEntry> {
        let base = self.log.base().index.0;
        let fresh = (self.handed_out - base) as usize..(self.committed - base) as usize;
        self.handed_out = self.committed;
        let entries = self.log.entries_slice()[fresh].iter();
        entries
            .map(|entry| CommittedEntry {
                index: LogIndex(entry.index),
                term: Term(entry.term),
                data: entry.data.clone(),
                configuration: None,
            })
            .collect()
    }

    fn write(&mut self, batch: Persist) -> PersistNumber {
        self.last_number += 1;
        let number = PersistNumber(self.last_number);
        self.batches.push(Persist { number, ..batch });
        number
    }

    pub(super) fn id(&self) -> NodeId {
        self.id
    }

    pub(super) fn term(&self) -> Term {
        self.term
    }

    pub(super) fn committed(&self) -> LogIndex {
        LogIndex(self.committed)
    }

    pub(super) fn last_index(&self) -> LogIndex {
        LogIndex(self.log.last() + self.proposed.len() as u64)
    }

    pub(super) fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    pub(super) fn configuration_index(&self) -> LogIndex {
        self.configuration_index
    }

    pub(super) fn log(&self) -> &LogCache {
        &self.log
    }

    pub(super) fn fingerprint(&self, hasher: &mut impl Hasher) {
        (self.id, self.term, self.committed, self.handed_out, self.applied).hash(hasher);
        (self.log.base(), self.log.newest_snapshot()).hash(hasher);
        (self.log.entries_slice().len(), self.proposed.len()).hash(hasher);
        for entry in self.log.entries_slice().iter().chain(&self.proposed) {
            (entry.index, entry.term, &entry.data[..]).hash(hasher);
        }
        let writes = self.writes.iter().map(|write| (write.last, write.bytes));
        writes.for_each(|write| write.hash(hasher));
        (&self.reads, &self.configuration, self.configuration_index).hash(hasher);
    }
}

/// Refuses a group in which others vote or follow, or did when the entries were written that the
/// state lacks.
fn check_alone(
    node: NodeId,
    recovered: &RecoveredLog,
    state: &AppliedState,
) -> Result<(), ReplicaError> {
    let members = state.configuration.members();
    if state.configuration.is_joint() || state.configuration.voters != [node.0] || members.len() > 1
    {
        return Err(ReplicaError::NotAlone { node, members: members.into_iter().collect() });
    }
    let after = recovered.entries.iter().filter(|entry| entry.index > state.position.index.0);
    match after.map(Entry::get_entry_type).all(|kind| kind == EntryType::EntryNormal) {
        true => Ok(()),
        false => Err(ReplicaError::MembersUnsettled),
    }
}

impl std::fmt::Debug for SoloEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoloEngine")
            .field("id", &self.id)
            .field("term", &self.term)
            .field("committed", &self.committed)
            .finish_non_exhaustive()
    }
}
