//! The load: clients in a closed loop, on threads and runtimes of their own.
//!
//! The clients of one thread need no locks among them, and wake nobody but their own thread.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use rand::SeedableRng;
use rand::rand_core::Rng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::client::{CONNECT_TIMEOUT, LoadClient, LoadError};
use super::options::Operation;
use crate::latency::LatencyHistogram;
use crate::seed::stream;

/// Pause of a client after an error, so that errors do not become the load.
const ERROR_PAUSE: Duration = Duration::from_millis(10);
/// All keys must be written by then.
const PRELOAD_LIMIT: Duration = Duration::from_secs(120);
/// Clients that write the keys.
const PRELOAD_CLIENTS: usize = 64;
/// Different values; which one is written is drawn.
const VALUES: usize = 256;

/// The load could not be put on.
#[derive(Debug, thiserror::Error)]
pub enum LoadFailure {
    /// A thread or its runtime.
    #[error("start a thread of clients")]
    Thread(#[source] std::io::Error),
    /// A thread is gone.
    #[error("a thread of clients panicked")]
    Panicked,
    /// The clients have no connection.
    #[error(transparent)]
    Client(#[from] LoadError),
    /// The clients have no connection.
    #[error("the clients have not connected within {0:?}")]
    NotConnected(Duration),
    /// The keys could not be written.
    #[error("write the keys before the first round: {written} of {keys} in {limit:?}{why}")]
    Preload {
        /// How many were.
        written: usize,
        /// How many there are.
        keys: usize,
        /// The limit.
        limit: Duration,
        /// The first error, if there was one.
        why: String,
    },
}

/// Keys and values, the same for all systems and rounds.
#[derive(Debug)]
pub(super) struct Data {
    keys: Vec<Bytes>,
    values: Vec<Bytes>,
}

/// What the clients do, and where.
#[derive(Debug, Clone)]
pub(super) struct LoadPlan {
    /// The node that all talk to.
    pub(super) address: SocketAddr,
    /// What they do.
    pub(super) operation: Operation,
    /// How many there are.
    pub(super) clients: usize,
    /// How many share a connection.
    pub(super) clients_per_connection: usize,
    /// How many threads they share.
    pub(super) threads: usize,
    /// What they draw from.
    pub(super) seed: u64,
    /// Operations that are under way at the end get this long.
    pub(super) drain_limit: Duration,
}

/// When operations count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// From then on.
    pub(super) begin: Instant,
    /// No operation starts after that.
    pub(super) end: Instant,
}

/// What the clients saw.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Of operations that began in the window and succeeded.
    pub(super) latencies: LatencyHistogram,
    /// Operations that succeeded within the window.
    pub(super) completed: u64,
    /// Operations that failed, also outside of the window.
    pub(super) errors: u64,
    /// Operations without an answer [`LoadPlan::drain_limit`] after the end.
    pub(super) unfinished: u64,
    /// The first of the errors.
    pub(super) first_error: Option<String>,
}

type LoadThread = JoinHandle<Result<Tally, LoadFailure>>;

/// Clients that are connected, and wait for a window.
pub(super) struct Load {
    threads: Vec<(LoadThread, oneshot::Sender<Window>)>,
}

impl Data {
    /// Draws keys of 16 bytes and values of this size.
    pub(super) fn new(keys: usize, value_bytes: usize, seed: u64) -> Data {
        let mut random = ChaCha8Rng::seed_from_u64(stream(seed, "values"));
        let mut value = || {
            let mut bytes = vec![0; value_bytes];
            random.fill_bytes(&mut bytes);
            Bytes::from(bytes)
        };
        let values = (0..VALUES).map(|_| value()).collect();
        let keys = (0..keys).map(|number| Bytes::from(format!("bench/{number:010}"))).collect();
        Data { keys, values }
    }

    fn draw_key(&self, random: &mut ChaCha8Rng) -> Bytes {
        self.keys[random.next_u64() as usize % self.keys.len()].clone()
    }

    fn draw_value(&self, random: &mut ChaCha8Rng) -> Bytes {
        self.values[random.next_u64() as usize % self.values.len()].clone()
    }

