//! Where everything that happens waits for the core thread.
//!
//! Each group has a lane of its own. One turn of the core takes a bounded part of each lane, and a
//! lane may take up half of the room at most, so that no group can starve the others.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use raft::eraftpb;

use crate::command::LogCommand;
use crate::state_machine::Query;
use crate::types::GroupId;

use super::administration::{Administer, AdministerReply};
use super::group::{Completion, GroupChange, GroupError};
use super::node::{KeptAlive, NodeError, ReadReply, WriteReply};
use super::reception::IncomingSnapshot;
use super::reply_to::{Bells, ReplyTo};

/// Requests of clients that may wait for the core.
const REQUESTS_MAX: usize = 16_384;
/// Peers' messages that may wait for the core.
const MESSAGES_MAX: usize = 65_536;
/// The entries in them.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// The part of each of these limits that one group may use up.
const LANE_SHARE: usize = 2;
/// Requests of one group that are taken at once.
const TURN_REQUESTS_MAX: usize = 1_024;
/// Messages to one group that are taken at once.
const TURN_MESSAGES_MAX: usize = 1_024;
/// The entries in them; one message always fits.
const TURN_MESSAGE_BYTES_MAX: usize = 8 << 20;
/// Groups that may wait to be added or removed.
const CHANGES_MAX: usize = 64;
/// Snapshots of peers that may wait to be installed.
const SNAPSHOTS_MAX: usize = 16;

/// What a client asks of a group.
#[derive(Debug)]
pub(super) enum Request {
    /// Apply a command.
    Write { command: LogCommand, reply: ReplyTo<WriteReply> },
    /// Query the state, linearizably.
    Read(PendingRead),
    /// Query this node's state, however old.
    LocalRead(PendingRead),
    /// Begin a lease anew.
    KeepAlive { lease: u64, reply: ReplyTo<KeptAlive> },
    /// Do what an operator wants.
    Administer { what: Administer, reply: AdministerReply },
}

impl Request {
    fn refuse(self, refusal: NodeError, bells: &mut Bells) {
        match self {
            Request::Write { reply, .. } => reply.send(Err(refusal), bells),
            Request::Read(read) | Request::LocalRead(read) => {
                read.reply.send(Err(refusal), bells);
            }
            Request::KeepAlive { reply, .. } => reply.send(Err(refusal), bells),
            // Who asked may be gone.
            Request::Administer { reply, .. } => drop(reply.send(Err(refusal))),
        }
    }
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

/// Must the core thread see completions at once, or when it wakes the next time, with the next tick
/// at the latest?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    Now,
    CanWait,
}

/// What was taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) completions: Vec<Completion>,
    pub(super) changes: Vec<GroupChange>,
    pub(super) snapshots: Vec<(GroupId, IncomingSnapshot)>,
    pub(super) lanes: Vec<(GroupId, Lane)>,
    /// Was the inbox closed? Then this is all there will ever be.
    pub(super) closed: bool,
}

/// What waits for one group.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) messages: VecDeque<eraftpb::Message>,
    message_bytes: usize,
    pub(super) requests: VecDeque<Request>,
}

/// Queues and a bell.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    queues: Mutex<Queues>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Queues {
    completions: Vec<Completion>,
    changes: Vec<GroupChange>,
    snapshots: Vec<(GroupId, IncomingSnapshot)>,
    /// None of them is empty.
    lanes: BTreeMap<GroupId, Lane>,
    /// What all lanes hold together.
    total: LaneSize,
    closed: bool,
    /// Does the core thread wait for the bell? Only then is it worth a system call.
    waiting: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct LaneSize {
    messages: usize,
    message_bytes: usize,
    requests: usize,
}

impl Lane {
    fn size(&self) -> LaneSize {
        LaneSize {
            messages: self.messages.len(),
            message_bytes: self.message_bytes,
            requests: self.requests.len(),
        }
    }

    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.requests.is_empty()
    }

    /// The oldest part, as much as one turn may take.
    fn take_turn(&mut self) -> Lane {
        let fits = self.messages.len() <= TURN_MESSAGES_MAX
            && self.message_bytes <= TURN_MESSAGE_BYTES_MAX
            && self.requests.len() <= TURN_REQUESTS_MAX;
        if fits {
            return mem::take(self);
        }
        let mut turn = Lane::default();
        while turn.messages.len() < TURN_MESSAGES_MAX
            && turn.message_bytes < TURN_MESSAGE_BYTES_MAX
            && let Some(message) = self.messages.pop_front()
        {
            turn.message_bytes += message_bytes(&message);
            turn.messages.push_back(message);
        }
        self.message_bytes -= turn.message_bytes;
        let requests = self.requests.len().min(TURN_REQUESTS_MAX);
        turn.requests = self.requests.drain(..requests).collect();
        turn
    }
}

