//! What a fault is. A new kind is one file in `faults` and one line in [`FAULTS`].
//!
//! ```text
//! FaultKind ── variants() ──> Fault ── install() ──> ActiveFault ── heal() ──> what was seen
//! a line of the table         what is planned        what is owed to the run
//! ```

use std::fmt;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;

use super::faults::{
    BANDWIDTH, CLIENT_PAUSE, CLOCK_DRIFT, CLOCK_JUMP, CLOCK_STROBE, COMMAND, CORRUPT, CORRUPT_FILE,
    CRASH_LOOP, DELAY, DISK_ERROR, DISK_FULL, DUPLICATE, FLAPPING, HALF_OPEN, KILL, LOSS,
    MEMBERSHIP, PARTIAL, PARTITION, PAUSE, PAUSE_KILL, POWER_LOSS, REORDER, RESET, RESTART,
    ROLLING_RESTART, SLOW, SLOW_DISK, SNAPSHOT, STUCK_DISK, SWIZZLE, TRANSFER, WIPE,
};
use super::record::FaultRecord;
use super::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;

/// All kinds of fault.
pub const FAULTS: &[&FaultKind] = &[
    &PARTITION,
    &KILL,
    &PAUSE,
    &CRASH_LOOP,
    &RESTART,
    &ROLLING_RESTART,
    &PAUSE_KILL,
    &SLOW,
    &WIPE,
    &MEMBERSHIP,
    &TRANSFER,
    &SNAPSHOT,
    &PARTIAL,
    &FLAPPING,
    &SWIZZLE,
    &DELAY,
    &LOSS,
    &DUPLICATE,
    &REORDER,
    &CORRUPT,
    &BANDWIDTH,
    &RESET,
    &HALF_OPEN,
    &POWER_LOSS,
    &DISK_FULL,
    &DISK_ERROR,
    &SLOW_DISK,
    &STUCK_DISK,
    &CORRUPT_FILE,
    &CLOCK_JUMP,
    &CLOCK_DRIFT,
    &CLOCK_STROBE,
    &CLIENT_PAUSE,
    &COMMAND,
];

/// One line of the table of faults.
pub struct FaultKind {
    /// The name on the command line.
    pub name: &'static str,
    /// One paragraph for `list faults`.
    pub about: &'static str,
    /// A page for `list faults NAME`: how it is done, how it is seen to act, what it finds.
    pub help: &'static str,
    /// The fewest nodes that it makes sense with.
    pub nodes_min: u16,
    /// Do nodes lose what they have in memory?
    pub forgets: bool,
    /// What must be there before the nodes start.
    pub arrangements: &'static [Arrangement],
    /// Every way in which it can be drawn; one that should come twice as often is there twice.
    pub variants: fn(Situation) -> Vec<Arc<dyn Fault>>,
}

/// What a fault needs to be arranged before the nodes start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arrangement {
    /// Data directories are on disks that can fail.
    Disk,
    /// Nodes have clocks that can be set.
    Clock,
    /// Operations have as much time as clients may be stopped.
    Clients,
    /// The file of the adapter has commands for it.
    Commands,
}

/// The cluster that faults are planned for.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// Nodes in the cluster.
    pub nodes: u16,
    /// Must a majority of the nodes stay connected and running?
    pub keep_quorum: bool,
}

/// A fault that can be planned.
pub trait Fault: fmt::Debug + Send + Sync {
    /// Tells it from the other variants of its kind; in words for scenarios, such as `leader, incoming`.
    fn variant(&self) -> String;

    /// Puts it in force and looks whether it is. Whatever is drawn is drawn from `rng`, so that the seed of the fault repeats it.
    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped>;
}

/// A fault in force. Healing it is what the injector owes the run.
pub trait ActiveFault: Send {
    /// Nodes that no other fault may touch as long as this one lasts.
    fn holds(&self) -> &[NodeId] {
        &[]
    }