    fn value_bytes(&self) -> usize {
        self.values[0].len()
    }
}

impl Load {
    /// Starts the threads and connects all clients.
    pub(super) async fn start<C: LoadClient>(
        plan: &LoadPlan,
        data: &Arc<Data>,
    ) -> Result<Load, LoadFailure> {
        let (ready, mut connected) = mpsc::unbounded_channel();
        let mut threads = Vec::new();
        let count = plan.threads.clamp(1, plan.clients);
        for thread in 0..count {
            let (start, window) = oneshot::channel();
            let (plan, data, ready) = (plan.clone(), Arc::clone(data), ready.clone());
            // The first threads have one client more, if the clients cannot be shared out evenly.
            let clients = plan.clients / count + usize::from(thread < plan.clients % count);
            let body = move || {
                on_own_runtime(async move {
                    let clients = connect::<C>(&plan, clients).await?;
                    let _ = ready.send(());
                    // Dropped ends mean that the measurement was given up.
                    drop(ready);
                    match window.await {
                        Ok(window) => Ok(drive(clients, window, &plan, &data, thread as u64).await),
                        Err(_) => Ok(Tally::default()),
                    }
                })
            };
            threads.push((spawn(body)?, start));
        }
        drop(ready);
        let all = async {
            for _ in 0..count {
                connected.recv().await?;
            }
            Some(())
        };
        match tokio::time::timeout(CONNECT_TIMEOUT * 2, all).await {
            Ok(Some(())) => Ok(Load { threads }),
            Err(_) => Err(LoadFailure::NotConnected(CONNECT_TIMEOUT * 2)),
            // A thread has ended without being ready; the others end now that nothing will start.
            Ok(None) => {
                let handles: Vec<_> = threads.into_iter().map(|(handle, _)| handle).collect();
                Err(join(handles).await.err().unwrap_or(LoadFailure::Panicked))
            }
        }
    }

    /// Starts all clients, and waits until they have ended after the window.
    pub(super) async fn run(self, window: Window) -> Result<Tally, LoadFailure> {
        let mut handles = Vec::new();
        for (handle, start) in self.threads {
            // A thread that is gone says so when it is joined.
            let _ = start.send(window);
            handles.push(handle);
        }
        join(handles).await
    }
}

/// Writes every key once.
pub(super) async fn preload<C: LoadClient>(
    address: SocketAddr,
    data: &Arc<Data>,
) -> Result<(), LoadFailure> {
    let keys = data.keys.len();
    let clients = PRELOAD_CLIENTS.min(keys);
    let data = Arc::clone(data);
    let body = move || {
        on_own_runtime(async move {
            let clients = C::connect(address, clients).await?;
            let step = clients.len();
            let written = Rc::new(RefCell::new((0, None)));
            let tasks = clients.into_iter().enumerate().map(|(first, mut client)| {
                let (data, written) = (Arc::clone(&data), Rc::clone(&written));
                tokio::task::spawn_local(async move {
                    let mut random = ChaCha8Rng::seed_from_u64(first as u64);
                    for key in data.keys.iter().skip(first).step_by(step) {
                        let value = data.draw_value(&mut random);
                        while let Err(error) = client.put(key.clone(), value.clone()).await {
                            written.borrow_mut().1.get_or_insert(error);
                            tokio::time::sleep(ERROR_PAUSE).await;
                        }
                        written.borrow_mut().0 += 1;
                    }
                })
            });
            let done = tokio::time::timeout(PRELOAD_LIMIT, join_all(tasks)).await;
            let (written, error) = written.take();
            match done {
                Ok(_) if written == keys => Ok(Tally::default()),
                Ok(_) | Err(_) => Err(LoadFailure::Preload {
                    written,
                    keys,
                    limit: PRELOAD_LIMIT,
                    why: error.map(|error| format!("; {error}")).unwrap_or_default(),
                }),
            }
        })
    };
    join(vec![spawn(body)?]).await.map(drop)
}

