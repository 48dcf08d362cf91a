//! Threads without which the node must not live on.
//!
//! Their errors are those of the storage: a full or broken disk, damaged files. Such a node ends in
//! order, with a message and [`EXIT_STORAGE`], and never tries again: what a failed write or sync
//! left on the disk is unknown until a new process reads it. A panic is a defect, and aborts, so
//! that it leaves a core dump where those are wanted.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

/// Exit code of a node whose storage failed, as in `sysexits.h` (EX_IOERR).
pub const EXIT_STORAGE: i32 = 74;

/// Starts a thread whose failure ends the process.
pub(super) fn spawn<E: Display>(
    name: &'static str,
    body: impl FnOnce() -> Result<(), E> + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(move || match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!("the storage failed in the {name} thread, the node ends: {error}");
            std::process::exit(EXIT_STORAGE);
        }
        Err(_) => {
            // The panic hook has already printed where and why.
            tracing::error!("the {name} thread panicked, the node stops at once");
            std::process::abort();
        }
    })
}
