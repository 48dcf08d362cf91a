//! Ctrl-C while a history is checked: the first asks for what is known so far, the second ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal};

use crate::{exit_code, output};

/// One request may arrive twice, once for the group and once for the process.
const REPEAT_GAP: Duration = Duration::from_millis(100);

/// Listens for SIGINT and SIGTERM from now on; true once one arrived.
///
/// To be called before other threads start: they must not get the signals.
pub(super) fn listen() -> anyhow::Result<Arc<AtomicBool>> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block().context("block signals")?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&interrupted);
    let wait = move || {
        let mut first: Option<Instant> = None;
        while signals.wait().is_ok() {
            match first {
                Some(first) if first.elapsed() < REPEAT_GAP => continue,
                Some(_) => std::process::exit(exit_code::INTERRUPTED_TWICE),
                None => first = Some(Instant::now()),
            }
            output::note("stopping: what is known so far follows; again to exit at once");
            seen.store(true, Ordering::Relaxed);
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).context("start a thread")?;
    Ok(interrupted)
}
