//! What operators do to a system: a capability that a system may lack.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::BoxFuture;
use crate::node_id::NodeId;

/// What a member is to its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberRole {
    /// Leads, and votes.
    Leader,
    /// Votes.
    Voter,
    /// Follows without a vote.
    Learner,
    /// Comes or goes by a change that is not complete.
    Changing,
}

impl MemberRole {
    /// Does it vote, now and after the change that is under way?
    pub fn votes(self) -> bool {
        matches!(self, MemberRole::Leader | MemberRole::Voter)
    }
}

/// The members of a group.
pub type Members = BTreeMap<NodeId, MemberRole>;

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminAction {
    /// Hand leadership over; to whichever voter is furthest if nobody is named.
    Transfer {
        /// Who is to lead.
        to: Option<NodeId>,
    },
    /// A node takes a snapshot of its state now, and forgets the log behind it.
    Snapshot {
        /// Who.
        node: NodeId,
    },
    /// Members come, go, or get another part.
    ChangeMembers(MemberChange),
}

/// A change of the members of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange {
    /// A voter loses its vote, and follows.
    Demote {
        /// Who.
        node: NodeId,
    },
    /// One that follows gets a vote.
    Promote {
        /// Who.
        node: NodeId,
    },
    /// A member leaves.
    Remove {
        /// Who.
        node: NodeId,
    },
    /// A node becomes a member: it follows until it has caught up, and votes then.
    Add {
        /// Who.
        node: NodeId,
        /// Where the other nodes find it.
        address: SocketAddr,
    },
}

impl fmt::Display for AdminAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdminAction::Transfer { to: Some(node) } => write!(formatter, "let {node} lead"),
            AdminAction::Transfer { to: None } => formatter.write_str("let another node lead"),
            AdminAction::Snapshot { node } => write!(formatter, "let {node} take a snapshot"),
            AdminAction::ChangeMembers(change) => match change {
                MemberChange::Demote { node } => write!(formatter, "demote {node}"),
                MemberChange::Promote { node } => write!(formatter, "promote {node}"),
                MemberChange::Remove { node } => write!(formatter, "remove {node}"),
                MemberChange::Add { node, .. } => write!(formatter, "add {node}"),
            },
        }
    }
}

/// A command of an operator failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct AdminError {
    /// What was asked for, as a verb phrase.
    pub what: String,
    /// Why it failed; also says if it may have had its effect.
    pub reason: String,
}

/// The commands of operators. Each ends within a small multiple of `patience`.
pub trait Admin: Send + Sync {
    /// Groups, numbered from 0, each with members of its own.
    fn groups(&self) -> u32;

    /// The members of a group, as its leader knows them. `nodes`: where all nodes answer clients.
    fn members<'a>(
        &'a self,
        nodes: &'a BTreeMap<NodeId, SocketAddr>,
        group: u32,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Members, AdminError>>;

    /// Asks for this once, and waits until it is done. Returns what came of it, in words.
    fn perform<'a>(
        &'a self,
        nodes: &'a BTreeMap<NodeId, SocketAddr>,
        group: u32,
        action: AdminAction,
        patience: Duration,
    ) -> BoxFuture<'a, Result<String, AdminError>>;
}
