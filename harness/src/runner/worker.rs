//! Workers: tasks that apply one operation at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use workloads::generator::Invocation;
use workloads::history::EventKind;

use crate::pausable::{PausableClient, PausableClients};
use crate::system::{Client, Completion};

/// Builds the client of a worker.
pub type ClientFactory = Arc<dyn Fn(usize) -> Box<dyn Client> + Send + Sync>;

/// How long an operation may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// By the clock of a client that stands still while the client is stopped.
    pub running: Duration,
    /// By the clock on the wall; what a client is told.
    pub total: Duration,
}

/// All workers of a run. Dropping it ends them.
pub struct Workers {
    doors: Vec<mpsc::Sender<Invocation>>,
    completions: mpsc::Receiver<(usize, Completion)>,
}

impl Workers {
    /// Starts a worker for each client.
    pub fn start(clients: &PausableClients, factory: &ClientFactory, limits: Limits) -> Workers {
        // Each worker has one open operation, so that no send ever waits.
        let (sender, completions) = mpsc::channel(clients.len().max(1));
        let doors = (0..clients.len())
            .map(|worker| {
                let (door, invocations) = mpsc::channel(1);
                let client = clients.client(worker);
                let gate = client.clone();
                let (factory, sender) = (factory.clone(), sender.clone());
                let work = work(worker, factory, client, invocations, sender, limits);
                tokio::spawn(gate.run(work));
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
    pausable: PausableClient,
    mut invocations: mpsc::Receiver<Invocation>,
    completions: mpsc::Sender<(usize, Completion)>,
    limits: Limits,
) {
    let mut client = factory(worker);
    while let Some(invocation) = invocations.recv().await {
        let operation = client.invoke(&invocation, limits.total);
        let result = pausable.operation(limits.running + TIMEOUT_GRACE, operation).await;
        let completion = result.unwrap_or_else(|| Completion {
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
