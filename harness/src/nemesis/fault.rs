//! The faults. A new kind is a line in [`FAULTS`] and a file that installs it.

use serde::Serialize;

pub use super::grudge::{Direction, PartitionShape};

/// One line of the table of faults.
pub struct FaultEntry {
    /// What the kind is called.
    pub kind: FaultKind,
    /// One paragraph for `list faults`.
    pub about: &'static str,
}

/// All kinds of fault.
pub const FAULTS: &[FaultEntry] = &[
    FaultEntry {
        kind: FaultKind::Partition,
        about: "Drops packets between nodes: one node, halves, a random majority, rings of majorities, \
                a bridge, the leader alone; both ways or one way only. Clients keep their links, so \
                the minority side is asked too.",
    },
    FaultEntry {
        kind: FaultKind::Kill,
        about: "SIGKILL to whole nodes (one, the leader, a minority, a majority, all), started again \
                when the fault heals. Finds what was acknowledged before it was durable.",
    },
    FaultEntry {
        kind: FaultKind::Pause,
        about: "SIGSTOP to whole nodes, SIGCONT when the fault heals. A paused leader wakes up believing \
                that it still leads: finds reads and leases that trust it.",
    },
];

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// Cut links.
    Partition,
    /// Killed processes.
    Kill,
    /// Stopped processes.
    Pause,
}

impl FaultKind {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Partition => "partition",
            FaultKind::Kill => "kill",
            FaultKind::Pause => "pause",
        }
    }
}

/// Which nodes a process fault hits; drawn when it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selector {
    /// A random node.
    One,
    /// The node that leads.
    Leader,
    /// As many random nodes as may fail.
    Minority,
    /// One node more than may fail.
    Majority,
    /// Every node.
    All,
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaultSpec {
    /// Cut links.
    Partition {
        /// Who is cut off from whom.
        shape: PartitionShape,
        /// Both ways, or one.
        direction: Direction,
    },
    /// Kill nodes; start them again at the end.
    Kill {
        /// Which.
        selector: Selector,
    },
    /// Stop nodes; let them go on at the end.
    Pause {
        /// Which.
        selector: Selector,
    },
}

impl FaultSpec {
    /// Its kind.
    pub fn kind(self) -> FaultKind {
        match self {
            FaultSpec::Partition { .. } => FaultKind::Partition,
            FaultSpec::Kill { .. } => FaultKind::Kill,
            FaultSpec::Pause { .. } => FaultKind::Pause,
        }
    }
}

/// A name in `--faults` that is not a fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown fault {name:?}\nhint: one of {}, all, or none", fault_names())]
pub struct UnknownFault {
    name: String,
}

/// Reads `partition,kill`, `all` or `none`, in any order, without repetition.
pub fn parse_faults(list: &str) -> Result<Vec<FaultKind>, UnknownFault> {
    let mut kinds = Vec::new();
    for name in list.split(',').map(str::trim) {
        match name {
            "none" => {}
            "all" => kinds.extend(FAULTS.iter().map(|entry| entry.kind)),
            _ => match FAULTS.iter().find(|entry| entry.kind.name() == name) {
                Some(entry) => kinds.push(entry.kind),
                None => return Err(UnknownFault { name: name.to_owned() }),
            },
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn fault_names() -> String {
    FAULTS.iter().map(|entry| entry.kind.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_faults_are_read_once_each() {
        assert_eq!(parse_faults("none"), Ok(vec![]));
        assert_eq!(
            parse_faults("kill, partition,kill"),
            Ok(vec![FaultKind::Partition, FaultKind::Kill])
        );
        assert_eq!(parse_faults("all").map(|kinds| kinds.len()), Ok(FAULTS.len()));
        let error = parse_faults("earthquake").expect_err("there is no such fault");
        assert!(error.to_string().contains("hint: one of partition, kill, pause"));
    }
}
