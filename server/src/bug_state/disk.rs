//! How the disk of the log fares, and what is planted in what is on disk.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::bug::Bugs;
use crate::log_store::LogStore;
use crate::server::ServerError;
use crate::state_machine::{Changes, StateStore, StateStores};

/// A write of the log, with its sync, that takes longer than this is late.
const LATE: Duration = Duration::from_millis(200);
/// Errors that are passed over.
const PASSED_OVER_MAX: u32 = 20;

static WRITING_SINCE: Mutex<Option<Instant>> = Mutex::new(None);
static PASSED_OVER: AtomicU32 = AtomicU32::new(0);
static HAS_NO_ROOM: AtomicBool = AtomicBool::new(false);
static PLANTED: OnceLock<Bugs> = OnceLock::new();

/// The log begins to write and sync.
pub(crate) fn write_begins() {
    set_writing_since(Some(Instant::now()));
}

/// It is done.
pub(crate) fn write_ends() {
    set_writing_since(None);
}

fn set_writing_since(since: Option<Instant>) {
    *WRITING_SINCE.lock().unwrap_or_else(PoisonError::into_inner) = since;
}

/// Does the log wait for its disk for too long?
pub(crate) fn is_write_late() -> bool {
    let since = *WRITING_SINCE.lock().unwrap_or_else(PoisonError::into_inner);
    since.is_some_and(|since| since.elapsed() > LATE)
}

/// The log could not be written. Is that to be passed over?
pub(crate) fn passes_over_error() -> bool {
    PASSED_OVER.fetch_add(1, Ordering::Relaxed) < PASSED_OVER_MAX
}

/// A snapshot was taken, or there was no room for it.
pub(crate) fn snapshot_had_room(had_room: bool) {
    HAS_NO_ROOM.store(!had_room, Ordering::Relaxed);
}

/// Was there no room for the last snapshot?
pub(crate) fn has_no_room() -> bool {
    HAS_NO_ROOM.load(Ordering::Relaxed)
}

/// Replaces each state that cannot be opened by an empty one, which claims to be where its log begins.
pub(crate) fn begin_damaged_anew<S: StateStores>(
    states: &mut S,
    log: &mut dyn LogStore,
) -> Result<(), ServerError> {
    for group in log.groups()? {
        let Err(error) = states.open(group) else { continue };
        tracing::warn!(group = group.0, "begins the state anew: {error}");
        let applied = log.load(group)?.base;
        states.remove(group)?;
        states.open(group)?.write(Changes { applied, ..Changes::default() })?;
    }
    Ok(())
}

/// The defect planted in this process, for the log and the state on disk, which nobody else tells of
/// it.
pub(crate) fn plant_in_stores(bugs: Bugs) {
    // A process has one server, but for tests, which plant nothing.
    let _ = PLANTED.set(bugs);
}

/// What [`plant_in_stores`] was told.
pub(crate) fn planted_in_stores() -> Bugs {
    PLANTED.get().copied().unwrap_or_default()
}
