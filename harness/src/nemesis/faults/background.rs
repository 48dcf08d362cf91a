//! What a fault does over and over, on a thread of its own, until it is healed.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Says when to end.
#[derive(Debug, Default)]
pub(super) struct StopFlag {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl StopFlag {
    /// Waits for so long, or until it is to end. Returns whether it is to end.
    pub(super) fn wait(&self, patience: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(asked, patience, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until the condition holds, for so long at most. Returns whether it holds.
    pub(super) fn wait_until(
        &self,
        patience: Duration,
        mut condition: impl FnMut() -> bool,
    ) -> bool {
        const LOOK_AGAIN: Duration = Duration::from_millis(50);
        let began = std::time::Instant::now();
        loop {
            if condition() {
                return true;
            }
            if began.elapsed() >= patience || self.wait(LOOK_AGAIN) {
                return false;
            }
        }
    }

    fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// Work that goes on until it is stopped. Dropping it stops it too.
#[derive(Debug)]
pub(super) struct Background<T> {
    stop: Arc<StopFlag>,
    thread: Option<JoinHandle<T>>,
}

impl<T: Send + 'static> Background<T> {
    /// Starts the work, which looks at the flag between its steps. Each step must be bounded.
    pub(super) fn start(
        name: &str,
        work: impl FnOnce(&StopFlag) -> T + Send + 'static,
    ) -> std::io::Result<Background<T>> {
        let stop = Arc::new(StopFlag::default());
        let flag = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&flag))?;
        Ok(Background { stop, thread: Some(thread) })
    }

    /// Ends the work, and waits for it. None if it panicked.
    pub(super) fn stop(mut self) -> Option<T> {
        self.stop.ask();
        self.thread.take()?.join().ok()
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.stop.ask();
        if let Some(thread) = self.thread.take() {
            // Whoever wanted its result asked for it.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_on_until_it_is_stopped_and_returns_what_it_did() {
        let work = Background::start("counts", |stop| {
            let mut rounds = 0_u32;
            while !stop.wait(Duration::from_millis(1)) {
                rounds += 1;
            }
            rounds
        });
        assert!(work.unwrap().stop().is_some());
    }

    #[test]
    fn a_stop_ends_a_long_wait() {
        let began = std::time::Instant::now();
        let waits = Background::start("waits", |stop| stop.wait(Duration::from_secs(3_600)));
        assert_eq!(waits.unwrap().stop(), Some(true));
        assert!(began.elapsed() < Duration::from_secs(600));
    }
}
