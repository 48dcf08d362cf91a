//! Consistency models of transactions, which of them imply which, and what breaks them.

use super::kind::{Class, Kind, Variant};

macro_rules! levels {
    ($($level:ident, $name:literal, [$($weaker:ident),*], $about:literal;)*) => {
        /// A consistency model of transactions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Level {
            $(#[doc = $about] $level,)*
        }

        impl Level {
            /// All of them, weaker ones first.
            pub const ALL: &'static [Level] = &[$(Level::$level),*];

            /// The name on the command line, such as `snapshot-isolation`.
            pub const fn name(self) -> &'static str {
                match self { $(Level::$level => $name,)* }
            }

            /// What it asks, in a sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Level::$level => $about,)* }
            }

            /// The next weaker ones: whoever keeps this level keeps them too.
            pub const fn weaker(self) -> &'static [Level] {
                match self { $(Level::$level => &[$(Level::$weaker),*],)* }
            }
        }
    };
}

levels! {
    ReadUncommitted, "read-uncommitted", [],
        "Writes of two transactions are never interleaved (Adya's PL-1).";
    StrongSessionReadUncommitted, "strong-session-read-uncommitted", [ReadUncommitted],
        "As read-uncommitted, and writes keep the order of each process.";
    StrongReadUncommitted, "strong-read-uncommitted", [StrongSessionReadUncommitted],
        "As read-uncommitted, and writes keep the order of real time.";
    ReadCommitted, "read-committed", [ReadUncommitted],
        "Nobody sees what was taken back or not yet finished (Adya's PL-2).";
    StrongSessionReadCommitted, "strong-session-read-committed",
        [ReadCommitted, StrongSessionReadUncommitted],
        "As read-committed, in the order of each process.";
    StrongReadCommitted, "strong-read-committed",
        [StrongSessionReadCommitted, StrongReadUncommitted],
        "As read-committed, in the order of real time.";
    MonotonicView, "monotonic-view", [ReadCommitted],
        "What a transaction has seen does not disappear before its eyes (Adya's PL-2L).";
    MonotonicSnapshotRead, "monotonic-snapshot-read", [ReadCommitted],
        "Each read sees a snapshot, and later reads later ones (Adya's PL-MSR).";
    MonotonicAtomicView, "monotonic-atomic-view", [ReadCommitted],
        "Who has seen one effect of a transaction sees all of them from then on.";
    CursorStability, "cursor-stability", [ReadCommitted],
        "As read-committed, and no update of one object is lost (Adya's PL-CS).";
    ReadAtomic, "read-atomic", [MonotonicAtomicView],
        "A transaction sees all effects of another one or none.";
    Causal, "causal", [ReadAtomic],
        "Who sees an effect sees its causes; what a process did before is a cause.";
    UpdateAtomic, "update-atomic", [ReadAtomic],
        "As read-atomic, and no update is lost.";
    Prefix, "prefix", [ReadAtomic],
        "All transactions see prefixes of one order of commits.";
    ConsistentView, "consistent-view", [CursorStability, MonotonicView],
        "No transaction misses a part of what it depends on (Adya's PL-2+).";
    ForwardConsistentView, "forward-consistent-view", [ConsistentView],
        "As consistent-view, also for what was committed while it ran (Adya's PL-FCV).";
    ParallelSnapshotIsolation, "parallel-snapshot-isolation", [UpdateAtomic, ConsistentView],
        "Snapshots that may order independent transactions differently; no update is lost.";
    RepeatableRead, "repeatable-read", [CursorStability, MonotonicAtomicView],
        "No cycle of dependencies through objects (Adya's PL-2.99).";
    SnapshotIsolation, "snapshot-isolation",
        [ForwardConsistentView, MonotonicSnapshotRead, ParallelSnapshotIsolation, Prefix],
        "Each transaction sees one snapshot, and of two that write the same object only one commits.";
    StrongSessionSnapshotIsolation, "strong-session-snapshot-isolation",
        [SnapshotIsolation, StrongSessionReadCommitted, Causal],
        "As snapshot-isolation, and a process sees what it saw and did before.";
    StrongSnapshotIsolation, "strong-snapshot-isolation",
        [StrongSessionSnapshotIsolation, StrongReadCommitted],
        "As snapshot-isolation, and everybody sees what was done before.";
    UpdateSerializable, "update-serializable", [ForwardConsistentView],
        "Transactions that write are serializable (Adya's PL-3U).";
    Serializable, "serializable", [RepeatableRead, UpdateSerializable, SnapshotIsolation],
        "Transactions fit in one order (Adya's PL-3).";
    StrongSessionSerializable, "strong-session-serializable",
        [Serializable, StrongSessionSnapshotIsolation],
        "Transactions fit in one order, which keeps the order of each process.";
    StrictSerializable, "strict-serializable",
        [StrongSessionSerializable, StrongSnapshotIsolation],
        "Transactions fit in one order, which keeps the order of real time.";
}

/// A set of levels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Levels(u32);

