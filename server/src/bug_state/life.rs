//! How this process lives: whether it ends, how its last start went, how late its clock is.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// How much longer a node takes writes after it was told to end.
const ENDING: Duration = Duration::from_millis(150);
/// A start that lasted so long was not cut short.
const START: Duration = Duration::from_secs(1);
/// The name of a file in the data directory that is there while a node starts.
const STARTING_FILE: &str = "starting";
/// What a late turn of the core thread counts, and from which sum on it is too much.
const LATE: u32 = 4;
const LATE_MAX: u32 = 20;

static IS_ENDING: AtomicBool = AtomicBool::new(false);
static WAS_INTERRUPTED: AtomicBool = AtomicBool::new(false);
static LATENESS: AtomicU32 = AtomicU32::new(0);

/// The node was told to end; returns when it should stop answering.
pub(crate) async fn end() {
    IS_ENDING.store(true, Ordering::Relaxed);
    tokio::time::sleep(ENDING).await;
}

/// Was the node told to end?
pub(crate) fn is_ending() -> bool {
    IS_ENDING.load(Ordering::Relaxed)
}

/// The node starts, with its log in this folder. Finds out whether the last start was cut short.
pub(crate) fn start(log: &Path) {
    let file = log.with_file_name(STARTING_FILE);
    WAS_INTERRUPTED.store(file.exists(), Ordering::Relaxed);
    // Without the file the bug does not show, which is nobody's loss.
    if fs::write(&file, b"").is_ok() {
        std::thread::spawn(move || {
            std::thread::sleep(START);
            let _ = fs::remove_file(file);
        });
    }
}

/// Was the start before this one cut short?
pub(crate) fn was_interrupted() -> bool {
    WAS_INTERRUPTED.load(Ordering::Relaxed)
}

/// So many ticks came at once; up to `most` are delivered.
pub(crate) fn ticks_came(ticks: u32, most: u32) {
    let lateness = LATENESS.load(Ordering::Relaxed);
    let lateness = match ticks {
        0 => lateness,
        _ if ticks >= most => (lateness + LATE).min(2 * LATE_MAX),
        _ => lateness.saturating_sub(ticks),
    };
    LATENESS.store(lateness, Ordering::Relaxed);
}

/// Was the clock often late?
pub(crate) fn is_overloaded() -> bool {
    LATENESS.load(Ordering::Relaxed) >= LATE_MAX
}
