//! Clients that can be stopped in the middle of whatever they do, as the operating system stops a
//! process, or a garbage collector a program. A stopped client does nothing at all: its timers do not
//! fire, it sends nothing, and what arrives waits. When it goes on it does not know that time went by.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// All clients of a run, by number.
#[derive(Debug, Clone, Default)]
pub struct PausableClients(Arc<[PausableClient]>);

impl PausableClients {
    /// So many clients that go.
    pub fn new(clients: usize) -> PausableClients {
        PausableClients((0..clients).map(|_| PausableClient::default()).collect())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The client of this number, below [`PausableClients::len`].
    pub fn client(&self, number: usize) -> PausableClient {
        self.0[number].clone()
    }
}

/// One client.
#[derive(Debug, Clone, Default)]
pub struct PausableClient(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stopped_since: Option<Instant>,
    /// Did it try in vain to go on, the last time that it tried?
    is_held: bool,
    is_busy: bool,
    /// Operations that it has ended.
    ended: u64,
    /// How long it was stopped before.
    stopped_before: Duration,
    waker: Option<Waker>,
}

/// What a client does, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// It was stopped, and was seen not to go on.
    pub is_held: bool,
    /// It is in the middle of an operation.
    pub is_busy: bool,
    /// Operations that it has ended.
    pub ended: u64,
}

impl PausableClient {
    /// A future that makes no progress while the client is stopped.
    pub fn run<F: Future>(&self, future: F) -> Pausable<F> {
        Pausable { client: self.clone(), future: Box::pin(future) }
    }

    /// Stops the client, at the latest when it waits for something the next time.
    pub fn stop(&self) {
        let mut state = self.state();
        state.stopped_since.get_or_insert_with(Instant::now);
        wake(state);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        let mut state = self.state();
        if let Some(since) = state.stopped_since.take() {
            state.stopped_before += since.elapsed();
        }
        wake(state);
    }

    /// What it does now.
    pub fn observe(&self) -> Observed {
        let state = self.state();
        Observed { is_held: state.is_held, is_busy: state.is_busy, ended: state.ended }
    }

    /// Runs an operation of this client for as long as `limit`, not counting the time in which it was
    /// stopped. None if it took longer.
    pub async fn operation<T>(
        &self,
        limit: Duration,
        operation: impl Future<Output = T>,
    ) -> Option<T> {
        self.state().is_busy = true;
        let result = self.in_running_time(limit, operation).await;
        let mut state = self.state();
        state.is_busy = false;
        state.ended += 1;
        result
    }

    async fn in_running_time<T>(
        &self,
        limit: Duration,
        operation: impl Future<Output = T>,
    ) -> Option<T> {
        let (began, stopped) = (tokio::time::Instant::now(), self.state().stopped_before);
        tokio::pin!(operation);
        let mut end = began + limit;
        loop {
            if let Ok(result) = tokio::time::timeout_at(end, &mut operation).await {
                return Some(result);
            }
            let end_before = end;
            end = began + limit + self.state().stopped_before.saturating_sub(stopped);
            if end == end_before {
                return None;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lock is free when the waker runs.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// What a client does, as long as it is not stopped.
pub struct Pausable<F> {
    client: PausableClient,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Pausable<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let mut state = self.client.state();
        state.waker = Some(context.waker().clone());
        if state.stopped_since.is_some() {
            state.is_held = true;
            return Poll::Pending;
        }
        state.is_held = false;
        drop(state);
        self.future.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits until a client is seen so.
    async fn seen(client: &PausableClient, wanted: impl Fn(Observed) -> bool) {
        let look = async {
            while !wanted(client.observe()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), look).await.expect("it is seen in time");
    }

    #[tokio::test]
    async fn a_stopped_client_goes_on_where_it_was() {
        let clients = PausableClients::new(2);
        let client = clients.client(1);
        let (ask, asked) = tokio::sync::oneshot::channel();
        let running = client.clone();
        let work = async move { running.operation(Duration::from_secs(60), asked).await };
        let task = tokio::spawn(client.run(work));
        seen(&client, |it| it.is_busy).await;
        client.stop();
        seen(&client, |it| it.is_held).await;
        ask.send(7).unwrap();
        assert_eq!(client.observe(), Observed { is_held: true, is_busy: true, ended: 0 });
        client.resume();
        assert_eq!(task.await.unwrap(), Some(Ok(7)));
        assert_eq!(client.observe(), Observed { is_held: false, is_busy: false, ended: 1 });
    }

    #[tokio::test]
    async fn only_running_time_counts() {
        let client = PausableClient::default();
        let forever = std::future::pending::<()>();
        assert_eq!(client.operation(Duration::ZERO, forever).await, None);
        let stopped = client.clone();
        let work = async move {
            stopped.state().stopped_before += Duration::from_secs(3_600);
            tokio::task::yield_now().await;
        };
        assert_eq!(client.operation(Duration::ZERO, work).await, Some(()));
    }
}
