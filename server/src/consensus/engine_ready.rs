//! What the engine hands out.

use raft::StateRole;
use raft::eraftpb::{ConfChangeV2, Entry, EntryType, Message, MessageType};

use prost::Message as _;
use protobuf::Message as _;

use super::persistence::PendingReady;
use super::raft_engine::RaftEngine;
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::replica::{CommittedEntry, InstallSnapshot, Persist, SendSnapshot};
use crate::types::{LogIndex, NodeId, Term};

/// What the engine wants done.
#[derive(Debug, Default)]
pub struct EngineReady {
    /// Safe to send now.
    pub messages: Vec<Message>,
    /// Safe to send now, with their files.
    pub snapshots: Vec<SendSnapshot>,
    /// To be written, in order.
    pub persist: Vec<Persist>,
    /// Committed and durable here, in order.
    pub committed: Vec<CommittedEntry>,
    /// To be switched to, after `committed`.
    pub install: Option<InstallSnapshot>,
    /// Confirmed reads: the context and the index to wait for.
    pub reads: Vec<(Vec<u8>, LogIndex)>,
}

impl RaftEngine {
    /// Everything to be done since the last call.
    pub fn take_ready(&mut self) -> EngineReady {
        let mut out = EngineReady { persist: self.persistence.take(), ..EngineReady::default() };
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            let number = ready.number();
            self.outbox.append(&mut ready.take_messages());
            let committed = ready.take_committed_entries();
            out.reads.extend(
                ready
                    .take_read_states()
                    .into_iter()
                    .map(|state| (state.request_ctx, LogIndex(state.index))),
            );
            let entries = ready.take_entries();
            let mut hard_state = ready.hs().cloned();
            let messages = ready.take_persisted_messages();
            let install = (!ready.snapshot().is_empty()).then(|| install_of(ready.snapshot()));
            if let Some(install) = &install {
                self.node.mut_store().reset(install.position);
            }
            self.node.mut_store().append(&entries);
            let must_sync = ready.must_sync();
            self.node.advance_append_async(ready);

            let last_entry = entries.last().map(|entry| (entry.index, entry.term));
            let has_writes = !entries.is_empty() || must_sync || install.is_some();
            if has_writes {
                hard_state = hard_state.or(self.unwritten.take());
            } else if hard_state.is_some() {
                self.unwritten = hard_state.take();
            }
            let reset = install.as_ref().map(|install| install.position);
            if has_writes {
                let persist =
                    Persist { reset, hard_state, entries, must_sync, ..Persist::default() };
                if let Some(install) = install {
                    self.configuration = install.configuration.clone();
                    self.configuration_index = install.position.index;
                    out.persist.append(&mut self.persistence.hold());
                    out.install = Some(install);
                }
                self.persistence.write(persist);
            }
            let pending = PendingReady {
                number: self.persistence.last_number(),
                ready: number,
                has_writes,
                last_entry,
                reset: reset.map(|position| position.index.0),
                messages,
            };
            if let Some(done) = self.persistence.push(pending) {
                self.on_done(done);
            }
            out.persist.append(&mut self.persistence.take());
            for entry in committed {
                let entry = self.hand_out(entry);
                out.committed.push(entry);
            }
        }
        self.after_call();
        self.send(&mut out);
        out
    }

    /// Messages with snapshots go their own way; also those of a leader that has just lost its role.
    fn send(&mut self, out: &mut EngineReady) {
        for message in self.outbox.drain(..) {
            if message.get_msg_type() == MessageType::MsgSnapshot {
                let position = position_of(message.get_snapshot());
                out.snapshots.push(SendSnapshot { to: NodeId(message.to), message, position });
            } else {
                out.messages.push(message);
            }
        }
    }

    /// A change of the configuration is in force as soon as it is handed out (and no other can be
    /// proposed before the state machine has applied it).
    fn hand_out(&mut self, entry: Entry) -> CommittedEntry {
        let (index, term) = (LogIndex(entry.index), Term(entry.term));
        let change = match entry.get_entry_type() {
            EntryType::EntryNormal => {
                return CommittedEntry { index, term, data: entry.data, configuration: None };
            }
            EntryType::EntryConfChangeV2 => ConfChangeV2::parse_from_bytes(&entry.data).ok(),
            // Never proposed.
            EntryType::EntryConfChange => None,
        };
        let changed = change.and_then(|change| self.node.apply_conf_change(&change).ok());
        if let Some(conf_state) = changed {
            let context = Configuration::decode(&entry.context[..]).unwrap_or_default();
            let mut configuration = Configuration::from_conf_state(&conf_state, &context.addresses);
            configuration.joining = context.joining;
            self.configuration = configuration;
            self.step_down_if_not_voter();
        }
        self.configuration_index = index;
        let configuration = Some(self.configuration.clone());
        CommittedEntry { index, term, data: bytes::Bytes::new(), configuration }
    }

    /// A leader that is not a voter any more stops leading at once, because raft-rs counts on its
    /// progress; the best of the others is told to campaign without waiting.
    fn step_down_if_not_voter(&mut self) {
        let id = self.node.raft.id;
        if self.node.raft.state != StateRole::Leader
            || self.configuration.voters.contains(&id)
            || self.configuration.voters_outgoing.contains(&id)
        {
            return;
        }
        if let Some(best) = self.furthest_voter(|_| true) {
            self.node.raft.send_timeout_now(best.0);
        }
        let term = self.node.raft.term;
        self.node.raft.become_follower(term, raft::INVALID_ID);
    }

    /// The voter, other than this replica, that has most of the log, of those that `may` lead.
    pub fn furthest_voter(&self, may: impl Fn(NodeId) -> bool) -> Option<NodeId> {
        let prs = self.node.raft.prs();
        let voters = self.configuration.voters.iter().copied();
        let others = voters.filter(|id| *id != self.node.raft.id && may(NodeId(*id)));
        let matched = others.filter_map(|id| Some((prs.get(id)?.matched, id)));
        matched.max_by_key(|(matched, id)| (*matched, u64::MAX - id)).map(|(_, id)| NodeId(id))
    }

    /// Where the log begins.
    pub fn base(&self) -> LogPosition {
        self.node.store().base()
    }
}

fn position_of(snapshot: &raft::eraftpb::Snapshot) -> LogPosition {
    let metadata = snapshot.get_metadata();
    LogPosition { index: LogIndex(metadata.index), term: Term(metadata.term) }
}

/// Messages whose configuration cannot be read never reach raft-rs.
fn install_of(snapshot: &raft::eraftpb::Snapshot) -> InstallSnapshot {
    InstallSnapshot {
        position: position_of(snapshot),
        configuration: Configuration::decode(&snapshot.data[..]).unwrap_or_default(),
    }
}
