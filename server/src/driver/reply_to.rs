//! Where the answer to a request goes.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use tokio::sync::oneshot;

use super::node::{KeptAlive, NodeError, ReadReply, WriteReply};

/// A request was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// A write was applied.
    Write(WriteReply),
    /// A query was answered.
    Read(ReadReply),
    /// A lease begins anew.
    KeptAlive(KeptAlive),
}

impl From<KeptAlive> for Answered {
    fn from(reply: KeptAlive) -> Answered {
        Answered::KeptAlive(reply)
    }
}

impl From<WriteReply> for Answered {
    fn from(reply: WriteReply) -> Answered {
        Answered::Write(reply)
    }
}

impl From<ReadReply> for Answered {
    fn from(reply: ReadReply) -> Answered {
        Answered::Read(reply)
    }
}

/// Takes the answers to many requests. Must not block.
pub trait AnswerSink: Send + Sync {
    /// The answer to the request that was submitted with this tag. What is returned wants to be
    /// woken; a thread that gives several answers wakes it after the last.
    fn answer(&self, tag: u64, answer: Result<Answered, NodeError>) -> Option<Waker>;
}

/// Where one answer goes. Dropped without one, it says that the fate of the request is unknown.
pub(super) struct ReplyTo<T: Into<Answered>>(Option<Way<T>>);

enum Way<T> {
    Caller(oneshot::Sender<Result<T, NodeError>>),
    Sink { sink: Arc<dyn AnswerSink>, tag: u64 },
}

/// Those who want to be woken once all answers of a round are given.
#[derive(Debug, Default)]
pub(super) struct Bells(Vec<Waker>);

impl<T: Into<Answered>> ReplyTo<T> {
    /// To one who waits for this answer only.
    pub(super) fn caller(sender: oneshot::Sender<Result<T, NodeError>>) -> ReplyTo<T> {
        ReplyTo(Some(Way::Caller(sender)))
    }

    /// To one who waits for many.
    pub(super) fn sink(sink: Arc<dyn AnswerSink>, tag: u64) -> ReplyTo<T> {
        ReplyTo(Some(Way::Sink { sink, tag }))
    }

    /// Is it known that the one who asked has gone? Of a sink it never is.
    pub(super) fn is_closed(&self) -> bool {
        match &self.0 {
            Some(Way::Caller(sender)) => sender.is_closed(),
            Some(Way::Sink { .. }) => false,
            None => true,
        }
    }

    /// Gives the answer; whoever waits for many is woken when `bells` are dropped.
    pub(super) fn send(mut self, answer: Result<T, NodeError>, bells: &mut Bells) {
        self.give(answer, bells);
    }

    fn give(&mut self, answer: Result<T, NodeError>, bells: &mut Bells) {
        match self.0.take() {
            // One who has gone needs no answer.
            Some(Way::Caller(sender)) => drop(sender.send(answer)),
            Some(Way::Sink { sink, tag }) => {
                bells.0.extend(sink.answer(tag, answer.map(T::into)));
            }
            None => {}
        }
    }
}

impl<T: Into<Answered>> Drop for ReplyTo<T> {
    fn drop(&mut self) {
        self.give(Err(NodeError::Lost), &mut Bells::default());
    }
}

impl<T: Into<Answered>> fmt::Debug for ReplyTo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Some(Way::Caller(_)) => "ReplyTo::Caller",
            Some(Way::Sink { .. }) => "ReplyTo::Sink",
            None => "ReplyTo::Nobody",
        })
    }
}

impl Drop for Bells {
    fn drop(&mut self) {
        for waker in self.0.drain(..) {
            waker.wake();
        }
    }
}
