//! What happens to a replica.

use raft::eraftpb;

use crate::command::{LogCommand, Outcome};
use crate::state_machine::LeaseChange;
use crate::types::{LogIndex, NodeId, PersistNumber, RequestId, Term};

/// One thing that happened. Every input is one call of `step`.
#[derive(Debug, Clone)]
pub enum Input {
    /// One tick of the driver's monotonic clock passed.
    Tick,
    /// A peer's message arrived.
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
