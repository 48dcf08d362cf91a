//! A cut that changes while the fault lasts: a thread of its own takes one step after the other.

use std::collections::BTreeSet;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use super::cut::{heal_cut, link_names, probe_cut};
use crate::nemesis::fault::ActiveFault;
use crate::nemesis::network::NetworkClaim;
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::platform::Link;

/// Which links are cut, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) links: BTreeSet<Link>,
    pub(super) lasts: Duration,
}

/// Takes the steps until the fault heals, or until there are no more. `touched` are the links of all steps.
pub(super) fn install_moving_cut(
    mut steps: impl Iterator<Item = Step> + Send + 'static,
    touched: BTreeSet<Link>,
    surroundings: &Surroundings<'_>,
    record: &mut FaultRecord,
) -> Result<Installed, Skipped> {
    let claim = Arc::new(surroundings.network.claim());
    let dropped_before = claim.fabric().dropped();
    let Some(first) = steps.next() else {
        return Err(Skipped::new("there is nothing to cut"));
    };
    claim.cut(&first.links)?;
    record.installed_time = Some(surroundings.now());
    // The first step lasts at least as long as its probes.
    let seen = probe_cut(&claim, &first.links, surroundings.nodes);
    let (stop, stopped) = mpsc::channel();
    let progress = Arc::new(Mutex::new(Progress { steps: 1, ..Progress::default() }));
    let mover = Mover { claim: Arc::clone(&claim), progress: Arc::clone(&progress), stopped };
    let thread = std::thread::Builder::new().name("moving cut".to_owned()).spawn(move || {
        mover.run(first.lasts, steps);
    });
    match thread {
        Ok(thread) => {
            let stop = Stop { stop: Some(stop), thread: Some(thread) };
            let fault = MovingCut { stop, claim, touched, dropped_before, progress };
            Ok(Installed::new(fault, seen))
        }
        Err(error) => Err(Skipped::new(format!("start a thread: {error}"))),
    }
}

/// What the thread has done.
#[derive(Debug, Default)]
struct Progress {
    steps: u64,
    problem: Option<String>,
}

struct Mover {
    claim: Arc<NetworkClaim>,
    progress: Arc<Mutex<Progress>>,
    stopped: mpsc::Receiver<()>,
}

impl Mover {
    fn run(self, mut lasts: Duration, steps: impl Iterator<Item = Step>) {
        for step in steps {
            match self.stopped.recv_timeout(lasts) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let changed = self.claim.cut(&step.links);
            let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            match changed {
                Ok(()) => progress.steps += 1,
                Err(error) => {
                    progress.problem = Some(format!("cut other links: {error}"));
                    return;
                }
            }
            lasts = step.lasts;
        }
    }
}

/// Ends the thread when it is dropped.
struct Stop {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Stop {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct MovingCut {
    // Before the claim, so that nothing is cut after the claim was released.
    stop: Stop,
    claim: Arc<NetworkClaim>,
    touched: BTreeSet<Link>,
    dropped_before: Option<u64>,
    progress: Arc<Mutex<Progress>>,
}

impl ActiveFault for MovingCut {
    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let MovingCut { stop, claim, touched, dropped_before, progress } = *self;
        drop(stop);
        let seen = heal_cut(&claim, &touched, dropped_before, surroundings, record);
        let progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        record.parameters["steps"] = json!(progress.steps);
        record.parameters["links"] = json!(link_names(&touched));
        match (&progress.problem, seen) {
            (Some(problem), Seen::Yes { evidence, .. } | Seen::Unclear { evidence, .. }) => {
                Seen::Unclear { reason: problem.clone(), evidence }
            }
            (None, Seen::Yes { evidence, summary }) => {
                let steps = crate::plural::counted(progress.steps, "step");
                Seen::Yes { evidence, summary: format!("{steps}; {summary}") }
            }
            (_, seen) => seen,
        }
    }
}
