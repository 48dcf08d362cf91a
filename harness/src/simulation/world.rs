//! The world: virtual time, one queue of events, and everything that events act on.

use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use raft::eraftpb::ConfState;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use server::membership::Configuration;
use server::replica::CompactionConfig;
use server::types::NodeId;
use workloads::history::{Event as HistoryEvent, EventKind, Process, Value};

use super::client::Client;
use super::coverage::{Counter, Coverage};
use super::event::{Event, Scheduled};
use super::invariants::Watch;
use super::judge::{Judgement, judge};
use super::lease_holder::LeaseHolder;
use super::nemesis::Nemesis;
use super::network::Network;
use super::node::{Node, TICK};
use super::operator::Operator;
use super::options::{Checks, FaultIntensity, SimulationOptions};
use super::report::{SimulationReport, Violation};
use super::streams::stream;
use super::trace::Trace;

/// Events of one run; a run that needs more is looping.
const EVENTS_MAX: u64 = 5_000_000;

/// Nodes that are no members at first, if members come and go.
const SPARES: u64 = 2;
/// Clients that hold leases.
const LEASE_HOLDERS: usize = 2;

/// One run.
#[derive(Debug)]
pub(super) struct World {
    pub(super) options: SimulationOptions,
    /// Virtual microseconds.
    pub(super) now: u64,
    queue: BinaryHeap<Scheduled>,
    order: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) clients: Vec<Client>,
    pub(super) holders: Vec<LeaseHolder>,
    pub(super) network: Network,
    pub(super) nemesis: Nemesis,
    pub(super) operator: Operator,
    pub(super) watch: Watch,
    pub(super) coverage: Coverage,
    pub(super) trace: Trace,
    pub(super) history: Vec<HistoryEvent>,
    pub(super) violation: Option<Violation>,
    pub(super) disk_rng: ChaCha8Rng,
    pub(super) client_rng: ChaCha8Rng,
    pub(super) loop_rng: ChaCha8Rng,
    pub(super) logger: slog::Logger,
    /// Unique values of writes.
    pub(super) value_last: u64,
    pub(super) process_last: u64,
    pub(super) healed_at: Option<u64>,
    pub(super) last_leader: Option<NodeId>,
    event_names: Vec<String>,
    /// Does the operator do anything?
    operates: bool,
}

/// When logs are compacted: often, so that most of what happens to a snapshot happens in a run.
fn compaction(rng: &mut ChaCha8Rng) -> CompactionConfig {
    CompactionConfig {
        snapshot_entries: [20, 50, 200][rng.random_range(0..3)],
        snapshot_bytes: [3_000, u64::MAX][rng.random_range(0..2)],
        tail_entries: [0, 5, 30][rng.random_range(0..3)],
        log_bytes_max: 1 << 20,
    }
}

/// Runs one simulation.
pub fn run(options: &SimulationOptions) -> SimulationReport {
    let mut world = World::new(options.clone());
    let recovery = world.run();
    world.into_report(recovery)
}

impl World {
    fn new(options: SimulationOptions) -> World {
        let seed = options.seed;
        let drawn = [3, 5, 5][stream(seed, "nodes").random_range(0..3)];
        let voter_count = options.nodes.unwrap_or(drawn);
        let mut operator = stream(seed, "operator");
        let compaction = compaction(&mut operator);
        // In half of the runs members come and go.
        let operates = options.faults == FaultIntensity::Storm && operator.random_bool(0.5);
        let count = voter_count + if operates { SPARES } else { 0 };
        let mut voters = ConfState::default();
        voters.set_voters((1..=voter_count).collect());
        let first = Configuration::from_conf_state(&voters, &BTreeMap::new());
        let nodes = (1..=count)
            .map(|id| {
                let voters = (id <= voter_count).then(|| voters.clone());
                Node::new(NodeId(id), voters, seed, options.bugs, compaction)
            })
            .collect();
        let count = count as usize;
        let clients: Vec<Client> = (0..options.keys as usize * options.clients_per_key)
            .map(|slot| {
                // The clients of a register are spread over all nodes, the isolated one included.
                let (key, home) = (slot as u64 % options.keys, slot / options.keys as usize);
                // Some clients remember who answered last, as real ones do; the others stay bound.
                Client::new(key, home % voter_count as usize, slot as u64, home % 2 == 1)
            })
            .collect();
        World {
            now: 0,
            queue: BinaryHeap::new(),
            order: 0,
            nodes,
            process_last: clients.len() as u64 - 1,
            clients,
            holders: (0..LEASE_HOLDERS).map(|_| LeaseHolder::default()).collect(),
            network: Network::new(count, stream(seed, "network"), options.faults),
            nemesis: Nemesis::new(stream(seed, "nemesis")),
            operator: Operator::new(operator, first),
            operates,
            watch: Watch::new(count),
            coverage: Coverage::default(),
            trace: Trace::new(options.trace),
            history: Vec::new(),
            violation: None,
            disk_rng: stream(seed, "disk"),
            client_rng: stream(seed, "client"),
            loop_rng: stream(seed, "loop"),
            logger: slog::Logger::root(slog::Discard, slog::o!()),
            value_last: 0,
            healed_at: None,
            last_leader: None,
            event_names: (1..=count).map(|id| format!("n{id}")).collect(),
            options,
        }
    }

    pub(super) fn schedule(&mut self, delay: u64, event: Event) {
        self.order += 1;
        self.queue.push(Scheduled { time: self.now + delay, order: self.order, event });
    }

