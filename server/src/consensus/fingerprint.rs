//! What distinguishes one state of an engine from another, for the model checker.

use std::hash::{Hash, Hasher};

use raft::Progress;

use super::raft_engine::RaftEngine;

impl RaftEngine {
    /// Feeds everything that can influence what this engine does next to `hasher`. To be called
    /// when nothing is left for [`Self::take_ready`].
    ///
    /// What of raft-rs' state is not fed, and why that is sound:
    /// - `heartbeat_elapsed` is private; it is always 0 if `heartbeat_ticks` is 1;
    /// - `uncommitted_state` is private; it acts only beyond `UNCOMMITTED_BYTES_MAX`;
    /// - what followers were told of the commit index acts in a lull only, which the model checker never
    ///   makes; an unwritten commit index is the current one;
    /// - messages, read states and unstable entries are empty after `take_ready`, and the last soft
    ///   and hard state are then the current ones;
    /// - the index from which committed entries are handed out is then min(committed, persisted), or
    ///   the base of the log if a snapshot is being installed;
    /// - raft-rs' configuration is the one in force.
    pub fn fingerprint(&self, hasher: &mut impl Hasher) {
        let raft = &self.node.raft;
        (raft.term, raft.vote, raft.leader_id, self.role()).hash(hasher);
        (raft.election_elapsed, self.election_timeout, raft.pending_conf_index).hash(hasher);
        (raft.raft_log.committed, raft.raft_log.persisted, raft.raft_log.applied()).hash(hasher);
        (raft.lead_transferee, raft.pending_request_snapshot).hash(hasher);
        let mut votes: Vec<_> = raft.prs().votes().iter().collect();
        votes.sort_unstable();
        votes.hash(hasher);
        let (log, unstable) = (self.log().entries_slice(), raft.raft_log.unstable_entries());
        (self.base(), log.len(), unstable.len()).hash(hasher);
        for entry in log.iter().chain(unstable) {
            (entry.index, entry.term, entry.entry_type as i32, &entry.data[..]).hash(hasher);
        }
        self.log().newest_snapshot().hash(hasher);
        (&self.configuration, self.configuration_index).hash(hasher);
        let mut progress: Vec<_> = raft.prs().iter().collect();
        progress.sort_unstable_by_key(|(id, _)| **id);
        for (id, progress) in progress {
            id.hash(hasher);
            fingerprint_progress(progress, hasher);
        }
        raft.read_only.read_index_queue.len().hash(hasher);
        for context in &raft.read_only.read_index_queue {
            context.hash(hasher);
            if let Some(status) = raft.read_only.pending_read_index.get(context) {
                let mut acks: Vec<_> = status.acks.iter().collect();
                acks.sort_unstable();
                (status.index, acks).hash(hasher);
            }
        }
        self.persistence.fingerprint(hasher);
        self.unwritten.is_some().hash(hasher);
        let deferred = self.deferred.as_ref();
        deferred.map(|(message, left)| (message.term, message.from, left)).hash(hasher);
        self.rng.get_word_pos().hash(hasher);
    }
}

/// What a leader knows of a follower. Only a replicating one has appends in flight; how many of them
/// each acknowledged index would free says which they are.
fn fingerprint_progress(progress: &Progress, hasher: &mut impl Hasher) {
    (progress.matched, progress.next_idx, progress.state as u8, progress.paused).hash(hasher);
    (progress.pending_snapshot, progress.pending_request_snapshot).hash(hasher);
    (progress.recent_active, progress.committed_index, progress.ins.count()).hash(hasher);
    if progress.ins.count() > 0 {
        let mut inflights = progress.ins.clone();
        for index in 0..=progress.next_idx {
            inflights.free_to(index);
            inflights.count().hash(hasher);
        }
    }
}