impl Levels {
    /// Those that do not hold when anomalies of these kinds are in a history.
    pub(super) fn broken(kinds: impl IntoIterator<Item = Kind>) -> Levels {
        let mut levels = Levels::default();
        for kind in kinds {
            for &level in breaks(kind) {
                levels.0 |= 1 << level as u32;
            }
        }
        // Weaker levels come first in the table, so one pass finds all that is stronger.
        for &level in Level::ALL {
            if level.weaker().iter().any(|&weaker| levels.contains(weaker)) {
                levels.0 |= 1 << level as u32;
            }
        }
        levels
    }

    /// Whether it is in the set.
    pub fn contains(self, level: Level) -> bool {
        self.0 & (1 << level as u32) != 0
    }

    /// The members, weaker ones first.
    pub fn iter(self) -> impl Iterator<Item = Level> {
        Level::ALL.iter().copied().filter(move |&level| self.contains(level))
    }

    /// The members of which no weaker one is in the set too. For a set with all that is stronger.
    pub fn weakest(self) -> impl Iterator<Item = Level> {
        self.iter().filter(move |level| !level.weaker().iter().any(|&weaker| self.contains(weaker)))
    }
}

/// The weakest levels that an anomaly rules out (Adya 1999; Cerone, Bernardi, Gotsman 2015; Elle).
fn breaks(kind: Kind) -> &'static [Level] {
    use Level::*;
    match kind {
        Kind::DuplicateElements | Kind::ThinAirRead => &[ReadUncommitted],
        Kind::NonMonotonicRead => &[ReadCommitted],
        Kind::NoSnapshotOrder => &[SnapshotIsolation],
        Kind::NoSerialOrder => &[Serializable],
        Kind::NoSnapshotOrderProcess => &[StrongSessionSnapshotIsolation],
        Kind::NoSerialOrderProcess => &[StrongSessionSerializable],
        Kind::G1a | Kind::G1b | Kind::FutureRead => &[ReadCommitted],
        Kind::DirtyUpdate | Kind::IncompatibleOrder => &[ReadCommitted],
        Kind::Internal | Kind::FracturedRead => &[ReadAtomic],
        Kind::CausalityViolation => &[Causal],
        Kind::LostUpdate => &[CursorStability, UpdateAtomic],
        Kind::LongFork => &[Prefix, RepeatableRead],
        Kind::NotPrefix => &[Prefix],
        Kind::Cycle(class, Variant::Plain) => match class {
            Class::G0 => &[ReadUncommitted],
            Class::G1c => &[ReadCommitted],
            Class::GSingle => &[ConsistentView, RepeatableRead],
            Class::GNonadjacent => &[SnapshotIsolation, RepeatableRead],
            Class::G2Item => &[RepeatableRead],
        },
        Kind::Cycle(class, Variant::Process) => match class {
            Class::G0 => &[StrongSessionReadUncommitted, Causal],
            Class::G1c => &[StrongSessionReadCommitted, Causal],
            Class::GSingle | Class::GNonadjacent => &[StrongSessionSnapshotIsolation],
            Class::G2Item => &[StrongSessionSerializable],
        },
        Kind::Cycle(class, Variant::Realtime) => match class {
            Class::G0 => &[StrongReadUncommitted],
            Class::G1c => &[StrongReadCommitted],
            Class::GSingle | Class::GNonadjacent => &[StrongSnapshotIsolation],
            Class::G2Item => &[StrictSerializable],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weakest(kinds: &[Kind]) -> Vec<&'static str> {
        Levels::broken(kinds.iter().copied()).weakest().map(Level::name).collect()
    }

    #[test]
    fn weaker_levels_come_first() {
        for &level in Level::ALL {
            assert!(level.weaker().iter().all(|&weaker| weaker < level), "{level:?}");
        }
    }

    #[test]
    fn every_level_is_implied_by_strict_serializability() {
        let all = Levels::broken([Kind::ThinAirRead]);
        assert_eq!(all.iter().count(), Level::ALL.len());
        for &level in Level::ALL {
            let mut below = vec![Level::StrictSerializable];
            let mut at = 0;
            while at < below.len() {
                below.extend(below[at].weaker());
                at += 1;
            }
            assert!(below.contains(&level), "{level:?}");
        }
    }

    #[test]
    fn the_weakest_broken_levels_are_those_of_the_literature() {
        use Class::*;
        assert_eq!(weakest(&[Kind::Cycle(G0, Variant::Plain)]), ["read-uncommitted"]);
        assert_eq!(weakest(&[Kind::Cycle(G1c, Variant::Plain)]), ["read-committed"]);
        assert_eq!(
            weakest(&[Kind::Cycle(GSingle, Variant::Plain)]),
            ["consistent-view", "repeatable-read"]
        );
        assert_eq!(
            weakest(&[Kind::Cycle(GNonadjacent, Variant::Plain)]),
            ["repeatable-read", "snapshot-isolation"]
        );
        assert_eq!(
            weakest(&[Kind::Cycle(GSingle, Variant::Realtime)]),
            ["strong-snapshot-isolation"]
        );
        assert_eq!(weakest(&[Kind::LostUpdate]), ["cursor-stability", "update-atomic"]);
        assert!(!Levels::broken([Kind::LostUpdate]).contains(Level::Causal));
    }
}
