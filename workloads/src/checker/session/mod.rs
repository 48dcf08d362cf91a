//! Session guarantees (Terry et al. 1994) of registers, one at a time.
//!
//! A session is a process. Each guarantee asks for one order of all versions of a register, in which
//!
//! ```text
//! read-your-writes      what a session reads is not before what it wrote
//! monotonic-reads       ... not before what it read earlier
//! monotonic-writes      what a session writes is after what it wrote earlier
//! writes-follow-reads   ... after what it read earlier
//! ```
//!
//! The starting value is the first version, and a cas puts its version behind the one it replaced. Real
//! time does not count. Where each value is written once this is a graph of versions, and a guarantee
//! holds exactly if the graph has no circle. Values that are written more than once are left out; then
//! a guarantee is broken or unknown, but never said to hold.

mod versions;

#[cfg(test)]
mod tests;

use super::linearizable::partition;
use super::{Anomaly, Budget, Check, CheckOptions, PartitionCounts, Verdict};
use crate::history::{Operation, Value};
use crate::model::{Initial, ObjectModel, Register, UnsuitableOperation};

/// One of the four guarantees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// What a session reads is not before what it wrote.
    ReadYourWrites,
    /// What a session reads is not before what it read earlier.
    MonotonicReads,
    /// What a session writes is after what it wrote earlier.
    MonotonicWrites,
    /// What a session writes is after what it read earlier.
    WritesFollowReads,
}

impl Guarantee {
    /// All four.
    pub const ALL: [Guarantee; 4] = [
        Guarantee::ReadYourWrites,
        Guarantee::MonotonicReads,
        Guarantee::MonotonicWrites,
        Guarantee::WritesFollowReads,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Guarantee::ReadYourWrites => "read-your-writes",
            Guarantee::MonotonicReads => "monotonic-reads",
            Guarantee::MonotonicWrites => "monotonic-writes",
            Guarantee::WritesFollowReads => "writes-follow-reads",
        }
    }
}

/// What a guarantee is worth on one register.
pub(super) enum Judgement {
    Holds,
    /// Values that were written more than once may hide something; so many.
    Unknown(String),
    Broken(Box<Anomaly>),
}

/// Read-your-writes, as the table of checkers has it.
pub(super) fn check_read_your_writes(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    check(Guarantee::ReadYourWrites, operations, options, budget)
}

/// Monotonic reads, as the table of checkers has it.
pub(super) fn check_monotonic_reads(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    check(Guarantee::MonotonicReads, operations, options, budget)
}

/// Monotonic writes, as the table of checkers has it.
pub(super) fn check_monotonic_writes(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    check(Guarantee::MonotonicWrites, operations, options, budget)
}

/// Writes follow reads, as the table of checkers has it.
pub(super) fn check_writes_follow_reads(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    check(Guarantee::WritesFollowReads, operations, options, budget)
}

fn check(
    guarantee: Guarantee,
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let initial = options.initial.clone().unwrap_or(Initial::Value(Value::Null));
    let mut partitions = PartitionCounts::default();
    let (mut reason, mut anomalies) = (None, Vec::new());
    for (key, operations) in partition(operations) {
        if let Some(spent) = budget.exhausted(operations.len() * 100) {
            partitions.unknown += 1;
            reason.get_or_insert(spent);
            continue;
        }
        let (register, entries) = Register::encode(&operations, &initial)?;
        match versions::judge(guarantee, &register, &key, &operations, &entries) {
            Judgement::Holds => partitions.valid += 1,
            Judgement::Unknown(why) => {
                partitions.unknown += 1;
                reason.get_or_insert(why);
            }
            Judgement::Broken(anomaly) => {
                partitions.invalid += 1;
                anomalies.push(*anomaly);
            }
        }
    }
    let (name, total) =
        (guarantee.name(), partitions.valid + partitions.unknown + partitions.invalid);
    let objects = if total == 1 { "key" } else { "keys" };
    let (verdict, summary) = match partitions {
        PartitionCounts { invalid, .. } if invalid > 0 => {
            (Verdict::Invalid, format!("{name} is broken on {invalid} of {total} {objects}"))
        }
        PartitionCounts { unknown, .. } if unknown > 0 => (
            Verdict::Unknown,
            format!("{name} could not be decided on {unknown} of {total} {objects}"),
        ),
        _ => (Verdict::Valid, format!("{name} holds on {total} {objects}")),
    };
    anomalies.truncate(ANOMALIES_MAX);
    Ok(Check {
        reason,
        partitions: Some(partitions),
        broken: if verdict == Verdict::Invalid { vec![name.to_owned()] } else { Vec::new() },
        anomalies,
        ..Check::new(name, verdict, summary)
    })
}

/// Anomalies shown; further keys are only counted.
const ANOMALIES_MAX: usize = 8;
