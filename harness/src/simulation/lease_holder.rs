//! Clients that hold leases: each has one granted, keeps it alive for a while, and lets it end.

use rand::RngExt;

use super::client::{Function, Request, Response};
use super::coverage::Counter;
use super::event::Event;
use super::node::TICK;
use super::world::World;

/// How long a holder waits for an answer (microseconds).
const PATIENCE: u64 = 200_000;

/// What a holder has and waits for.
#[derive(Debug, Default)]
pub(super) struct LeaseHolder {
    /// The lease and its time to live in ticks.
    lease: Option<(u64, u64)>,
    /// Keep-alives that it will send before it lets the lease end.
    keep_alives: u32,
    /// The request that it waits for, and when it was sent.
    awaiting: Option<(Function, u64)>,
    /// Number of the present request or wait.
    attempt: u64,
    /// Where it asks, from 0.
    node: usize,
}

impl World {
    /// Starts the holder of this number.
    pub(super) fn lease_holder_waits(&mut self, holder: usize, delay: u64) {
        self.holders[holder].attempt += 1;
        let attempt = self.holders[holder].attempt;
        self.schedule(delay, Event::LeaseHolder { holder, attempt });
    }

    /// Its wait is over; if it waited for an answer, none came.
    pub(super) fn lease_holder_wakes(&mut self, holder: usize, attempt: u64) {
        if self.holders[holder].attempt != attempt {
            return;
        }
        if self.holders[holder].awaiting.take().is_some() {
            let node = self.holders[holder].node;
            self.holders[holder].node = self.another_node(node);
        }
        let function = match self.holders[holder].lease {
            // After the heal all leases must end.
            _ if self.healed_at.is_some() => return,
            Some((lease, _)) if self.holders[holder].keep_alives > 0 => Function::KeepAlive(lease),
            Some(_) => {
                self.holders[holder].lease = None;
                let pause = self.client_rng.random_range(200_000..1_500_000);
                return self.lease_holder_waits(holder, pause);
            }
            None => {
                self.holders[holder].keep_alives = self.client_rng.random_range(0..20);
                Function::Grant(self.client_rng.random_range(5..60))
            }
        };
        self.holders[holder].awaiting = Some((function, self.now));
        self.lease_holder_waits(holder, PATIENCE);
        let LeaseHolder { attempt, node, .. } = self.holders[holder];
        let client = self.clients.len() + holder;
        let request = Request { client, attempt, key: 0, function, session: 0, sequence: 0 };
        if let Some(delay) = self.network.client_delay() {
            self.schedule(delay, Event::Request { node, request });
        }
    }

    pub(super) fn lease_response(&mut self, holder: usize, attempt: u64, response: Response) {
        let slot = &mut self.holders[holder];
        if slot.attempt != attempt {
            return;
        }
        let Some((function, sent_at)) = slot.awaiting.take() else { return };
        match (function, response) {
            (Function::Grant(ttl_ticks), Response::Done(lease)) => {
                slot.lease = Some((lease, ttl_ticks));
                self.lease_promised(lease, sent_at, ttl_ticks);
                self.coverage.count(Counter::LeasesGranted);
            }
            (Function::KeepAlive(lease), Response::KeptAlive(ttl_ticks)) => {
                slot.keep_alives -= 1;
                self.lease_promised(lease, sent_at, ttl_ticks);
                self.coverage.count(Counter::LeasesKeptAlive);
            }
            (Function::KeepAlive(lease), Response::LeaseGone) => {
                slot.lease = None;
                let result = self.watch.lease_kept.refused(lease, self.now);
                self.must_hold(result);
                self.coverage.count(Counter::LeasesTooLate);
            }
            (_, Response::Refused(Some(leader))) => slot.node = leader.0 as usize - 1,
            _ => {
                let node = slot.node;
                self.holders[holder].node = self.another_node(node);
            }
        }
        let pause = match self.holders[holder].lease {
            // About a third of the time to live.
            Some((_, ttl_ticks)) => ttl_ticks * TICK / 3 + self.client_rng.random_range(0..20_000),
            None => self.client_rng.random_range(5_000..50_000),
        };
        self.lease_holder_waits(holder, pause);
    }

    fn lease_promised(&mut self, lease: u64, sent_at: u64, ttl_ticks: u64) {
        let result = self.watch.lease_kept.promised(lease, sent_at + ttl_ticks * TICK);
        self.must_hold(result);
    }
}
