//! Where answers wait for the stream that wants them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use proto::client::{PipelineCut, PipelineSink};
use proto::kv::pipelined_response::Response;

use crate::driver::{AnswerSink, Answered, NodeError};

use super::super::refusal::Refusal;

/// An answer to a request of the stream.
#[derive(Debug)]
pub(super) enum Arrived {
    /// Of this node.
    Here(Result<Answered, NodeError>),
    /// Of the leader that it was sent on to.
    Leader(Result<Response, PipelineCut>),
    /// Of all groups.
    Everywhere(Result<Response, Refusal>),
}

/// Answers that have arrived, with the tags of their requests. There are never more than requests in
/// flight.
#[derive(Debug, Default)]
pub(super) struct Replies {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    arrived: Vec<(u64, Arrived)>,
    /// Wakes the stream, if it waits.
    waker: Option<Waker>,
}

impl Replies {
    /// Takes what has arrived; if there is nothing, arranges to be woken.
    pub(super) fn take(&self, cx: &Context<'_>) -> Vec<(u64, Arrived)> {
        let mut queue = self.lock();
        if queue.arrived.is_empty() {
            queue.waker = Some(cx.waker().clone());
        }
        std::mem::take(&mut queue.arrived)
    }

    /// The answer of all groups.
    pub(super) fn answer_of_all(&self, tag: u64, answer: Result<Response, Refusal>) {
        if let Some(waker) = self.put(tag, Arrived::Everywhere(answer)) {
            waker.wake();
        }
    }

    fn put(&self, tag: u64, arrived: Arrived) -> Option<Waker> {
        let mut queue = self.lock();
        queue.arrived.push((tag, arrived));
        queue.waker.take()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing that holds the lock can leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AnswerSink for Replies {
    fn answer(&self, tag: u64, answer: Result<Answered, NodeError>) -> Option<Waker> {
        self.put(tag, Arrived::Here(answer))
    }
}

impl PipelineSink for Replies {
    fn answer(&self, tag: u64, answer: Result<Response, PipelineCut>) {
        if let Some(waker) = self.put(tag, Arrived::Leader(answer)) {
            waker.wake();
        }
    }
}
