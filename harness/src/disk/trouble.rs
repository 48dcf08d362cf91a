//! What goes wrong on a disk while it is in use, and how often it did.

use std::time::Duration;

use serde::Serialize;

/// What goes wrong. Shares are between 0 (never) and 1 (always).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trouble {
    /// Files and directories cannot grow: ENOSPC. What has its place already can be overwritten.
    pub full: bool,
    /// The share of writes that fail with EIO.
    pub write_errors: f64,
    /// The share of synchronisations that fail with EIO; what they cover stays as it is.
    pub sync_errors: f64,
    /// What becomes of the other synchronisations.
    pub syncs: Syncs,
}

/// How synchronisations go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncs {
    /// At once.
    Prompt,
    /// Each takes a random time between these.
    Slow(Duration, Duration),
    /// None ends, until this ends.
    Stuck,
    /// They answer at once, and nothing becomes durable: a disk that lies.
    Ignored,
}

impl Trouble {
    /// A sound disk.
    pub const NONE: Trouble =
        Trouble { full: false, write_errors: 0.0, sync_errors: 0.0, syncs: Syncs::Prompt };
}

/// What a disk did since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct DiskCounters {
    /// Writes that were asked for.
    pub writes: u64,
    /// Synchronisations that were asked for.
    pub syncs: u64,
    /// Operations that were refused because the disk was full.
    pub refused_full: u64,
    /// Writes that failed.
    pub failed_writes: u64,
    /// Synchronisations that failed.
    pub failed_syncs: u64,
    /// Synchronisations that were slow or stuck.
    pub late_syncs: u64,
    /// Synchronisations that did nothing.
    pub ignored_syncs: u64,
    /// Changes that became durable without any, because there were too many to remember.
    pub written_back: u64,
    /// How often the power failed.
    pub power_losses: u64,
}

impl DiskCounters {
    /// What was done since `earlier`.
    pub fn since(self, earlier: DiskCounters) -> DiskCounters {
        DiskCounters {
            writes: self.writes - earlier.writes,
            syncs: self.syncs - earlier.syncs,
            refused_full: self.refused_full - earlier.refused_full,
            failed_writes: self.failed_writes - earlier.failed_writes,
            failed_syncs: self.failed_syncs - earlier.failed_syncs,
            late_syncs: self.late_syncs - earlier.late_syncs,
            ignored_syncs: self.ignored_syncs - earlier.ignored_syncs,
            written_back: self.written_back - earlier.written_back,
            power_losses: self.power_losses - earlier.power_losses,
        }
    }
}
