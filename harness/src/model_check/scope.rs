//! What is explored: a table of small clusters, each with its clients and bounds.

use server::bug::Bugs;
use server::replica::CompactionConfig;

use super::model::{Bounds, ClientOp, ModelOptions, SyncPolicy};
use super::prefix::Start;
use super::transitions::Memory;

/// A read that a later leader than the first answered.
pub const READ_AFTER_LEADER_CHANGE: &str = "a read after a leader change";
/// A read that was answered from a state that came with a snapshot.
pub const READ_AFTER_INSTALL: &str = "a read after a snapshot was installed";
/// A node that crashed and started again.
pub const RESTART: &str = "a restart after a crash";

/// A node that switched to a snapshot, crashed before its log was reset, and started again.
pub const RESTART_AFTER_INSTALL: &str = "a restart between a switch and a reset";

/// Nodes with one fingerprint behave alike.
pub const COMPLETE_FINGERPRINTS: &str = "complete fingerprints";

/// One exploration, by name.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// The name.
    pub name: &'static str,
    /// What it covers, in a sentence.
    pub about: &'static str,
    /// What it must meet; otherwise it proves little.
    pub meets: &'static [&'static str],
    /// The model, with a bug or none.
    pub options: fn(Bugs) -> ModelOptions,
}

/// All explorations of the command.
pub const SCOPES: &[Scope] = &[
    Scope {
        name: "leader-change",
        about: "from the first leader through one election, a write and a read",
        meets: &[READ_AFTER_LEADER_CHANGE],
        options: leader_change,
    },
    Scope {
        name: "power-loss",
        about: "a write, one power loss and restart, an election and a read; syncs at any time",
        meets: &[READ_AFTER_LEADER_CHANGE, RESTART],
        options: power_loss,
    },
    Scope {
        name: "everything",
        about: "two leaders at once, duplicates, power loss, three operations, from five starts",
        meets: &[READ_AFTER_LEADER_CHANGE, RESTART],
        options: everything,
    },
    Scope {
        name: "snapshot",
        about: "a follower behind a compacted log is sent a snapshot, leads, and answers a read",
        meets: &[READ_AFTER_INSTALL],
        options: snapshot,
    },
    Scope {
        name: "snapshot-power-loss",
        about: "a snapshot, one power loss between any of its steps, duplicates; syncs at any time",
        meets: &[RESTART, RESTART_AFTER_INSTALL],
        options: snapshot_and_power_loss,
    },
];

fn leader_change(bugs: Bugs) -> ModelOptions {
    ModelOptions {
        nodes: 3,
        clients: vec![vec![ClientOp::Write(1)], vec![ClientOp::Read]],
        sync: SyncPolicy::AtOnce,
        compaction: CompactionConfig::NEVER,
        bounds: Bounds { timeouts: 2, crashes: 0, duplicates: 0 },
        starts: vec![Start::Elected],
        bugs,
        memory: Memory::Trust,
    }
}

fn power_loss(bugs: Bugs) -> ModelOptions {
    ModelOptions {
        nodes: 3,
        clients: vec![vec![ClientOp::Write(1)], vec![ClientOp::Read]],
        sync: SyncPolicy::Anytime,
        compaction: CompactionConfig::NEVER,
        bounds: Bounds { timeouts: 2, crashes: 1, duplicates: 0 },
        starts: vec![Start::Elected, Start::Written, Start::Deposed],
        bugs,
        memory: Memory::Trust,
    }
}

fn everything(bugs: Bugs) -> ModelOptions {
    ModelOptions {
        nodes: 3,
        clients: vec![vec![ClientOp::Write(1)], vec![ClientOp::Read, ClientOp::Read]],
        sync: SyncPolicy::AtOnce,
        compaction: CompactionConfig::NEVER,
        bounds: Bounds { timeouts: 3, crashes: 1, duplicates: 1 },
        starts: vec![
            Start::Fresh,
            Start::Elected,
            Start::Written,
            Start::Deposed,
            Start::DeposedWhileReading,
        ],
        bugs,
        memory: Memory::Trust,
    }
}

/// A snapshot after every entry, and nothing of the log behind it.
const AT_EVERY_ENTRY: CompactionConfig =
    CompactionConfig { snapshot_entries: 1, tail_entries: 0, ..CompactionConfig::NEVER };

fn snapshot(bugs: Bugs) -> ModelOptions {
    ModelOptions {
        nodes: 3,
        // A follower that lacks one entry would not need a snapshot.
        clients: vec![vec![ClientOp::Write(1), ClientOp::Write(2)], vec![ClientOp::Read]],
        sync: SyncPolicy::AtOnce,
        compaction: AT_EVERY_ENTRY,
        bounds: Bounds { timeouts: 2, crashes: 0, duplicates: 0 },
        starts: vec![Start::SendingSnapshot],
        bugs,
        memory: Memory::Trust,
    }
}

fn snapshot_and_power_loss(bugs: Bugs) -> ModelOptions {
    ModelOptions {
        sync: SyncPolicy::Anytime,
        bounds: Bounds { timeouts: 1, crashes: 1, duplicates: 1 },
        ..snapshot(bugs)
    }
}
