//! How the disk of the log fares, and whether blocks of the state are trusted.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A write of the log, with its sync, that takes longer than this is late.
const LATE: Duration = Duration::from_millis(200);
/// Errors that are passed over.
const PASSED_OVER_MAX: u32 = 20;

static WRITING_SINCE: Mutex<Option<Instant>> = Mutex::new(None);
static PASSED_OVER: AtomicU32 = AtomicU32::new(0);
static TRUSTS_BLOCKS: AtomicBool = AtomicBool::new(false);

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

/// From now on nobody looks at the checksums of blocks.
pub(crate) fn trust_blocks() {
    TRUSTS_BLOCKS.store(true, Ordering::Relaxed);
}

/// Does nobody look at the checksums of blocks?
pub(crate) fn trusts_blocks() -> bool {
    TRUSTS_BLOCKS.load(Ordering::Relaxed)
}
