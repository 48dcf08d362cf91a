//! What a node does: the driver's part, on virtual time.
//!
//! Inputs are stepped into the replica when they arrive; its effects are performed a little later,
//! for several inputs at once, as a real loop does.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use raft::eraftpb::Message;
use rand::RngExt;
use server::command::{
    Command, CompareAndSet, GrantLease, LogCommand, OpenSession, OutcomeKind, Put,
};
use server::replica::{Effects, Input, Rejection, Reply};
use server::state_machine::{Applied, LeaseChange};
use server::types::{LogIndex, RequestId, Role};

use super::client::{Function, Request, Response};
use super::coverage::Counter;
use super::disk::Crash;
use super::invariants::{InvariantViolation, NodeView};
use super::node::{ClientTicket, Running, Ticket};
use super::options::Checks;
use super::report::Violation;
use super::world::{Event, World};

/// Of the ticks that a node slept through, so many are delivered late, with the next one.
const LATE_TICKS_MAX: u64 = 2;

impl World {
    pub(super) fn start_node(&mut self, node: usize) {
        let stale = self.nodes[node].state_is_stale();
        let logger = self.logger.clone();
        let started = self.guarded(node, |world| world.nodes[node].start(&logger));
        match started {
            None => return,
            Some(Err(error)) => {
                let id = self.nodes[node].id.0;
                self.found(Violation::Recovery { node: id, message: error.to_string() });
                return;
            }
            Some(Ok(())) => {}
        }
        self.trace.line(self.now, format_args!("n{} starts", self.nodes[node].id));
        if self.nodes[node].boot > 1 {
            self.coverage.count(Counter::Restarts);
            self.coverage.add(Counter::StaleStates, u64::from(stale));
        }
        let id = self.nodes[node].id;
        let installed = self.nodes[node].installed.map_or(0, |(position, _)| position.index.0);
        let is_behind = self.nodes[node].disk.durable().len() < installed;
        self.coverage.add(Counter::LogResets, u64::from(is_behind));
        if let Some(running) = &self.nodes[node].running {
            let result = self.watch.restarted(id, running.replica.term());
            self.must_hold(result);
        }
        self.wake_soon(node);
    }

    pub(super) fn crash_node(&mut self, node: usize, crash: Crash) {
        let target = &mut self.nodes[node];
        let Some(running) = target.running.take() else { return };
        target.paused_until = 0;
        self.coverage.add(Counter::CrashesBeforeInstall, u64::from(running.install.is_some()));
        let lost = target.disk.crash(crash, self.now, &mut self.disk_rng);
        self.coverage.add(Counter::LostWrites, lost as u64);
        self.coverage.count(match crash {
            Crash::Kill => Counter::Kills,
            Crash::PowerLoss => Counter::PowerLosses,
        });
        self.trace.line(self.now, format_args!("n{} down {crash:?} lost {lost}", target.id));
    }

    pub(super) fn tick(&mut self, node: usize) {
        let target = &mut self.nodes[node];
        if target.paused_until > self.now {
            target.ticks_missed += 1;
            return;
        }
        // The server's clock makes up for some of the ticks that it slept through.
        let late = std::mem::take(&mut target.ticks_missed).min(LATE_TICKS_MAX);
        for _ in 0..=late {
            self.step(node, Input::Tick);
        }
    }

    pub(super) fn message(&mut self, from: usize, to: usize, message: Message) {
        self.trace.line(
            self.now,
            format_args!("n{} hears n{} {}", to + 1, from + 1, DisplayMessage(&message)),
        );
        self.step(to, Input::Message(message));
    }

    /// A client's request arrives.
    pub(super) fn request(&mut self, node: usize, request: Request) {
        let Request { client, attempt, key, function, session, sequence } = request;
        let target = &mut self.nodes[node];
        if target.paused_until > self.now {
            let delay = target.paused_until - self.now + self.loop_rng.random_range(0..2_000);
            self.schedule(delay, Event::Request { node, request });
            return;
        }
        let Some(running) = &mut target.running else {
            // The connection is refused: surely nothing happened.
            self.respond(node, ClientTicket { client, attempt, key }, Response::Refused(None));
            return;
        };
        let id = running.request(Ticket::Client(ClientTicket { client, attempt, key }));
        let input = match function {
            Function::Read => Input::Read { request: id },
            Function::Open => write(id, 0, 0, Command::OpenSession(OpenSession::default())),
            Function::Write(value) => {
                let put = Put { key: bytes_of(key), value: bytes_of(value), lease: 0 };
                write(id, session, sequence, Command::Put(put))
            }
            Function::Cas(expected, value) => {
                let cas = CompareAndSet {
                    key: bytes_of(key),
                    expected: Some(bytes_of(expected)),
                    value: bytes_of(value),
                };
                write(id, session, sequence, Command::CompareAndSet(cas))
            }
            Function::Grant(ttl_ticks) => {
                write(id, 0, 0, Command::GrantLease(GrantLease { ttl_ticks }))
            }
            Function::KeepAlive(lease) => Input::KeepAlive { request: id, lease },
        };
        self.step(node, input);
    }

