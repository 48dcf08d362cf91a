//! What a run met: counters that show that a pass is not vacuous.

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// Something that is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Counter { $($(#[$doc])* $variant,)* }

        impl Counter {
            /// Every counter, in the order of the table.
            pub const ALL: &'static [Counter] = &[$(Counter::$variant,)*];

            /// The row's name in the table.
            pub fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)* }
            }
        }
    };
}

counters! {
    /// A run ended.
    Runs => "runs",
    /// A leader other than the last one appeared.
    LeaderChanges => "leader changes",
    /// A process was killed; what it wrote is still in the page cache.
    Kills => "crashes: process killed",
    /// A machine lost power; what was not synced is lost.
    PowerLosses => "crashes: power lost",
    /// Every node lost power at once.
    Blackouts => "crashes: whole cluster lost power",
    /// A node started again.
    Restarts => "restarts",
    /// A node started with a state older than its log.
    StaleStates => "restarts from an older state",
    /// A batch of writes to a log was lost in a crash.
    LostWrites => "lost unsynced writes",
    /// A process was stopped and went on.
    Pauses => "pauses",
    /// A disk was slow.
    SlowDisks => "slow disks",
    /// A state machine was slow.
    SlowApplies => "slow state machines",
    /// The followers' state machines were slow, then the leader was isolated.
    SlowFollowers => "slow followers, leader isolated",
    /// The network was bad for a while.
    Storms => "network storms",
    /// Two halves.
    PartitionsHalves => "partitions: halves",
    /// One node alone.
    PartitionsOne => "partitions: one isolated",
    /// The leader alone.
    PartitionsLeader => "partitions: leader isolated",
    /// Messages to the leader became slow, then it was isolated.
    Congestions => "leader congested, then isolated",
    /// A node that hears nobody.
    PartitionsDeaf => "partitions: one way, deaf",
    /// A node that nobody hears.
    PartitionsMute => "partitions: one way, mute",
    /// Two halves and one node that sees both.
    PartitionsBridge => "partitions: bridge",
    /// A message was handed to the network.
    MessagesSent => "messages sent",
    /// A message was lost, or cut off.
    MessagesDropped => "messages dropped",
    /// A message arrived twice.
    MessagesDuplicated => "messages duplicated",
    /// A message arrived after one that was sent later on the same link.
    MessagesReordered => "messages reordered",
    /// A message was held back for longer than an election takes.
    MessagesStuck => "messages held back",
    /// A batch was written to a log.
    LogWrites => "log writes",
    /// A log dropped entries that conflicted with a leader's.
    Truncations => "log truncations",
    /// A node took a snapshot of its state.
    SnapshotsTaken => "snapshots taken",
    /// A node could not take a snapshot.
    SnapshotsFailed => "snapshots failed",
    /// A log forgot entries behind a snapshot.
    Compactions => "log compactions",
    /// A snapshot was on its way to a follower.
    SnapshotsSent => "snapshots sent",
    /// It was lost, or its sender was told so.
    SnapshotsLost => "snapshots lost",
    /// A node switched to a snapshot of a leader.
    Installs => "snapshots installed",
    /// A node crashed before it had switched to a snapshot, ...
    CrashesBeforeInstall => "crashes before a switch",
    /// ... or after that and before its log was reset, and reset it when it started again.
    LogResets => "log resets at a start",
    /// A new node became a learner.
    MembersAdded => "members: added",
    /// A learner became a voter.
    MembersPromoted => "members: promoted",
    /// A voter became a learner.
    MembersDemoted => "members: demoted",
    /// A member left.
    MembersRemoved => "members: removed",
    /// A member took the place of another one.
    MembersReplaced => "members: replaced",
    /// A joint configuration came into force.
    JointConfigurations => "joint configurations",
    /// A change was refused.
    ChangesRefused => "changes of members refused",
    /// A change's fate was left open.
    ChangesUncertain => "changes of members uncertain",
    /// A removed node, or a learner, lost its disk.
    Wipes => "wiped nodes",
    /// Leadership was handed over.
    Transfers => "leaders transferred",
    /// Leadership was not handed over.
    TransfersFailed => "leader transfers failed",
    /// A lease was granted.
    LeasesGranted => "leases granted",
    /// A lease was kept alive.
    LeasesKeptAlive => "leases kept alive",
    /// A lease ended.
    LeasesEnded => "leases ended",
    /// A keep-alive came too late.
    LeasesTooLate => "keep-alives too late",
    /// An operation was asked again.
    Retries => "retries",
    /// A read was answered.
    Reads => "reads ok",
    /// A write was answered.
    Writes => "writes ok",
    /// A compare-and-set changed the register.
    CasOk => "cas ok",
    /// A compare-and-set found another value.
    CasMismatch => "cas mismatch",
    /// An operation surely did not happen.
    Failed => "operations failed",
    /// An operation's fate is unknown.
    Indeterminate => "operations indeterminate",
    /// An operation that was asked more than once was answered.
    RetriesAnswered => "retried operations answered",
}

/// Counts of one run, or of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage([u64; Counter::ALL.len()]);

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage([0; Counter::ALL.len()])
    }
}

impl Coverage {
    /// How often it happened.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter as usize]
    }

    /// Operations that a client got an answer for.
    pub fn completed(&self) -> u64 {
        [Counter::Reads, Counter::Writes, Counter::CasOk, Counter::CasMismatch]
            .iter()
            .map(|counter| self.get(*counter))
            .sum()
    }

    /// Crashes of any kind.
    pub fn crashes(&self) -> u64 {
        self.get(Counter::Kills) + self.get(Counter::PowerLosses)
    }

    pub(super) fn count(&mut self, counter: Counter) {
        self.0[counter as usize] += 1;
    }

    pub(super) fn add(&mut self, counter: Counter, times: u64) {
        self.0[counter as usize] += times;
    }

    pub(super) fn merge(&mut self, other: &Coverage) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}