impl Queues {
    fn has_any(&self, intake: Intake) -> bool {
        let others =
            !self.lanes.is_empty() || !self.changes.is_empty() || !self.snapshots.is_empty();
        !self.completions.is_empty() || (intake == Intake::Everything && others)
    }

    /// Is there room for a request?
    fn admit(&self, group: GroupId) -> Result<(), NodeError> {
        let own = self.lanes.get(&group).map_or(0, |lane| lane.requests.len());
        if self.closed {
            Err(NodeError::Stopping)
        } else if self.total.requests >= REQUESTS_MAX || own >= REQUESTS_MAX / LANE_SHARE {
            Err(NodeError::Busy)
        } else {
            Ok(())
        }
    }

    fn push(&mut self, group: GroupId, request: Request) {
        self.total.requests += 1;
        self.lanes.entry(group).or_default().requests.push_back(request);
    }

    fn take_turn(&mut self) -> Vec<(GroupId, Lane)> {
        let mut taken = Vec::with_capacity(self.lanes.len());
        let total = &mut self.total;
        self.lanes.retain(|group, lane| {
            let turn = lane.take_turn();
            let size = turn.size();
            total.messages -= size.messages;
            total.message_bytes -= size.message_bytes;
            total.requests -= size.requests;
            taken.push((*group, turn));
            !lane.is_empty()
        });
        taken
    }
}

impl Inbox {
    /// Adds a request, unless too many wait.
    pub(super) fn request(&self, group: GroupId, request: Request) -> Result<(), NodeError> {
        let mut queues = self.lock();
        queues.admit(group)?;
        queues.push(group, request);
        self.ring(queues);
        Ok(())
    }

    /// Adds requests, in their order, under one lock; those that find no room are refused.
    pub(super) fn requests(&self, requests: Vec<(GroupId, Request)>) {
        let mut queues = self.lock();
        let mut refused = Vec::new();
        for (group, request) in requests {
            match queues.admit(group) {
                Ok(()) => queues.push(group, request),
                Err(refusal) => refused.push((request, refusal)),
            }
        }
        self.ring(queues);
        let mut bells = Bells::default();
        for (request, error) in refused {
            request.refuse(error, &mut bells);
        }
    }

    /// Adds a peer's message. Returns false and drops it if too many wait; Raft repeats itself.
    pub(super) fn message(&self, group: GroupId, message: eraftpb::Message) -> bool {
        let bytes = message_bytes(&message);
        let mut queues = self.lock();
        let fits = |size: LaneSize, share: usize| {
            size.messages < MESSAGES_MAX / share
                && size.message_bytes + bytes <= MESSAGE_BYTES_MAX / share
        };
        let own = queues.lanes.get(&group).map_or(LaneSize::default(), Lane::size);
        if queues.closed || !fits(queues.total, 1) || !fits(own, LANE_SHARE) {
            return false;
        }
        queues.total.messages += 1;
        queues.total.message_bytes += bytes;
        let lane = queues.lanes.entry(group).or_default();
        lane.message_bytes += bytes;
        lane.messages.push_back(message);
        self.ring(queues);
        true
    }

    /// Adds a change of the hosted groups, unless too many wait.
    pub(super) fn change(&self, change: GroupChange) -> Result<(), GroupError> {
        let mut queues = self.lock();
        if queues.closed {
            return Err(GroupError::Stopping);
        }
        if queues.changes.len() >= CHANGES_MAX {
            return Err(GroupError::Busy { max: CHANGES_MAX });
        }
        queues.changes.push(change);
        self.ring(queues);
        Ok(())
    }

    /// Adds a snapshot that a peer sent. Returns false and drops it if too many wait.
    pub(super) fn snapshot(&self, group: GroupId, snapshot: IncomingSnapshot) -> bool {
        let mut queues = self.lock();
        if queues.closed || queues.snapshots.len() >= SNAPSHOTS_MAX {
            return false;
        }
        queues.snapshots.push((group, snapshot));
        self.ring(queues);
        true
    }

    /// Adds completions.
    pub(super) fn complete(
        &self,
        completions: impl IntoIterator<Item = Completion>,
        urgency: Urgency,
    ) {
        let mut queues = self.lock();
        queues.completions.extend(completions);
        if urgency == Urgency::Now {
            self.ring(queues);
        }
    }

    /// How many requests and how many messages wait.
    pub(super) fn lengths(&self) -> (usize, usize) {
        let queues = self.lock();
        (queues.total.requests, queues.total.messages)
    }