    /// Returns the virtual time from the heal until every client was served.
    fn run(&mut self) -> Option<u64> {
        for node in 0..self.nodes.len() {
            self.start_node(node);
            let offset = self.loop_rng.random_range(0..TICK);
            self.schedule(offset, Event::Tick { node });
            self.schedule(1, Event::FlushState { node });
        }
        for client in 0..self.clients.len() {
            self.think(client);
        }
        for holder in 0..self.holders.len() {
            let delay = self.client_rng.random_range(100_000..600_000);
            self.lease_holder_waits(holder, delay);
        }
        if self.options.faults == FaultIntensity::Storm {
            self.schedule(500_000, Event::Strike);
        }
        if self.operates {
            self.schedule(300_000, Event::Operate);
        }
        let safety = self.options.safety.as_micros() as u64;
        self.schedule(safety, Event::Heal);
        let end = safety + self.options.liveness_bound.as_micros() as u64;
        let mut events = 0;
        while self.violation.is_none() {
            let Some(Scheduled { time, event, .. }) = self.queue.pop() else { break };
            events += 1;
            if time > end || events > EVENTS_MAX {
                break;
            }
            self.now = time;
            self.happen(event);
            if let Some(healed_at) = self.healed_at
                && self.clients.iter().all(|client| client.served_after_heal >= 2)
                && self.is_settled()
            {
                return Some(self.now - healed_at);
            }
        }
        None
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick { node } => {
                self.schedule(TICK, Event::Tick { node });
                self.tick(node);
            }
            Event::Arrive { from, to, lives, flight, message } => {
                let paused_until = self.nodes[to].paused_until;
                if lives != [self.nodes[from].lives, self.nodes[to].lives] {
                    self.coverage.count(Counter::MessagesDropped);
                } else if paused_until > self.now {
                    // The kernel keeps it.
                    let jitter = self.nodes[to].backlog_jitter[from];
                    let delay = paused_until - self.now + jitter;
                    self.schedule(delay, Event::Arrive { from, to, lives, flight, message });
                } else if self.network.arrives(flight, from, to, &mut self.coverage) {
                    self.message(from, to, *message);
                }
            }
            Event::Request { node, request } => self.request(node, request),
            Event::Response { client, attempt, node, response } => {
                match client.checked_sub(self.clients.len()) {
                    None => self.response(client, attempt, node, response),
                    Some(holder) => self.lease_response(holder, attempt, response),
                }
            }
            Event::SnapshotArrives { flight, sending } => self.snapshot_arrives(flight, sending),
            Event::SnapshotSent { node, boot, to, ok } => self.snapshot_sent(node, boot, to, ok),
            Event::TakeSnapshot { node, boot } => self.take_snapshot(node, boot),
            Event::Wake { node, boot } => self.wake(node, boot),
            Event::DiskDone { node, boot } => self.disk_done(node, boot),
            Event::ApplyDone { node, boot } => self.apply_done(node, boot),
            Event::FlushState { node } => {
                self.nodes[node].flush_state();
                let delay = self.disk_rng.random_range(100_000..1_500_000);
                self.schedule(delay, Event::FlushState { node });
            }
            Event::Client { client, attempt } => self.client_wakes(client, attempt),
            Event::LeaseHolder { holder, attempt } => self.lease_holder_wakes(holder, attempt),
            Event::Operate => self.operate(),
            Event::Strike => self.strike(),
            Event::Isolate { node, duration } => self.isolate(node, duration),
            Event::Undo(fault) => self.undo(fault),
            Event::Heal => self.heal(),
        }
    }

    /// Adds an event to the history.
    pub(super) fn record(
        &mut self,
        client: usize,
        kind: EventKind,
        f: &str,
        value: Value,
        error: Option<&str>,
        node: usize,
    ) {
        let Client { process, key, .. } = self.clients[client];
        self.trace.line(self.now, format_args!("p{process} {kind:?} {f} {key} {value}"));
        self.history.push(HistoryEvent {
            index: self.history.len() as u64,
            time: self.now * 1_000,
            scheduled: None,
            process: Process::Client(process),
            kind,
            f: f.into(),
            key: Some(Value::from(key)),
            value,
            error: error.map(Into::into),
            node: Some(self.event_names[node].as_str().into()),
        });
    }

    fn into_report(mut self, recovery: Option<u64>) -> SimulationReport {
        let checks = self.options.checks;
        let mut violation = self.violation.take();
        if violation.is_none() {
            violation = match judge(&self.history) {
                Judgement::Valid => None,
                Judgement::Invalid(summary) => Some(Violation::NotLinearizable { summary }),
                Judgement::Undecided(summary) => Some(Violation::Undecided { summary }),
            };
        }
        if violation.is_none() && recovery.is_none() && checks != Checks::History {
            let waiting: Vec<String> = self
                .clients
                .iter()
                .filter(|client| client.served_after_heal < 2)
                .map(|client| format!("p{}", client.process))
                .collect();
            let bound = self.options.liveness_bound.as_millis();
            let summary = match waiting.is_empty() {
                true => format!(
                    "{bound} ms after the heal there are leases that nobody keeps alive, or a \
                     change of members is not complete"
                ),
                false => format!(
                    "{bound} ms after the heal these processes were not served: {}",
                    waiting.join(" ")
                ),
            };
            violation = Some(Violation::Liveness { summary });
        }
        self.coverage.add(Counter::Runs, 1);
        SimulationReport {
            seed: self.options.seed,
            history: self.history,
            violation,
            trace_hash: self.trace.hash(),
            trace: self.trace.into_text(),
            coverage: self.coverage,
            cluster_time: Duration::from_micros(self.now),
            recovery_time: recovery.map(Duration::from_micros),
        }
    }
}
