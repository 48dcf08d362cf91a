//! Ctrl-C: the first asks the run to end well, the second ends the process.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::exit_code;

/// One request may arrive twice, once for the group and once for the process (`timeout` does that);
/// a person needs longer than this to press Ctrl-C again.
const REPEAT_GAP: Duration = Duration::from_millis(100);

/// Was this process told to survive its terminal (`nohup`)? A blocked signal arrives even if it is
/// ignored, so that whoever waits for SIGHUP has to ask.
pub fn hangup_is_ignored() -> bool {
    let mut current = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action the call only fills `current`, whose all-zero value is valid.
    unsafe {
        libc::sigaction(libc::SIGHUP, std::ptr::null(), current.as_mut_ptr());
        current.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

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
            let mut first: Option<Instant> = None;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                match first {
                    Some(first) if first.elapsed() < REPEAT_GAP => continue,
                    // Whatever runs in our namespaces, or is tied to our threads, ends with us.
                    Some(_) => std::process::exit(exit_code::INTERRUPTED_TWICE),
                    None => first = Some(Instant::now()),
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
