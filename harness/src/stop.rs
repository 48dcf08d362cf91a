//! Ctrl-C: the first asks the run to end well, the second ends the process.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::exit_code;

/// Set by the first signal; long computations look at it.
pub static STOP_REQUESTED: AtomicBool = AtomicBool::new(false);

/// A request to stop, as seen by the parts of a run.
#[derive(Clone)]
pub struct Stop {
    requested: watch::Receiver<bool>,
}

impl Stop {
    /// Listens for SIGINT and SIGTERM from now on. Must be called inside the runtime.
    pub fn listen() -> std::io::Result<Stop> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, requested) = watch::channel(false);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if STOP_REQUESTED.swap(true, Ordering::Relaxed) {
                    // Whatever runs in our namespaces, or is tied to our threads, ends with us.
                    std::process::exit(exit_code::INTERRUPTED_TWICE);
                }
                tracing::warn!(
                    "stopping: healing and judging what there is; again to exit at once"
                );
                let _ = sender.send(true);
            }
        });
        Ok(Stop { requested })
    }

    /// Was a stop requested?
    pub fn requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Ends when a stop is requested.
    pub async fn wait(&mut self) {
        if self.requested.wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
