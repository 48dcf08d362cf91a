//! Which messages of peers may reach raft-rs, and when a replica may campaign.

use prost::Message as _;
use raft::eraftpb::{ConfState, Message, MessageType};

use super::raft_engine::RaftEngine;
use crate::bug::Bug;
use crate::bug_state;
use crate::membership::Configuration;

impl RaftEngine {
    /// May this message reach raft-rs?
    pub(super) fn admits(&mut self, message: &mut Message) -> bool {
        if self.bugs.has(Bug::StubbornCandidate) {
            self.give_in_to_stubborn(message);
        }
        match message.get_msg_type() {
            // Requests are never forwarded between engines: the driver forwards them.
            MessageType::MsgPropose
            | MessageType::MsgReadIndex
            | MessageType::MsgReadIndexResp
            | MessageType::MsgTransferLeader => false,
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => {
                if self.bugs.has(Bug::DoubleVote) {
                    self.node.raft.vote = raft::INVALID_ID;
                }
                !self.is_new()
            }
            MessageType::MsgHeartbeat => {
                if self.is_new() {
                    // A leader that does not know yet that this replica's data is lost.
                    message.commit = 0;
                }
                true
            }
            MessageType::MsgTimeoutNow => {
                let may = self.may_campaign_at_once();
                if !may {
                    self.deferred = Some((std::mem::take(message), self.election_ticks));
                }
                may
            }
            MessageType::MsgSnapshot => !self.is_installing() && is_whole(message),
            MessageType::MsgAppendResponse => self.admits_append_response(message),
            _ => true,
        }
    }

    /// The planted bug: who asks for a vote often enough seems to have all that this replica has.
    fn give_in_to_stubborn(&self, message: &mut Message) {
        let log = &self.node.raft.raft_log;
        match message.get_msg_type() {
            MessageType::MsgHeartbeat | MessageType::MsgAppend => bug_state::leader_was_heard(),
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote
                if bug_state::candidate_insists(message.from) =>
            {
                (message.log_term, message.index) = (log.last_term(), log.last_index());
            }
            _ => {}
        }
    }

    fn admits_append_response(&mut self, message: &Message) -> bool {
        let id = message.from;
        let is_learner = self.configuration.learners.contains(&id);
        let Some(progress) = self.node.raft.mut_prs().get_mut(id) else { return true };
        if message.reject && message.request_snapshot != raft::INVALID_INDEX {
            if is_learner && progress.matched > 0 {
                // It lost its data, or the request is an old one, which costs a snapshot.
                progress.matched = 0;
                progress.become_probe();
            }
            return is_learner;
        }
        if !message.reject && message.index >= progress.pending_request_snapshot {
            // It has what it asked for. raft-rs would send another snapshot.
            progress.pending_request_snapshot = raft::INVALID_INDEX;
        }
        true
    }

    /// Is the log durable, and at hand from the first entry that is not applied?
    pub(super) fn may_campaign(&self) -> bool {
        let log = &self.node.raft.raft_log;
        log.persisted == log.last_index() && log.applied() + 1 >= log.first_index()
    }

    /// raft-rs refuses while changes of the configuration may be committed and not applied.
    fn may_campaign_at_once(&self) -> bool {
        let log = &self.node.raft.raft_log;
        self.may_campaign() && log.applied() == log.committed
    }

    /// Follows a word that came too early.
    pub(super) fn campaign_if_told(&mut self) {
        if self.may_campaign_at_once()
            && let Some((message, _)) = self.deferred.take()
        {
            let _ = self.node.step(message);
            self.after_call();
        }
    }
}

/// Can the configuration in this snapshot be read, and is it the one that raft-rs will use?
fn is_whole(message: &Message) -> bool {
    let snapshot = message.get_snapshot();
    let conf_state: &ConfState = snapshot.get_metadata().get_conf_state();
    Configuration::decode(&snapshot.data[..])
        .is_ok_and(|configuration| configuration.to_conf_state() == *conf_state)
}
