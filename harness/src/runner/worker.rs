//! Workers: tasks that apply one operation at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use workloads::generator::Invocation;
use workloads::history::EventKind;

use crate::system::{Client, Completion};

/// Builds the client of a worker.
pub type ClientFactory = Arc<dyn Fn(usize) -> Box<dyn Client> + Send + Sync>;

/// All workers of a run. Dropping it ends them.
pub struct Workers {
    doors: Vec<mpsc::Sender<Invocation>>,
    completions: mpsc::Receiver<(usize, Completion)>,
}

impl Workers {
    /// Starts as many workers as asked for. Each operation ends within `timeout`.
    pub fn start(concurrency: usize, factory: &ClientFactory, timeout: Duration) -> Workers {
        // Each worker has one open operation, so that no send ever waits.
        let (sender, completions) = mpsc::channel(concurrency);
        let doors = (0..concurrency)
            .map(|worker| {
                let (door, invocations) = mpsc::channel(1);
                tokio::spawn(work(worker, factory.clone(), invocations, sender.clone(), timeout));
                door
            })
            .collect();
        Workers { doors, completions }
    }

    /// Hands an operation to a worker that is free.
    pub fn invoke(&self, worker: usize, invocation: Invocation) -> Result<(), WorkerGone> {
        self.doors[worker].try_send(invocation).map_err(|_| WorkerGone { worker })
    }

    /// The next completion.
    pub async fn completion(&mut self) -> Option<(usize, Completion)> {
        self.completions.recv().await
    }

    /// A completion that is there already.
    pub fn completion_now(&mut self) -> Option<(usize, Completion)> {
        self.completions.try_recv().ok()
    }
}

/// A worker ended by itself.
#[derive(Debug, thiserror::Error)]
#[error("worker {worker} ended by itself; a client panicked")]
pub struct WorkerGone {
    worker: usize,
}

/// The grace that a client gets beyond its own timeout before it is cut off.
const TIMEOUT_GRACE: Duration = Duration::from_millis(500);

async fn work(
    worker: usize,
    factory: ClientFactory,
    mut invocations: mpsc::Receiver<Invocation>,
    completions: mpsc::Sender<(usize, Completion)>,
    timeout: Duration,
) {
    let mut client = factory(worker);
    while let Some(invocation) = invocations.recv().await {
        let result =
            tokio::time::timeout(timeout + TIMEOUT_GRACE, client.invoke(&invocation, timeout))
                .await;
        let completion = result.unwrap_or_else(|_| Completion {
            kind: EventKind::Info,
            value: invocation.value.clone(),
            error: Some("the client did not answer in time".to_owned()),
        });
        if completion.kind == EventKind::Info {
            // The process is retired, and its connection with it.
            client = factory(worker);
        }
        if completions.send((worker, completion)).await.is_err() {
            return;
        }
    }
}
