//! The anomalies, by their names in the literature.

use std::fmt;

/// What a cycle of dependencies is made of (Adya 1999; G-nonadjacent: Elle).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// Writes that overwrite each other.
    G0,
    /// Writes and reads of them.
    G1c,
    /// With exactly one read that misses a write.
    GSingle,
    /// With two or more such reads, never one right after another.
    GNonadjacent,
    /// With two or more such reads, of which two follow each other.
    G2Item,
}

/// Which order, beside data, a cycle needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Variant {
    /// None.
    Plain,
    /// What one process did one after another.
    Process,
    /// What ended before something else began.
    Realtime,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Class::G0 => "G0",
            Class::G1c => "G1c",
            Class::GSingle => "G-single",
            Class::GNonadjacent => "G-nonadjacent",
            Class::G2Item => "G2-item",
        }
    }
}

impl Variant {
    pub(super) const ALL: [Variant; 3] = [Variant::Plain, Variant::Process, Variant::Realtime];

    fn suffix(self) -> &'static str {
        match self {
            Variant::Plain => "",
            Variant::Process => "-process",
            Variant::Realtime => "-realtime",
        }
    }
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// An element is in a list twice.
    DuplicateElements,
    /// A read returned what nobody wrote.
    ThinAirRead,
    /// A read returned what was taken back.
    G1a,
    /// A read returned what its writer went on to change.
    G1b,
    /// A transaction read what it only writes later.
    FutureRead,
    /// A committed write builds upon one that was taken back.
    DirtyUpdate,
    /// Two reads of a list of which neither begins with the other.
    IncompatibleOrder,
    /// A transaction saw another one, and later a version from before it.
    NonMonotonicRead,
    /// A read contradicts what its own transaction read or wrote before.
    Internal,
    /// A transaction saw one write of another one and missed another.
    FracturedRead,
    /// A read misses a write that one of its causes knew.
    CausalityViolation,
    /// Two transactions changed the same version.
    LostUpdate,
    /// Two readers saw two independent writes in opposite orders.
    LongFork,
    /// A cycle that no order of commits allows, even if transactions see old prefixes of it.
    NotPrefix,
    /// No order of commits and no snapshots explain what was read.
    NoSnapshotOrder,
    /// No order of transactions explains what was read.
    NoSerialOrder,
    /// No such order of commits keeps the order of each process.
    NoSnapshotOrderProcess,
    /// No such order of transactions keeps the order of each process.
    NoSerialOrderProcess,
    /// Transactions depend on each other in a circle.
    Cycle(Class, Variant),
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Kind::DuplicateElements => "duplicate-elements",
            Kind::ThinAirRead => "thin-air-read",
            Kind::G1a => "G1a",
            Kind::G1b => "G1b",
            Kind::FutureRead => "future-read",
            Kind::DirtyUpdate => "dirty-update",
            Kind::IncompatibleOrder => "incompatible-order",
            Kind::NonMonotonicRead => "non-monotonic-read",
            Kind::Internal => "internal",
            Kind::FracturedRead => "fractured-read",
            Kind::CausalityViolation => "causality-violation",
            Kind::LostUpdate => "lost-update",
            Kind::LongFork => "long-fork",
            Kind::NotPrefix => "prefix-cycle",
            Kind::NoSnapshotOrder => "no-snapshot-order",
            Kind::NoSerialOrder => "no-serial-order",
            Kind::NoSnapshotOrderProcess => "no-snapshot-order-process",
            Kind::NoSerialOrderProcess => "no-serial-order-process",
            Kind::Cycle(class, variant) => {
                return write!(formatter, "{}{}", class.name(), variant.suffix());
            }
        })
    }
}
