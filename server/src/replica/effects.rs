//! What a replica wants done.

use raft::eraftpb;

use crate::command::Outcome;
use crate::membership::Configuration;
use crate::types::{LogIndex, NodeId, PersistNumber, RequestId, Term};

/// What to do since the last call of `take_effects`. Lists are in the order in which they arose.
#[derive(Debug, Default)]
pub struct Effects {
    /// Send these; `to` names the receiver. Safe to send at once.
    pub messages: Vec<eraftpb::Message>,
    /// Write these, in order.
    pub persist: Vec<Persist>,
    /// Apply these, in order.
    pub committed: Vec<CommittedEntry>,
    /// These reads may be answered from the state as it is after everything reported as applied.
    pub reads: Vec<RequestId>,
    /// These requests are answered.
    pub replies: Vec<(RequestId, Reply)>,
}

/// A batch of writes to the log store.
#[derive(Debug, Clone, PartialEq)]
pub struct Persist {
    /// To be named in [`super::Input::Persisted`].
    pub number: PersistNumber,
    /// Term, vote and commit index, if they changed.
    pub hard_state: Option<eraftpb::HardState>,
    /// New entries; they replace everything from the first one's index on.
    pub entries: Vec<eraftpb::Entry>,
    /// Must it be durable before it is reported? Otherwise it may be lost without harm.
    pub must_sync: bool,
}

/// An entry that is committed and durable here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedEntry {
    /// Its position.
    pub index: LogIndex,
    /// The term in which it was proposed.
    pub term: Term,
    /// An encoded [`crate::command::LogCommand`]; empty for the first entry of a leader, and for an
    /// entry that changes the configuration.
    pub data: bytes::Bytes,
    /// The group's configuration as of this entry, if the entry changes it.
    pub configuration: Option<Configuration>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reply {
    /// The command was applied.
    Applied {
        /// The term in which it was proposed.
        term: Term,
        /// Its answer.
        outcome: Outcome,
    },
    /// It was refused, or its fate is unknown.
    Rejected(Rejection),
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// Another node leads, or none that is known.
    #[error("not the leader")]
    NotLeader {
        /// The believed leader.
        leader: Option<NodeId>,
    },
    /// A queue is full.
    #[error("too many requests are waiting")]
    Busy,
    /// Another leader's entry was committed in its place.
    #[error("the log entry was overwritten")]
    Overwritten,
    /// Leadership was lost before its fate was known.
    #[error("leadership was lost before the entry was committed")]
    Uncertain,
    /// It waited too long.
    #[error("no answer in time")]
    Timeout,
}

impl Rejection {
    /// May a write that was answered so have taken effect, now or later? (A read never has an effect.)
    pub fn is_indefinite(self) -> bool {
        match self {
            Rejection::NotLeader { .. } | Rejection::Busy | Rejection::Overwritten => false,
            Rejection::Uncertain | Rejection::Timeout => true,
        }
    }
}
