//! Planted bugs: defects on purpose, to prove that the harness finds such defects.
//!
//! Without the feature `planted-bugs` no code path can reach one: [`Bugs::has`] is constant false.

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!("planted bugs never belong in a build without debug assertions");

/// A defect that can be planted in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bug {
    /// Every node answers reads from its own state.
    LocalReads,
    /// The leader acknowledges a write when it proposes it.
    EarlyAck,
    /// Vote and log stay in process memory and are written a second later.
    VolatileLog,
    /// The log is written, but never synced.
    MissingFsync,
    /// A retried request is applied again.
    RetryTwice,
    /// All reads of a term ride on one ReadIndex context, so that an old acknowledgement confirms a
    /// new read.
    ReusedReadContext,
    /// Reads trust a leader lease that nobody checks.
    LeaseReads,
    /// A read is answered at its read index without waiting for the state machine.
    ReadBeforeApply,
    /// A snapshot is laid over the state instead of taking its place.
    RestoreWithoutClear,
    /// A follower counts a snapshot's entries as applied, but keeps its old state.
    SnapshotIgnored,
    /// A leader answers keep-alives of leases without asking whether it still leads.
    KeepAliveUnconfirmed,
    /// A leader counts itself twice among those that have an entry.
    SelfDoubleCount,
    /// The log is read back in the order of its indices as text: 1, 10, 11, 2.
    LogKeyOrder,
    /// A node forgets its vote and votes again in the same term.
    DoubleVote,
    /// A write that was refused is reported as done.
    UncheckedError,
    /// A leader that was confirmed answers reads alone for a while, measured on the wall clock.
    WallClockLease,
}

/// Every bug, in the order in which it is listed.
pub const BUGS: &[Bug] = &[
    Bug::LocalReads,
    Bug::EarlyAck,
    Bug::VolatileLog,
    Bug::MissingFsync,
    Bug::RetryTwice,
    Bug::ReusedReadContext,
    Bug::LeaseReads,
    Bug::ReadBeforeApply,
    Bug::RestoreWithoutClear,
    Bug::SnapshotIgnored,
    Bug::KeepAliveUnconfirmed,
    Bug::SelfDoubleCount,
    Bug::LogKeyOrder,
    Bug::DoubleVote,
    Bug::UncheckedError,
    Bug::WallClockLease,
];

impl Bug {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Bug::LocalReads => "local-reads",
            Bug::EarlyAck => "early-ack",
            Bug::VolatileLog => "volatile-log",
            Bug::MissingFsync => "missing-fsync",
            Bug::RetryTwice => "retry-twice",
            Bug::ReusedReadContext => "reused-read-context",
            Bug::LeaseReads => "lease-reads",
            Bug::ReadBeforeApply => "read-before-apply",
            Bug::RestoreWithoutClear => "restore-without-clear",
            Bug::SnapshotIgnored => "snapshot-ignored",
            Bug::KeepAliveUnconfirmed => "keep-alive-unconfirmed",
            Bug::SelfDoubleCount => "self-double-count",
            Bug::LogKeyOrder => "log-key-order",
            Bug::DoubleVote => "double-vote",
            Bug::UncheckedError => "unchecked-error",
            Bug::WallClockLease => "wall-clock-lease",
        }
    }

    /// The bug of this name.
    pub fn from_name(name: &str) -> Option<Bug> {
        BUGS.iter().copied().find(|bug| bug.name() == name)
    }

    /// One sentence for `list bugs`.
    pub fn about(self) -> &'static str {
        match self {
            Bug::LocalReads => "every node answers reads from its own state, however old",
            Bug::EarlyAck => "the leader acknowledges a write before a quorum has it",
            Bug::VolatileLog => {
                "vote and log stay in process memory and are written a second later"
            }
            Bug::MissingFsync => "the log is written, but never synced to disk",
            Bug::RetryTwice => "a retried request is applied again",
            Bug::ReusedReadContext => {
                "reads reuse a ReadIndex context, so an old acknowledgement confirms a new read"
            }
            Bug::LeaseReads => "reads trust a leader lease that nobody checks",
            Bug::ReadBeforeApply => {
                "reads do not wait until the state machine reached the read index"
            }
            Bug::RestoreWithoutClear => {
                "a snapshot is laid over the old state, so deleted keys come back"
            }
            Bug::SnapshotIgnored => {
                "a follower counts a snapshot's entries as applied, but keeps its old state"
            }
            Bug::KeepAliveUnconfirmed => {
                "a leader keeps leases alive without asking whether it still leads"
            }
            Bug::SelfDoubleCount => "a leader counts itself twice among those that have an entry",
            Bug::LogKeyOrder => "the log is read back in the order of its indices as text",
            Bug::DoubleVote => "a node votes as often in a term as it is asked",
            Bug::UncheckedError => "a write that was refused is reported as done",
            Bug::WallClockLease => {
                "a leader answers reads alone while a lease on the wall clock lasts"
            }
        }
    }
}

/// Which bug is planted in this process, if any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bugs(Option<Bug>);

impl Bugs {
    /// A correct store.
    pub const NONE: Bugs = Bugs(None);

    /// A store with one defect.
    #[cfg(feature = "planted-bugs")]
    pub fn planted(bug: Bug) -> Bugs {
        Bugs(Some(bug))
    }

    /// Is this bug planted?
    #[inline]
    pub fn has(self, bug: Bug) -> bool {
        cfg!(feature = "planted-bugs") && self.0 == Some(bug)
    }
}
