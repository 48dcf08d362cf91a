//! What happens to a replica.

use raft::eraftpb;

use super::change::MemberChange;
use crate::command::{LogCommand, Outcome};
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::state_machine::LeaseChange;
use crate::types::{LogIndex, NodeId, PersistNumber, RequestId, Term};

/// One thing that happened. Every input is one call of `step`.
#[derive(Debug, Clone)]
pub enum Input {
    /// One tick of the driver's monotonic clock passed.
    Tick,
    /// Nothing happened for a moment, so that there is time for what can wait: a leader tells its
    /// followers what is committed, if no entries have. See [`super::Replica::awaits_lull`].
    Lull,
    /// A peer's message arrived. One that carries a snapshot is stepped when all of the snapshot's
    /// files are here; if no [`super::Effects::install`] follows, they are not wanted.
    Message(eraftpb::Message),
    /// A client wants a command applied.
    Write {
        /// Names the request in the reply.
        request: RequestId,
        /// What to do.
        command: LogCommand,
    },
    /// A client wants a linearizable read.
    Read {
        /// Names the request in [`super::Effects::reads`], or in the reply if it is refused.
        request: RequestId,
    },
    /// A client wants its lease to begin anew.
    KeepAlive {
        /// Names the request in the reply.
        request: RequestId,
        /// The lease: the log index of its grant.
        lease: u64,
    },
    /// An operator wants other members. The reply comes when the change is complete.
    ChangeMembers {
        /// Names the request in the reply.
        request: RequestId,
        /// What to change.
        change: MemberChange,
        /// When to stop waiting. The change itself goes on.
        timeout_ticks: u64,
    },
    /// An operator wants another leader. The reply comes when it is known.
    TransferLeader {
        /// Names the request in the reply.
        request: RequestId,
        /// Who; none: whichever voter is furthest.
        to: Option<NodeId>,
    },
    /// An operator wants a snapshot now.
    TakeSnapshot {
        /// Names the request in the reply.
        request: RequestId,
    },
    /// Every batch up to this one is durable.
    Persisted(PersistNumber),
    /// The state machine has applied everything up to `index`.
    Applied {
        /// The last applied entry.
        index: LogIndex,
        /// What the commands answered, in log order.
        entries: Vec<AppliedEntry>,
        /// Leases that began and ended, in log order.
        leases: Vec<LeaseChange>,
    },
    /// The state as of `position` was switched to and is durable; see [`super::InstallSnapshot`].
    Installed {
        /// The snapshot's position.
        position: LogPosition,
        /// The living leases in it, as granted.
        leases: Vec<LeaseChange>,
    },
    /// A snapshot of this replica's state was taken and is durable.
    SnapshotTaken {
        /// The last entry that is in it.
        position: LogPosition,
        /// The group's configuration as of that entry.
        configuration: Configuration,
    },
    /// A snapshot could not be taken.
    SnapshotFailed,
    /// A snapshot was sent, or could not be. Every [`super::SendSnapshot`] must end so.
    SnapshotSent {
        /// The receiver.
        to: NodeId,
        /// Does the receiver have all of it?
        ok: bool,
    },
    /// Messages to this peer could not be sent.
    Unreachable(NodeId),
}

/// What a committed command answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AppliedEntry {
    /// Its position.
    pub index: LogIndex,
    /// The term in which it was proposed.
    pub term: Term,
    /// Its answer.
    pub outcome: Outcome,
}
