//! Newtypes of the store's vocabulary.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A node of the cluster, from 1; 0 is nobody.
    NodeId
);
number!(
    /// Raft's logical clock.
    Term
);
number!(
    /// A position in the log, from 1. Also the store's revision.
    LogIndex
);
number!(
    /// A client request at one node, unique until the node restarts.
    RequestId
);
number!(
    /// A batch of writes to the log store; later batches have greater numbers.
    PersistNumber
);

/// A Raft group. Each has its own log and state, and a part of the keys; a node hosts replicas of
/// many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(pub u32);

/// What a replica is in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Proposes entries and answers reads.
    Leader,
    /// Follows a leader, or waits for one.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Asks whether it would get votes (Raft thesis §9.6).
    PreCandidate,
}

impl Role {
    /// The name in status replies, such as `pre-candidate`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Leader => "leader",
            Role::Follower => "follower",
            Role::Candidate => "candidate",
            Role::PreCandidate => "pre-candidate",
        }
    }
}
