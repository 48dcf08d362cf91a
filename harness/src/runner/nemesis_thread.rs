//! The nemesis on a thread of its own, because installing and probing block.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::mpsc as async_mpsc;

use crate::nemesis::plan::PlannedFault;
use crate::nemesis::record::FaultRecord;
use crate::nemesis::{Action, Injector, NodeControl};
use crate::node_id::NodeId;
use crate::platform::Platform;

/// A running nemesis. Dropping it heals everything and waits for that.
pub struct NemesisThread {
    actions: Option<mpsc::Sender<Action>>,
    /// Faults that began or ended; an empty list for an action that changed none.
    records: async_mpsc::UnboundedReceiver<Vec<FaultRecord>>,
    in_force: Arc<Mutex<Vec<String>>>,
    outstanding: usize,
    thread: Option<JoinHandle<()>>,
}

impl NemesisThread {
    /// Starts the thread.
    pub fn start(
        platform: Arc<dyn Platform>,
        control: Arc<dyn NodeControl>,
        nodes: Vec<NodeId>,
        plan: Vec<PlannedFault>,
        began: Instant,
    ) -> std::io::Result<NemesisThread> {
        // Both queues are bounded by the length of the plan.
        let (actions, inbox) = mpsc::channel::<Action>();
        let (outbox, records) = async_mpsc::unbounded_channel();
        let in_force = Arc::new(Mutex::new(Vec::new()));
        let shared = in_force.clone();
        let thread = std::thread::Builder::new().name("nemesis".to_owned()).spawn(move || {
            let mut injector = Injector::new(platform, control, nodes, plan, began);
            while let Ok(action) = inbox.recv() {
                let ended = injector.perform(action);
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = injector.in_force();
                if outbox.send(ended).is_err() {
                    break;
                }
            }
        })?;
        Ok(NemesisThread {
            actions: Some(actions),
            records,
            in_force,
            outstanding: 0,
            thread: Some(thread),
        })
    }

    /// Asks for an action; returns at once.
    pub fn perform(&mut self, action: Action) {
        if let Some(actions) = &self.actions
            && actions.send(action).is_ok()
        {
            self.outstanding += 1;
        }
    }

    /// Waits until one outstanding action is done. None if the thread ended by itself.
    pub async fn done(&mut self) -> Option<Vec<FaultRecord>> {
        let records = self.records.recv().await?;
        self.outstanding -= 1;
        Some(records)
    }

    /// Actions that are not done yet.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// The faults in force, in words.
    pub fn in_force(&self) -> Vec<String> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for NemesisThread {
    fn drop(&mut self) {
        drop(self.actions.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
