//! Planted bugs: defects on purpose, to prove that the harness finds such defects.
//!
//! Without the feature `planted-bugs` no code path can reach one: [`Bugs::has`] is constant false.

#[cfg(all(feature = "planted-bugs", not(debug_assertions)))]
compile_error!("planted bugs never belong in a build without debug assertions");

/// Makes the table below the enum, and what is known of each bug.
macro_rules! bugs {
    ($($bug:ident, $name:literal, $about:literal;)*) => {
        /// A defect that can be planted in the store.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Bug {
            $(#[doc = $about] $bug,)*
        }

        /// Every bug, in the order in which it is listed.
        pub const BUGS: &[Bug] = &[$(Bug::$bug),*];

        impl Bug {
            /// The name on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Bug::$bug => $name,)*
                }
            }

            /// One sentence for `list bugs`.
            pub fn about(self) -> &'static str {
                match self {
                    $(Bug::$bug => $about,)*
                }
            }
        }
    };
}

bugs! {
    LocalReads, "local-reads", "every node answers reads from its own state, however old";
    EarlyAck, "early-ack", "the leader acknowledges a write before a quorum has it";
    VolatileLog, "volatile-log", "vote and log stay in process memory and are written a second later";
    MissingFsync, "missing-fsync", "the log is written, but never synced to disk";
    RetryTwice, "retry-twice", "a retried request is applied again";
    ReusedReadContext, "reused-read-context", "reads reuse a ReadIndex context, so an old acknowledgement confirms a new read";
    LeaseReads, "lease-reads", "reads trust a leader lease that nobody checks";
    ReadBeforeApply, "read-before-apply", "reads do not wait until the state machine reached the read index";
    RestoreWithoutClear, "restore-without-clear", "a snapshot is laid over the old state, so deleted keys come back";
    SnapshotIgnored, "snapshot-ignored", "a follower counts a snapshot's entries as applied, but keeps its old state";
    KeepAliveUnconfirmed, "keep-alive-unconfirmed", "a leader keeps leases alive without asking whether it still leads";
    SelfDoubleCount, "self-double-count", "a leader counts itself twice among those that have an entry";
    LogKeyOrder, "log-key-order", "the log is read back in the order of its indices as text";
    DoubleVote, "double-vote", "a node votes as often in a term as it is asked";
    UncheckedError, "unchecked-error", "a write that was refused is reported as done";
    CasZeroUnchecked, "cas-zero-unchecked", "a compare-and-set that expects 0 succeeds whatever the key holds";
    RemovedReads, "removed-reads", "a node that was removed from its group goes on answering reads";
    TransferAcks, "transfer-acks", "a write that comes while leadership is handed over is acknowledged and dropped";
    SnapshotAcks, "snapshot-acks", "a write that comes while an operator's snapshot is taken is acknowledged and dropped";
    EndingAcks, "ending-acks", "a leader that was told to end acknowledges writes that it drops";
    OverloadAcks, "overload-acks", "a leader whose clock was often late acknowledges writes that it drops";
    InterruptedStart, "interrupted-start", "after a start that was cut short, a node starts without the end of its log";
    FoundersForget, "founders-forget", "a first member that lost its data is let in again as the voter it was";
    WallClockLease, "wall-clock-lease", "whoever led answers reads alone while a lease on the wall clock lasts";
    TickLease, "tick-lease", "whoever led answers reads alone while a lease lasts that is counted in ticks";
    KnockReads, "knock-reads", "a leader answers reads alone while a majority accepts new connections";
    StubbornCandidate, "stubborn-candidate", "a candidate that asks again and again is elected, however old its log";
    LateSyncAcks, "late-sync-acks", "a leader that waits long for its disk acknowledges writes that it drops";
    ErrorsPassedOver, "errors-passed-over", "the first errors of the log's disk are passed over as if all had been written";
    NoRoomPassedOver, "no-room-passed-over", "what comes while there is no room for a snapshot of the state is dropped, and counts as applied";
    UncheckedIterator, "unchecked-iterator", "a range of the state that cannot be read to its end is taken to end there";
    DamagedStateAnew, "damaged-state-anew", "a state that cannot be opened is begun anew, as if all that the log has compacted were in it";
    LostSentAgain, "lost-sent-again", "a write that was lost with the connection to the leader is sent again as a new one";
    DatagramAgain, "datagram-again", "writes go to the leader as datagrams, and again as new ones if no answer comes soon";
    DatagramCumulative, "datagram-cumulative", "writes go to the leader as datagrams, and an answer counts for all before it";
    DatagramTwice, "datagram-twice", "writes go to the leader as datagrams, and are performed as often as they come";
    DatagramOrder, "datagram-order", "writes go to the leader as datagrams, whose pieces are put together as they come";
    DatagramCut, "datagram-cut", "writes go to the leader as datagrams, without the pieces that come late";
    CasPrefix, "cas-prefix", "a compare-and-set compares the first 64 bytes only";
    TxnWritesDropped, "txn-writes-dropped", "a transaction loses the writes behind its fourth one";
    TxnFirstWriteWins, "txn-first-write-wins", "of two writes of one key in a transaction the first one stays";
    TxnOwnWritesUnseen, "txn-own-writes-unseen", "a step of a transaction does not see the steps before it";
    TxnOneCondition, "txn-one-condition", "a transaction checks the first of its conditions only";
    TxnDeleteLost, "txn-delete-lost", "every eighth delete of a transaction is acknowledged and does nothing";
    TxnOldRevision, "txn-old-revision", "every other transaction gives what it writes the revision of an earlier entry";
    DeleteLost, "delete-lost", "every other delete is acknowledged and does nothing";
    AppendLost, "append-lost", "every sixteenth append is acknowledged and does nothing";
    AppendAnswersAfter, "append-answers-after", "every fourth append answers with the value after it, not before it";
    LargeValueCut, "large-value-cut", "values of 64 KiB and more lose their last byte";
    HotWriteLost, "hot-write-lost", "a put is acknowledged and lost once its key was written 499 times";
    VersionStops, "version-stops", "the version of a key stops at 32";
    ScanCut, "scan-cut", "a scan of more than 16 keys leaves out the last one";
    FreshKeysHidden, "fresh-keys-hidden", "a node hides every other write for the next 32 revisions, and its neighbour the others";
    RevisionOfBatch, "revision-of-batch", "writes that are applied together are all told the revision of the last one";
    WatchGap, "watch-gap", "a watch is not told of the last of several changes that are applied together";
    TokenGoesBack, "token-goes-back", "every other token of a lock is smaller by 1000 than it should be";
    TokenShared, "token-shared", "locks that are taken within 10000 log entries have the same token";
    KeepAliveIgnored, "keep-alive-ignored", "a keep-alive is answered, but the lease ends as if there had been none";
}

impl Bug {
    /// The bug of this name.
    pub fn from_name(name: &str) -> Option<Bug> {
        BUGS.iter().copied().find(|bug| bug.name() == name)
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
