//! What a client does: think, invoke, retry under its session, give up.

use std::ops::Range;

use rand::RngExt;
use workloads::history::{EventKind, Value};

use super::client::{Function, Open, Response};
use super::coverage::Counter;
use super::event::Event;
use super::world::World;

/// An operation that takes longer is given up (microseconds); some clients are impatient.
const DEADLINE: Range<u64> = 250_000..1_500_000;

impl World {
    /// The client does nothing for a while.
    pub(super) fn think(&mut self, client: usize) {
        let delay = match self.healed_at {
            None => self.client_rng.random_range(10_000..220_000),
            Some(_) => self.client_rng.random_range(1_000..30_000),
        };
        self.wait(client, delay);
    }

    fn wait(&mut self, client: usize, delay: u64) {
        self.clients[client].attempt += 1;
        let attempt = self.clients[client].attempt;
        self.schedule(delay, Event::Client { client, attempt });
    }

    /// A wait is over; if an attempt was open, it timed out.
    pub(super) fn client_wakes(&mut self, client: usize, attempt: u64) {
        if self.clients[client].attempt != attempt {
            return;
        }
        match self.clients[client].open {
            None => self.invoke(client),
            Some(mut open) => {
                let timed_out = std::mem::take(&mut open.awaiting);
                open.doubtful |= timed_out;
                if timed_out {
                    open.node = self.another_node(open.node);
                }
                match open.deadline <= self.now {
                    true => self.give_up(client, open),
                    false => self.attempt(client, open),
                }
            }
        }
    }

    fn invoke(&mut self, client: usize) {
        let slot = &self.clients[client];
        let function = if slot.session.is_none() { Function::Open } else { self.choose(client) };
        let patience = self.client_rng.random_range(DEADLINE);
        let slot = &mut self.clients[client];
        let open = Open {
            function,
            deadline: self.now + patience,
            doubtful: false,
            awaiting: false,
            after_heal: self.healed_at.is_some(),
            node: slot.home,
            attempts: 0,
        };
        match function {
            Function::Write(_) | Function::Cas(..) => slot.sequence += 1,
            Function::Open | Function::Read | Function::Grant(_) | Function::KeepAlive(_) => {}
        }
        if function != Function::Open {
            self.record(
                client,
                EventKind::Invoke,
                function.name(),
                argument(function),
                None,
                open.node,
            );
        }
        self.attempt(client, open);
    }

    fn choose(&mut self, client: usize) -> Function {
        let slot = &self.clients[client];
        let after_heal = self.healed_at.is_some();
        let choice = self.client_rng.random_range(0..100);
        match (after_heal, slot.served_after_heal, slot.seen) {
            // The final phase: a write, then a read.
            (true, 1.., _) => Function::Read,
            (false, _, _) if choice < 45 => Function::Read,
            (false, _, Some(seen)) if choice < 65 => Function::Cas(seen, self.fresh_value()),
            _ => Function::Write(self.fresh_value()),
        }
    }

    fn fresh_value(&mut self) -> u64 {
        self.value_last += 1;
        self.value_last
    }

    /// Sends the open operation off, once more.
    fn attempt(&mut self, client: usize, mut open: Open) {
        open.attempts += 1;
        open.awaiting = true;
        if open.attempts > 1 {
            self.coverage.count(Counter::Retries);
        }
        let timeout = self.client_rng.random_range(60_000..250_000);
        self.wait(client, timeout);
        self.clients[client].open = Some(open);
        let request = self.clients[client].request(client, &open);
        if let Some(delay) = self.network.client_delay() {
            self.schedule(delay, Event::Request { node: open.node, request });
        }
    }