    /// Undoes it and looks whether it is undone.
    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen;
}

impl FaultKind {
    /// Is it nothing without what a user wrote?
    pub fn needs_an_author(&self) -> bool {
        self.arrangements.contains(&Arrangement::Commands)
    }

    /// Does it leave nodes and network to themselves, so that it can be had where they are somebody else's?
    pub fn is_outside_nodes(&self) -> bool {
        let is_outside =
            |it: &Arrangement| matches!(it, Arrangement::Clients | Arrangement::Commands);
        self.arrangements.iter().any(is_outside)
    }
}

impl fmt::Debug for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl PartialEq for FaultKind {
    fn eq(&self, other: &FaultKind) -> bool {
        self.name == other.name
    }
}

impl Eq for FaultKind {}

/// A name in `--faults` that is not a fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown fault {name:?}\nhint: one of {}, all, or none", fault_names())]
pub struct UnknownFault {
    name: String,
}

/// The kind of this name.
pub fn fault_kind(name: &str) -> Result<&'static FaultKind, UnknownFault> {
    let found = FAULTS.iter().copied().find(|kind| kind.name == name);
    found.ok_or_else(|| UnknownFault { name: name.to_owned() })
}

/// Are these all kinds that need nobody to write down what they do?
pub fn is_all(kinds: &[&FaultKind]) -> bool {
    let has = |wanted: &FaultKind| kinds.iter().any(|kind| kind.name == wanted.name);
    FAULTS.iter().all(|kind| kind.needs_an_author() || has(kind))
}

/// What can be seen of the clock of every program that says the time, even if only to the second.
const CLOCK: [&FaultKind; 2] = [&CLOCK_JUMP, &CLOCK_DRIFT];

/// Reads `partition,kill`, `all` or `none`; `clock` is [`CLOCK`]. They come in the order of the table,
/// without repetition.
pub fn parse_faults(list: &str) -> Result<Vec<&'static FaultKind>, UnknownFault> {
    let mut asked = Vec::new();
    for name in list.split(',').map(str::trim) {
        match name {
            "none" => {}
            "all" => asked.extend(FAULTS.iter().filter(|kind| !kind.needs_an_author())),
            "clock" => asked.extend(CLOCK),
            _ => asked.push(fault_kind(name)?),
        }
    }
    Ok(FAULTS.iter().copied().filter(|kind| asked.contains(kind)).collect())
}

fn fault_names() -> String {
    FAULTS.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_faults_are_read_once_each() {
        assert_eq!(parse_faults("none"), Ok(vec![]));
        assert_eq!(parse_faults("kill, partition,kill"), Ok(vec![&PARTITION, &KILL]));
        assert_eq!(parse_faults("kill,clock").map(|kinds| kinds.len()), Ok(3));
        assert_eq!(parse_faults("all").map(|kinds| kinds.len()), Ok(FAULTS.len() - 1));
        assert_eq!(parse_faults("all,command").map(|kinds| kinds.len()), Ok(FAULTS.len()));
        let error = parse_faults("earthquake").expect_err("there is no such fault");
        assert!(error.to_string().contains("hint: one of partition, kill, pause"));
    }

    #[test]
    fn every_kind_has_a_name_of_its_own_a_page_and_variants_of_different_names() {
        for (number, kind) in FAULTS.iter().enumerate() {
            assert!(FAULTS[..number].iter().all(|other| other.name != kind.name));
            assert!(kind.help.len() > kind.about.len(), "{}", kind.name);
            for keep_quorum in [false, true] {
                let variants = (kind.variants)(Situation { nodes: 5, keep_quorum });
                assert!(!variants.is_empty(), "{}", kind.name);
                for variant in &variants {
                    let same = variants.iter().filter(|it| it.variant() == variant.variant());
                    assert!(same.count() <= 2, "{}: {}", kind.name, variant.variant());
                }
            }
        }
    }
}