    pub(super) fn disk_done(&mut self, node: usize, boot: u64) {
        if self.nodes[node].boot != boot || self.nodes[node].running.is_none() {
            return;
        }
        if self.nodes[node].paused_until > self.now {
            let delay = self.nodes[node].paused_until - self.now;
            self.schedule(delay, Event::DiskDone { node, boot });
            return;
        }
        let number = self.nodes[node].disk.finish_write();
        self.trace.line(self.now, format_args!("n{} wrote {number}", node + 1));
        self.step(node, Input::Persisted(number));
        self.write_soon(node);
    }

    pub(super) fn apply_done(&mut self, node: usize, boot: u64) {
        if self.nodes[node].boot != boot {
            return;
        }
        let paused_until = self.nodes[node].paused_until;
        if paused_until > self.now {
            self.schedule(paused_until - self.now, Event::ApplyDone { node, boot });
            return;
        }
        let id = self.nodes[node].id;
        let Some(running) = &mut self.nodes[node].running else { return };
        running.applying = false;
        let entries = std::mem::take(&mut running.to_apply);
        let Some(last) = entries.last().map(|entry| entry.index) else {
            return self.install_snapshot(node);
        };
        let applied = running.machine.apply(&entries);
        for entry in &entries {
            let result = self.watch.applies(id, entry);
            self.must_hold(result);
        }
        match applied {
            Ok(Applied { entries, leases, events: _ }) => {
                self.see_state(node, &leases);
                self.trace.line(self.now, format_args!("n{id} applied {last}"));
                self.step(node, Input::Applied { index: last, entries, leases });
                self.apply_soon(node);
            }
            Err(error) => {
                self.found(Violation::Crash { node: id.0, message: error.to_string() });
            }
        }
    }

    /// Performs what the replica wants done.
    pub(super) fn wake(&mut self, node: usize, boot: u64) {
        if self.nodes[node].boot != boot {
            return;
        }
        let paused_until = self.nodes[node].paused_until;
        if paused_until > self.now {
            self.schedule(paused_until - self.now, Event::Wake { node, boot });
            return;
        }
        let effects = self.guarded(node, |world| {
            let running = world.nodes[node].running.as_mut()?;
            running.awake = false;
            Some(running.replica.take_effects())
        });
        if let Some(Some(effects)) = effects {
            self.perform(node, effects);
            self.look(node);
        }
    }

    fn perform(&mut self, node: usize, effects: Effects) {
        let id = self.nodes[node].id;
        let Effects {
            messages,
            snapshots,
            persist,
            committed,
            install,
            reads,
            take_snapshot,
            replies,
        } = effects;
        for batch in persist {
            self.coverage.count(Counter::LogWrites);
            self.coverage.add(Counter::Compactions, u64::from(batch.compact.is_some()));
            let installed = self.nodes[node].installed;
            let Some(running) = &mut self.nodes[node].running else { return };
            let mut reset = None;
            if let (Some(position), Some((installed, digest))) = (batch.reset, installed) {
                assert_eq!(position, installed, "a log is reset to the installed snapshot only");
                running.log.reset(position.index.0, digest);
                reset = Some(digest);
            }
            if let Some(first) = batch.entries.first() {
                if running.log.append(&batch.entries) > 0 {
                    self.coverage.count(Counter::Truncations);
                }
                let result = self.watch.appended(id, &running.log, first.index);
                self.must_hold(result);
            }
            self.nodes[node].disk.queue(batch, reset, self.now);
        }
        self.write_soon(node);
        for message in messages {
            let result = self.watch.sent(&message);
            self.must_hold(result);
            let to = message.to as usize - 1;
            let flights = self.network.send(self.now, node, to, &mut self.coverage);
            if let [Some(first), second] = flights {
                if let Some(second) = second {
                    let message = Box::new(message.clone());
                    self.send(node, to, second, message);
                }
                self.send(node, to, first, Box::new(message));
            }
        }
        for snapshot in snapshots {
            self.send_snapshot(node, snapshot);
        }
        self.see_configurations(&committed);
        if let Some(running) = &mut self.nodes[node].running {
            running.to_apply.extend(committed);
            running.install = install.or(running.install.take());
        }
        self.apply_soon(node);
        if take_snapshot {
            self.take_snapshot_soon(node);
        }
        for request in reads {
            self.answer_read(node, request);
        }
        for (request, reply) in replies {
            self.answer(node, request, reply);
        }
    }