    pub(super) fn response(
        &mut self,
        client: usize,
        attempt: u64,
        node: usize,
        response: Response,
    ) {
        let slot = &self.clients[client];
        let Some(mut open) = slot.open.filter(|_| slot.attempt == attempt) else { return };
        open.awaiting = false;
        match (open.function, response) {
            (Function::Open, Response::Done(session)) => {
                self.clients[client].session = Some(session);
                self.clients[client].sequence = 0;
                self.clients[client].open = None;
                self.think(client);
            }
            (Function::Read, Response::Value(value)) => {
                self.clients[client].seen = value;
                self.coverage.count(Counter::Reads);
                self.complete(client, open, Value::from(value), node);
            }
            (Function::Write(value), Response::Done(_)) => {
                self.clients[client].seen = Some(value);
                self.coverage.count(Counter::Writes);
                self.complete(client, open, Value::from(value), node);
            }
            (Function::Cas(expected, value), Response::Done(_)) => {
                self.clients[client].seen = Some(value);
                self.coverage.count(Counter::CasOk);
                self.complete(client, open, Value::from([expected, value]), node);
            }
            (Function::Cas(..), Response::Mismatch) => {
                self.clients[client].seen = None;
                self.coverage.count(Counter::CasMismatch);
                self.end(client, open, EventKind::Fail, "mismatch", node);
            }
            (_, Response::SessionLost) => {
                open.doubtful = true;
                self.give_up(client, open);
            }
            (_, Response::Refused(leader)) => self.refused(client, open, leader),
            // Everything else says nothing about the operation; ask again.
            _ => {
                open.doubtful = true;
                self.retry_soon(client, open);
            }
        }
    }

    /// This attempt surely has no effect. Earlier ones may have.
    fn refused(&mut self, client: usize, mut open: Open, leader: Option<server::types::NodeId>) {
        open.node = match leader {
            // A hint that leads back to the same node is stale.
            Some(leader) if leader.0 as usize - 1 != open.node => leader.0 as usize - 1,
            _ => self.another_node(open.node),
        };
        self.retry_soon(client, open);
    }

    pub(super) fn another_node(&mut self, node: usize) -> usize {
        let count = self.nodes.len();
        (node + self.client_rng.random_range(1..count)) % count
    }

    fn retry_soon(&mut self, client: usize, open: Open) {
        self.clients[client].open = Some(open);
        let delay = self.client_rng.random_range(500..20_000);
        self.wait(client, delay);
    }

    fn complete(&mut self, client: usize, open: Open, value: Value, node: usize) {
        self.record(client, EventKind::Ok, open.function.name(), value, None, node);
        if open.attempts > 1 {
            self.coverage.count(Counter::RetriesAnswered);
        }
        let slot = &mut self.clients[client];
        slot.open = None;
        if slot.follows {
            slot.home = node;
        }
        slot.served_after_heal += u32::from(open.after_heal);
        self.think(client);
    }

    fn end(&mut self, client: usize, open: Open, kind: EventKind, error: &str, node: usize) {
        self.record(client, kind, open.function.name(), argument(open.function), Some(error), node);
        self.clients[client].open = None;
        self.think(client);
    }

    fn give_up(&mut self, client: usize, open: Open) {
        match open.function {
            Function::Open | Function::Grant(_) | Function::KeepAlive(_) => {
                self.clients[client].open = None;
                self.think(client);
            }
            Function::Read | Function::Write(_) | Function::Cas(..) if open.doubtful => {
                self.coverage.count(Counter::Indeterminate);
                self.end(client, open, EventKind::Info, "no answer in time", open.node);
                self.process_last += 1;
                self.clients[client].retire(self.process_last);
            }
            Function::Read | Function::Write(_) | Function::Cas(..) => {
                self.coverage.count(Counter::Failed);
                self.end(client, open, EventKind::Fail, "every attempt was refused", open.node);
            }
        }
    }
}

/// The argument of an operation as the history has it.
fn argument(function: Function) -> Value {
    match function {
        Function::Open | Function::Read | Function::Grant(_) | Function::KeepAlive(_) => {
            Value::Null
        }
        Function::Write(value) => Value::from(value),
        Function::Cas(expected, value) => Value::from([expected, value]),
    }
}
