//! What operators ask of a group.

use tokio::sync::oneshot;

use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::replica::{Input, MemberChange};
use crate::types::{NodeId, RequestId};

use super::node::NodeError;

/// What an operator asks of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Administer {
    /// Change the members, if this node leads. Answered when the change is complete.
    ChangeMembers {
        /// What to change.
        change: MemberChange,
        /// When to stop waiting; the change itself goes on.
        timeout_ticks: u64,
    },
    /// Hand leadership over, if this node leads. Answered when the new leader is known.
    TransferLeader {
        /// To whom; none: whichever voter is furthest.
        to: Option<NodeId>,
    },
    /// Take a snapshot of this node's state now.
    TakeSnapshot,
}

/// The answer to the [`Administer`] of the same meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Administered {
    /// The configuration in force.
    Members(Configuration),
    /// Who leads now.
    Leader(NodeId),
    /// The last entry in the snapshot.
    Snapshot(LogPosition),
}

/// Who waits for the answer.
pub(super) type AdministerReply = oneshot::Sender<Result<Administered, NodeError>>;

impl Administer {
    pub(super) fn into_input(self, request: RequestId) -> Input {
        match self {
            Administer::ChangeMembers { change, timeout_ticks } => {
                Input::ChangeMembers { request, change, timeout_ticks }
            }
            Administer::TransferLeader { to } => Input::TransferLeader { request, to },
            Administer::TakeSnapshot => Input::TakeSnapshot { request },
        }
    }
}