    fn answer_read(&mut self, node: usize, request: RequestId) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let Some(Ticket::Client(ticket)) = running.requests.remove(&request) else { return };
        let value = match running.machine.get(&bytes_of(ticket.key)) {
            Ok(versioned) => versioned.and_then(|versioned| value_of(&versioned.value)),
            Err(error) => {
                let (node, message) = (self.nodes[node].id.0, error.to_string());
                self.found(Violation::Crash { node, message });
                return;
            }
        };
        self.respond(node, ticket, Response::Value(value));
    }

    fn answer(&mut self, node: usize, request: RequestId, reply: Reply) {
        let Some(running) = &mut self.nodes[node].running else { return };
        let ticket = match running.requests.remove(&request) {
            Some(Ticket::Client(ticket)) => ticket,
            Some(Ticket::Operator) => return self.operator_answered(&reply),
            None => return,
        };
        let response = match reply {
            Reply::Applied { outcome, .. } => match OutcomeKind::try_from(outcome.kind) {
                Ok(OutcomeKind::Done) => Response::Done(outcome.revision),
                Ok(OutcomeKind::Mismatch) => Response::Mismatch,
                Ok(OutcomeKind::SessionExpired | OutcomeKind::StaleSequence) => {
                    Response::SessionLost
                }
                Ok(
                    OutcomeKind::LeaseNotFound
                    | OutcomeKind::ValueTooLong
                    | OutcomeKind::WrongGroup,
                )
                | Err(_) => unreachable!("the simulated clients use one group, and short values"),
            },
            Reply::KeptAlive { ttl_ticks } => Response::KeptAlive(ttl_ticks),
            Reply::MembersChanged { .. }
            | Reply::LeaderTransferred { .. }
            | Reply::SnapshotTaken { .. } => unreachable!("clients do not ask for these"),
            Reply::Rejected(rejection) => match rejection {
                Rejection::NotLeader { leader } => Response::Refused(leader),
                Rejection::Busy | Rejection::Overwritten => Response::Refused(None),
                Rejection::Uncertain | Rejection::Timeout => Response::Unknown,
                Rejection::LeaseNotFound => Response::LeaseGone,
                Rejection::Members(_) | Rejection::Transfer(_) | Rejection::SnapshotFailed => {
                    unreachable!("clients do not ask for these")
                }
            },
        };
        if let (Response::Done(revision), Some(running)) = (response, &self.nodes[node].running) {
            let durable = self.nodes.iter().map(|node| (node.id, node.disk.durable()));
            let configuration = running.replica.configuration();
            let index = LogIndex(revision);
            let result = self.watch.acknowledged(index, &running.log, configuration, durable);
            self.must_hold(result);
        }
        self.respond(node, ticket, response);
    }

    fn respond(&mut self, node: usize, ticket: ClientTicket, response: Response) {
        let ClientTicket { client, attempt, .. } = ticket;
        if let Some(delay) = self.network.client_delay() {
            self.schedule(delay, Event::Response { client, attempt, node, response });
        }
    }

    fn send(
        &mut self,
        from: usize,
        to: usize,
        flight: super::network::Flight,
        message: Box<Message>,
    ) {
        let delay = flight.arrival - self.now;
        let lives = [self.nodes[from].lives, self.nodes[to].lives];
        self.schedule(delay, Event::Arrive { from, to, lives, flight, message });
    }

    pub(super) fn step(&mut self, node: usize, input: Input) {
        let stepped = self.guarded(node, |world| {
            let running = world.nodes[node].running.as_mut()?;
            running.replica.step(input);
            Some(())
        });
        if let Some(Some(())) = stepped {
            self.wake_soon(node);
        }
    }

    fn wake_soon(&mut self, node: usize) {
        let boot = self.nodes[node].boot;
        let Some(running) = &mut self.nodes[node].running else { return };
        if !std::mem::replace(&mut running.awake, true) {
            let delay = self.loop_rng.random_range(5..120);
            self.schedule(delay, Event::Wake { node, boot });
        }
    }

    fn write_soon(&mut self, node: usize) {
        let boot = self.nodes[node].boot;
        let Some(sync) = self.nodes[node].disk.start_write() else { return };
        let slow = self.nodes[node].disk_slow_until > self.now;
        let delay = match (sync, slow) {
            (false, _) => self.disk_rng.random_range(10..60),
            (true, true) => self.disk_rng.random_range(10_000..150_000),
            (true, false) if self.disk_rng.random_bool(0.03) => {
                self.disk_rng.random_range(2_000..25_000)
            }
            (true, false) => self.disk_rng.random_range(200..1_500),
        };
        self.schedule(delay, Event::DiskDone { node, boot });
    }

    pub(super) fn apply_soon(&mut self, node: usize) {
        let slow = self.nodes[node].apply_slow_until > self.now;
        let boot = self.nodes[node].boot;
        let Some(running) = &mut self.nodes[node].running else { return };
        if running.applying || (running.to_apply.is_empty() && running.install.is_none()) {
            return;
        }
        running.applying = true;
        let delay = match slow {
            true => self.disk_rng.random_range(20_000..400_000),
            false => self.disk_rng.random_range(20..300),
        };
        self.schedule(delay, Event::ApplyDone { node, boot });
    }

    /// Shows the node to the invariants.
    fn look(&mut self, node: usize) {
        let target = &mut self.nodes[node];
        let Some(running) = &mut target.running else { return };
        let Running { replica, log, role, machine, .. } = running;
        let before = std::mem::replace(role, replica.role());
        let newly_elected = *role == Role::Leader && before != Role::Leader;
        let view = NodeView {
            id: target.id,
            role: *role,
            term: replica.term(),
            committed: replica.committed(),
            applied: machine.applied().index,
            log,
            newly_elected,
        };
        if before != view.role {
            let (id, role, term) = (view.id, view.role.name(), view.term);
            self.trace.line(self.now, format_args!("n{id} {role} of {term}"));
        }
        let result = self.watch.stepped(view);
        if newly_elected && self.last_leader.replace(target.id) != Some(target.id) {
            self.coverage.count(Counter::LeaderChanges);
        }
        self.must_hold(result);
    }

    /// Shows the state of the node to the invariants, after leases changed in it.
    pub(super) fn see_state(&mut self, node: usize, leases: &[LeaseChange]) {
        let Some(running) = &self.nodes[node].running else { return };
        let (id, state) = (self.nodes[node].id, running.machine.store());
        let result = self.watch.has_state(id, running.machine.applied().index, state);
        self.must_hold(result);
        for change in leases {
            if let LeaseChange::Ended { id } = change {
                self.coverage.count(Counter::LeasesEnded);
                let result = self.watch.lease_kept.ended(*id, self.now);
                self.must_hold(result);
            }
        }
    }

    /// Runs code of the store; a panic in it is a finding.
    pub(super) fn guarded<T>(
        &mut self,
        node: usize,
        action: impl FnOnce(&mut World) -> T,
    ) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| action(self))) {
            Ok(result) => Some(result),
            Err(panic) => {
                let message = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                    .unwrap_or_else(|| "a panic without a message".to_owned());
                self.found(Violation::Crash { node: self.nodes[node].id.0, message });
                None
            }
        }
    }

    pub(super) fn must_hold(&mut self, result: Result<(), InvariantViolation>) {
        if let Err(violation) = result
            && self.options.checks == Checks::All
        {
            self.found(Violation::Invariant(violation));
        }
    }

    /// Ends the run with a finding, unless there is one already. With [`Checks::History`] a node
    /// that breaks stays down, and clients go on.
    pub(super) fn found(&mut self, violation: Violation) {
        self.trace.line(self.now, format_args!("found {violation}"));
        if self.options.checks == Checks::History {
            if let Violation::Crash { node, .. } | Violation::Recovery { node, .. } = violation {
                self.nodes[node as usize - 1].running = None;
            }
            return;
        }
        self.violation.get_or_insert(violation);
    }
}

fn write(request: RequestId, session: u64, sequence: u64, command: Command) -> Input {
    Input::Write { request, command: LogCommand::new(session, sequence, command) }
}

/// Keys and values are decimal numbers in the store.
fn bytes_of(number: u64) -> Bytes {
    Bytes::from(number.to_string())
}

fn value_of(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// A Raft message in a few words; everything in it that decides what it does.
struct DisplayMessage<'a>(&'a Message);

impl std::fmt::Display for DisplayMessage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let message = self.0;
        write!(
            f,
            "{:?} {} {}/{} c{} r{}/{} +{}",
            message.get_msg_type(),
            message.term,
            message.index,
            message.log_term,
            message.commit,
            u8::from(message.reject),
            message.reject_hint,
            message.entries.len(),
        )?;
        for byte in &message.context[..] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}
