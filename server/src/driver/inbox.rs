//! Where everything that happens waits for the core thread.

use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use raft::eraftpb;

use crate::command::LogCommand;
use crate::replica::Input;
use crate::state_machine::Query;

use super::node::{NodeError, ReadReply, WriteReply};
use super::reply_to::{Bells, ReplyTo};

/// Requests of clients that may wait for the core.
const REQUESTS_MAX: usize = 16_384;
/// Peers' messages that may wait for the core.
const MESSAGES_MAX: usize = 65_536;
/// The entries in them.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// What a client asks of this node.
#[derive(Debug)]
pub(super) enum Request {
    /// Apply a command.
    Write { command: LogCommand, reply: ReplyTo<WriteReply> },
    /// Query the state, linearizably.
    Read(PendingRead),
    /// Query this node's state, however old.
    LocalRead(PendingRead),
}

/// A read and who waits for it.
#[derive(Debug)]
pub(super) struct PendingRead {
    pub(super) query: Query,
    pub(super) reply: ReplyTo<ReadReply>,
}

/// Which queues to take from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intake {
    Everything,
    CompletionsOnly,
}

/// What was taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) completions: Vec<Input>,
    pub(super) messages: Vec<eraftpb::Message>,
    pub(super) requests: Vec<Request>,
    /// Was the inbox closed? Then this is all there will ever be.
    pub(super) closed: bool,
}

/// Three queues and a bell.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    queues: Mutex<Queues>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Queues {
    completions: Vec<Input>,
    messages: Vec<eraftpb::Message>,
    message_bytes: usize,
    requests: Vec<Request>,
    closed: bool,
}

impl Queues {
    fn has_any(&self, intake: Intake) -> bool {
        let others = !self.messages.is_empty() || !self.requests.is_empty();
        !self.completions.is_empty() || (intake == Intake::Everything && others)
    }
}

impl Inbox {
    /// Adds a request, unless too many wait.
    pub(super) fn request(&self, request: Request) -> Result<(), NodeError> {
        let mut queues = self.lock();
        if queues.closed {
            return Err(NodeError::Stopping);
        }
        if queues.requests.len() >= REQUESTS_MAX {
            return Err(NodeError::Busy);
        }
        queues.requests.push(request);
        self.bell.notify_one();
        Ok(())
    }

    /// Adds requests, in their order, under one lock; those that find no room are refused.
    pub(super) fn requests(&self, requests: Vec<Request>) {
        let mut queues = self.lock();
        let room = match queues.closed {
            true => 0,
            false => REQUESTS_MAX.saturating_sub(queues.requests.len()),
        };
        let refusal = if queues.closed { NodeError::Stopping } else { NodeError::Busy };
        let mut requests = requests.into_iter();
        queues.requests.extend(requests.by_ref().take(room));
        drop(queues);
        self.bell.notify_one();
        refuse_all(requests, refusal);
    }

    /// Adds a peer's message. Returns false and drops it if too many wait; Raft repeats itself.
    pub(super) fn message(&self, message: eraftpb::Message) -> bool {
        let bytes = message_bytes(&message);
        let mut queues = self.lock();
        let full = queues.messages.len() >= MESSAGES_MAX
            || queues.message_bytes + bytes > MESSAGE_BYTES_MAX;
        if full || queues.closed {
            return false;
        }
        queues.message_bytes += bytes;
        queues.messages.push(message);
        self.bell.notify_one();
        true
    }

    /// Adds a completion.
    pub(super) fn completion(&self, input: Input) {
        self.lock().completions.push(input);
        self.bell.notify_one();
    }

    /// How many requests and how many messages wait.
    pub(super) fn lengths(&self) -> (usize, usize) {
        let queues = self.lock();
        (queues.requests.len(), queues.messages.len())
    }

    /// Takes what waits; if nothing does, waits for something until the deadline.
    pub(super) fn take(&self, intake: Intake, deadline: Instant) -> Taken {
        let mut queues = self.lock();
        while !queues.has_any(intake) && !queues.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.bell.wait_timeout(queues, left);
            queues = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut taken = Taken {
            completions: mem::take(&mut queues.completions),
            messages: Vec::new(),
            requests: Vec::new(),
            closed: queues.closed,
        };
        if intake == Intake::Everything || queues.closed {
            taken.messages = mem::take(&mut queues.messages);
            queues.message_bytes = 0;
            taken.requests = mem::take(&mut queues.requests);
        }
        taken
    }

    /// Refuses requests and messages from now on.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        // Nothing that holds the lock can leave the queues half changed.
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells everyone who asked that nothing will come of it.
pub(super) fn refuse_all(requests: impl IntoIterator<Item = Request>, refusal: NodeError) {
    let mut bells = Bells::default();
    for request in requests {
        match request {
            Request::Write { reply, .. } => reply.send(Err(refusal), &mut bells),
            Request::Read(read) | Request::LocalRead(read) => {
                read.reply.send(Err(refusal), &mut bells);
            }
        }
    }
}

/// Roughly what a message takes in memory.
pub(crate) fn message_bytes(message: &eraftpb::Message) -> usize {
    128 + message.entries.iter().map(|entry| 64 + entry.data.len()).sum::<usize>()
}
