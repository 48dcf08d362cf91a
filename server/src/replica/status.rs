//! What a replica looks like from outside.

use std::sync::Arc;

use crate::log_store::LogPosition;
use crate::types::{LogIndex, NodeId, Role, Term};

/// What a replica looks like from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// This replica.
    pub id: NodeId,
    /// What it is.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// Who leads, as far as it knows.
    pub leader: Option<NodeId>,
    /// The commit index.
    pub committed: LogIndex,
    /// What the state machine applied.
    pub applied: LogIndex,
    /// The last durable entry.
    pub persisted: LogIndex,
    /// The first entry that is left in the log, or would be the next.
    pub first_index: LogIndex,
    /// The last entry.
    pub last_index: LogIndex,
    /// Entries in memory (bytes).
    pub log_bytes: u64,
    /// The newest snapshot.
    pub snapshot: Option<LogPosition>,
    /// The voters, ascending; during a joint change those of both sides.
    pub voters: Vec<NodeId>,
    /// All members, ascending; as of the last tick, or later.
    pub members: Arc<Vec<MemberStatus>>,
    /// Was this replica removed from its group? Then it never campaigns.
    pub removed: bool,
}

/// What is known of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStatus {
    /// Who.
    pub node: NodeId,
    /// Where, `host:port`; empty if the group was started without addresses.
    pub address: String,
    /// What it is in the configuration in force.
    pub role: MemberRole,
    /// What only the leader knows of it.
    pub progress: Option<MemberProgress>,
}

/// What a leader knows of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberProgress {
    /// The last entry that it surely has.
    pub match_index: LogIndex,
    /// Entries of the leader's log that it may lack.
    pub lag: u64,
    /// Was it heard of within an election timeout?
    pub active: bool,
    /// Is a snapshot on its way to it?
    pub snapshot: bool,
}

/// What a member is in its group's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemberRole {
    /// A voter that leads.
    Leader,
    /// It votes.
    Voter,
    /// It votes in the configuration that the change under way leads to.
    IncomingVoter,
    /// It votes until the change under way is complete.
    OutgoingVoter,
    /// It follows the log without a vote.
    Learner,
}

impl MemberRole {
    /// The name in lists of members, such as `outgoing voter`.
    pub fn name(self) -> &'static str {
        match self {
            MemberRole::Leader => "leader",
            MemberRole::Voter => "voter",
            MemberRole::IncomingVoter => "incoming voter",
            MemberRole::OutgoingVoter => "outgoing voter",
            MemberRole::Learner => "learner",
        }
    }
}
