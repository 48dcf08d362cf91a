//! Threads without which the node must not live on.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Builder, JoinHandle};

/// Starts a thread whose failure ends the process.
pub(super) fn spawn<E: Display>(
    name: &'static str,
    body: impl FnOnce() -> Result<(), E> + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(move || match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => die(name, &error),
        // The panic hook has already printed where and why.
        Err(_) => die(name, &"panic"),
    })
}

fn die(name: &str, reason: &dyn Display) -> ! {
    tracing::error!("the {name} thread failed, the node stops at once: {reason}");
    std::process::abort();
}
