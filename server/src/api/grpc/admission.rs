//! How many requests are worked on at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proto::kv::ErrorKind;
use tokio::sync::Notify;

use super::refusal::Refusal;

/// Counts the requests that are worked on, and refuses those that are too many. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Admission(Arc<Gate>);

#[derive(Debug)]
struct Gate {
    max: usize,
    inside: AtomicUsize,
    draining: AtomicBool,
    emptied: Notify,
}

/// Requests that were let in. They leave when this is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    gate: Arc<Gate>,
    count: usize,
}

impl Admission {
    pub(super) fn new(max: usize) -> Admission {
        Admission(Arc::new(Gate {
            max,
            inside: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            emptied: Notify::new(),
        }))
    }

    /// Lets nobody in yet; see [`Admitted::enter`].
    pub(super) fn party(&self) -> Admitted {
        Admitted { gate: Arc::clone(&self.0), count: 0 }
    }

    /// Lets one request in.
    pub(super) fn enter(&self) -> Result<Admitted, Refusal> {
        let mut party = self.party();
        party.enter()?;
        Ok(party)
    }

    /// Refuses everyone from now on, and returns when nobody is inside any more.
    pub(super) async fn drain(&self) {
        let gate = &self.0;
        gate.draining.store(true, Ordering::SeqCst);
        loop {
            let emptied = gate.emptied.notified();
            if gate.inside.load(Ordering::SeqCst) == 0 {
                return;
            }
            emptied.await;
        }
    }
}

impl Admitted {
    /// Lets one more request in.
    pub(super) fn enter(&mut self) -> Result<(), Refusal> {
        let inside = self.gate.inside.fetch_add(1, Ordering::SeqCst);
        self.count += 1;
        // After the request was counted, so that it is seen by whoever drains, or sees the draining.
        let refusal = if self.gate.draining.load(Ordering::SeqCst) {
            Refusal::definite(ErrorKind::Stopping, "the node is shutting down")
        } else if inside >= self.gate.max {
            let (max, asked) = (self.gate.max as u64, inside as u64 + 1);
            let refusal = Refusal::over_limit("requests-in-flight", max, asked);
            Refusal { kind: ErrorKind::Busy, ..refusal }
        } else {
            return Ok(());
        };
        self.leave(1);
        Err(refusal)
    }

    /// So many requests have ended.
    pub(super) fn leave(&mut self, count: usize) {
        self.count -= count;
        if self.gate.inside.fetch_sub(count, Ordering::SeqCst) == count {
            self.gate.emptied.notify_waiters();
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let count = self.count;
        self.leave(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_for_all_together_and_places_come_back() {
        let admission = Admission::new(2);
        let one = admission.enter().unwrap();
        let mut party = admission.party();
        party.enter().unwrap();
        let refusal = party.enter().unwrap_err();
        assert_eq!((refusal.kind, refusal.excess.unwrap().max), (ErrorKind::Busy, 2));
        drop(one);
        party.enter().unwrap();
        party.leave(1);
        admission.enter().unwrap();
    }

    #[tokio::test]
    async fn draining_refuses_newcomers_and_waits_for_those_inside() {
        let admission = Admission::new(2);
        let one = admission.enter().unwrap();
        let draining = tokio::spawn({
            let admission = admission.clone();
            async move { admission.drain().await }
        });
        while admission.enter().is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(admission.enter().unwrap_err().kind, ErrorKind::Stopping);
        assert!(!draining.is_finished());
        drop(one);
        draining.await.unwrap();
    }
}