    /// Takes what waits; if nothing does, waits for something until the deadline.
    pub(super) fn take(&self, intake: Intake, deadline: Instant) -> Taken {
        let mut queues = self.lock();
        while !queues.has_any(intake) && !queues.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            queues.waiting = true;
            let woken = self.bell.wait_timeout(queues, left);
            queues = woken.unwrap_or_else(PoisonError::into_inner).0;
            queues.waiting = false;
        }
        let mut taken = Taken {
            completions: mem::take(&mut queues.completions),
            changes: Vec::new(),
            snapshots: Vec::new(),
            lanes: Vec::new(),
            closed: queues.closed,
        };
        if queues.closed {
            taken.lanes = mem::take(&mut queues.lanes).into_iter().collect();
        } else if intake == Intake::Everything {
            taken.lanes = queues.take_turn();
        }
        if intake == Intake::Everything || queues.closed {
            taken.changes = mem::take(&mut queues.changes);
            taken.snapshots = mem::take(&mut queues.snapshots);
        }
        taken
    }

    /// Refuses requests and messages from now on.
    pub(super) fn close(&self) {
        let mut queues = self.lock();
        queues.closed = true;
        self.ring(queues);
    }

    /// Wakes the core thread if it waits, after giving it the lock.
    fn ring(&self, mut queues: MutexGuard<'_, Queues>) {
        let waits = mem::take(&mut queues.waiting);
        drop(queues);
        if waits {
            self.bell.notify_one();
        }
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
        request.refuse(refusal, &mut bells);
    }
}

/// Roughly what a message takes in memory.
pub(crate) fn message_bytes(message: &eraftpb::Message) -> usize {
    128 + message.entries.iter().map(|entry| 64 + entry.data.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOISY: GroupId = GroupId(1);
    const QUIET: GroupId = GroupId(2);

    fn request() -> Request {
        let (reply, _) = tokio::sync::oneshot::channel();
        let reply = ReplyTo::caller(reply);
        Request::LocalRead(PendingRead { query: Query::Lease { id: 1 }, reply })
    }

    fn message(index: u64) -> eraftpb::Message {
        eraftpb::Message { index, ..Default::default() }
    }

    fn fill(inbox: &Inbox, group: GroupId) -> (usize, usize) {
        let requests = (0..).take_while(|_| inbox.request(group, request()).is_ok()).count();
        let messages = (0..).take_while(|index| inbox.message(group, message(*index))).count();
        (requests, messages)
    }

    #[test]
    fn a_noisy_group_leaves_room_for_others() {
        let inbox = Inbox::default();
        assert_eq!(fill(&inbox, NOISY), (REQUESTS_MAX / 2, MESSAGES_MAX / 2));
        assert_eq!(fill(&inbox, QUIET), (REQUESTS_MAX / 2, MESSAGES_MAX / 2));
        assert_eq!(fill(&inbox, GroupId(3)), (0, 0));
    }

    #[test]
    fn each_group_gets_its_part_of_a_turn() {
        let inbox = Inbox::default();
        fill(&inbox, NOISY);
        inbox.request(QUIET, request()).unwrap();
        let taken = inbox.take(Intake::Everything, Instant::now());
        let sizes: Vec<_> = taken
            .lanes
            .iter()
            .map(|(group, lane)| (*group, lane.requests.len(), lane.messages.len()))
            .collect();
        assert_eq!(sizes, [(NOISY, TURN_REQUESTS_MAX, TURN_MESSAGES_MAX), (QUIET, 1, 0)]);
        // The rest comes with the next turns, in order, and then there is room again.
        let mut next = TURN_MESSAGES_MAX as u64;
        while let [(_, lane)] = &inbox.take(Intake::Everything, Instant::now()).lanes[..] {
            for message in &lane.messages {
                assert_eq!(message.index, next);
                next += 1;
            }
        }
        assert_eq!(next, MESSAGES_MAX as u64 / 2);
        assert_eq!(fill(&inbox, NOISY), (REQUESTS_MAX / 2, MESSAGES_MAX / 2));
    }

    #[test]
    fn the_bytes_of_a_group_are_limited() {
        let inbox = Inbox::default();
        let large = || eraftpb::Message {
            entries: vec![eraftpb::Entry { data: vec![0; 1 << 20].into(), ..Default::default() }]
                .into(),
            ..Default::default()
        };
        let fit = (0..).take_while(|_| inbox.message(NOISY, large())).count();
        assert_eq!(fit, (MESSAGE_BYTES_MAX / 2) / message_bytes(&large()));
        assert!(inbox.message(QUIET, large()));
        let taken = inbox.take(Intake::Everything, Instant::now());
        let first = &taken.lanes[0].1;
        assert!(first.messages.len() <= 8 && !first.messages.is_empty());
    }

    #[test]
    fn a_closed_inbox_gives_everything_at_once() {
        let inbox = Inbox::default();
        let (requests, _) = fill(&inbox, NOISY);
        inbox.close();
        let taken = inbox.take(Intake::CompletionsOnly, Instant::now());
        assert!(taken.closed && taken.lanes[0].1.requests.len() == requests);
        assert_eq!(inbox.request(QUIET, request()), Err(NodeError::Stopping));
    }
}