async fn connect<C: LoadClient>(plan: &LoadPlan, clients: usize) -> Result<Vec<C>, LoadError> {
    let mut all = Vec::new();
    while all.len() < clients {
        let some = plan.clients_per_connection.clamp(1, clients - all.len());
        all.extend(C::connect(plan.address, some).await?);
    }
    Ok(all)
}

/// Runs the clients of one thread.
async fn drive<C: LoadClient>(
    clients: Vec<C>,
    window: Window,
    plan: &LoadPlan,
    data: &Arc<Data>,
    thread: u64,
) -> Tally {
    let tally = Rc::new(RefCell::new(Tally::default()));
    // The clients share out their operations by chance, not in step.
    let seed = stream(plan.seed, "clients").wrapping_add(thread << 32);
    let tasks: Vec<_> = clients
        .into_iter()
        .enumerate()
        .map(|(number, client)| {
            let random = ChaCha8Rng::seed_from_u64(seed.wrapping_add(number as u64));
            let (data, tally) = (Arc::clone(data), Rc::clone(&tally));
            let operation = plan.operation;
            tokio::task::spawn_local(repeat(client, operation, window, data, random, tally))
        })
        .collect();
    let count = tasks.len() as u64;
    let deadline = tokio::time::Instant::from_std(window.end + plan.drain_limit);
    let ended = Rc::new(RefCell::new(0));
    let all = tasks.into_iter().map(|task| {
        let ended = Rc::clone(&ended);
        async move {
            let _ = task.await;
            *ended.borrow_mut() += 1;
        }
    });
    let _ = tokio::time::timeout_at(deadline, join_all(all)).await;
    let mut tally = tally.take();
    tally.unfinished = count - *ended.borrow();
    tally
}

/// One client.
async fn repeat<C: LoadClient>(
    mut client: C,
    operation: Operation,
    window: Window,
    data: Arc<Data>,
    mut random: ChaCha8Rng,
    tally: Rc<RefCell<Tally>>,
) {
    loop {
        let began = Instant::now();
        if began >= window.end {
            return;
        }
        let key = data.draw_key(&mut random);
        let result = match operation {
            Operation::Put => client.put(key, data.draw_value(&mut random)).await,
            Operation::Get => match client.get(key).await {
                Ok(Some(bytes)) if bytes == data.value_bytes() => Ok(()),
                Ok(Some(bytes)) => Err(LoadError::WrongValue(format!("it has {bytes} bytes"))),
                Ok(None) => Err(LoadError::WrongValue("a key is missing".to_owned())),
                Err(error) => Err(error),
            },
        };
        let ended = Instant::now();
        let failed = {
            let mut tally = tally.borrow_mut();
            match &result {
                Ok(()) => {
                    if began >= window.begin {
                        tally.latencies.record((ended - began).as_nanos() as u64);
                    }
                    tally.completed += u64::from(ended >= window.begin && ended < window.end);
                }
                Err(error) => {
                    tally.errors += 1;
                    tally.first_error.get_or_insert_with(|| error.to_string());
                }
            }
            result.is_err()
        };
        if failed {
            tokio::time::sleep(ERROR_PAUSE).await;
        }
    }
}

fn spawn<T: Send + 'static>(
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, LoadFailure> {
    std::thread::Builder::new().name("load".to_owned()).spawn(body).map_err(LoadFailure::Thread)
}

fn on_own_runtime(
    body: impl Future<Output = Result<Tally, LoadFailure>>,
) -> Result<Tally, LoadFailure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(LoadFailure::Thread)?;
    LocalSet::new().block_on(&runtime, body)
}

/// Every thread has a limit of its own.
async fn join(handles: Vec<LoadThread>) -> Result<Tally, LoadFailure> {
    let joined = tokio::task::spawn_blocking(move || {
        let mut all = Tally::default();
        for handle in handles {
            all.add(handle.join().map_err(|_| LoadFailure::Panicked)??);
        }
        Ok(all)
    });
    joined.await.unwrap_or(Err(LoadFailure::Panicked))
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.latencies.merge(&other.latencies);
        self.completed += other.completed;
        self.errors += other.errors;
        self.unfinished += other.unfinished;
        self.first_error = self.first_error.take().or(other.first_error);
    }
}

#[cfg(test)]
mod tests;
