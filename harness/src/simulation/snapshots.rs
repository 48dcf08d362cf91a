//! Snapshots of states: taken, sent, received, switched to.

use std::sync::Arc;

use raft::eraftpb::Message;
use rand::RngExt;
use server::bug::Bug;
use server::log_store::LogPosition;
use server::membership::Configuration;
use server::replica::{Input, InstallSnapshot, SendSnapshot};
use server::state_machine::{
    Changes, MemoryStateStore, StateMachine, StateMachineConfig, StateStore,
};

use super::coverage::Counter;
use super::disk::Crash;
use super::event::Event;
use super::log_digest::EntryDigest;
use super::nemesis::FaultId;
use super::network::Flight;
use super::options::FaultIntensity;
use super::report::Violation;
use super::world::World;

/// Received snapshots that a process keeps.
const RECEIVED_MAX: usize = 8;
/// A sender that hears nothing gives up after this (microseconds).
const SEND_TIMEOUT: u64 = 400_000;

/// A state at some position.
#[derive(Debug)]
pub(super) struct StateSnapshot {
    pub(super) position: LogPosition,
    pub(super) configuration: Configuration,
    pub(super) state: MemoryStateStore,
    /// Of the entry at the position.
    pub(super) digest: EntryDigest,
}

impl World {
    /// The replica asked for a snapshot.
    pub(super) fn take_snapshot_soon(&mut self, node: usize) {
        let boot = self.nodes[node].boot;
        let delay = match self.disk_rng.random_bool(0.1) {
            true => self.disk_rng.random_range(20_000..300_000),
            false => self.disk_rng.random_range(300..10_000),
        };
        self.schedule(delay, Event::TakeSnapshot { node, boot });
    }

    /// The snapshot is durable, or failed.
    pub(super) fn take_snapshot(&mut self, node: usize, boot: u64) {
        let target = &self.nodes[node];
        let Some(running) = target.running.as_ref().filter(|_| target.boot == boot) else { return };
        if target.paused_until > self.now {
            let delay = target.paused_until - self.now;
            return self.schedule(delay, Event::TakeSnapshot { node, boot });
        }
        let state = running.machine.store().clone();
        let position = state.applied();
        let digest = running.log.get(position.index.0);
        let fails = self.disk_rng.random_bool(0.05);
        let Some(digest) = digest.filter(|_| !fails) else {
            self.coverage.count(Counter::SnapshotsFailed);
            return self.step(node, Input::SnapshotFailed);
        };
        let configuration = target.configuration_of(&state);
        let taken = StateSnapshot { position, configuration, state, digest };
        let configuration = taken.configuration.clone();
        self.trace.line(self.now, format_args!("n{} snapshot {}", node + 1, position.index));
        self.coverage.count(Counter::SnapshotsTaken);
        self.nodes[node].keep_snapshot(Arc::new(taken));
        self.step(node, Input::SnapshotTaken { position, configuration });
    }

    /// The replica wants a snapshot sent: its files, then its message.
    pub(super) fn send_snapshot(&mut self, node: usize, send: SendSnapshot) {
        let result = self.watch.sent(&send.message);
        self.must_hold(result);
        self.coverage.count(Counter::SnapshotsSent);
        let boot = self.nodes[node].boot;
        let to = send.to.0 as usize - 1;
        let kept = self.nodes[node].snapshots.iter();
        let snapshot = kept.rev().find(|kept| kept.position == send.position).cloned();
        let Some(snapshot) = snapshot else {
            return self.schedule(1_000, Event::SnapshotSent { node, boot, to, ok: false });
        };
        let transfer = self.disk_rng.random_range(1_000..80_000);
        let [first, second] = self.network.send(self.now, node, to, &mut self.coverage);
        if first.is_none() {
            self.coverage.count(Counter::SnapshotsLost);
            return self.schedule(SEND_TIMEOUT, Event::SnapshotSent { node, boot, to, ok: false });
        }
        for flight in [first, second].into_iter().flatten() {
            let lives = [self.nodes[node].lives, self.nodes[to].lives];
            let message = Box::new(send.message.clone());
            let snapshot = Arc::clone(&snapshot);
            let delay = flight.arrival - self.now + transfer;
            let sending = Sending { from: node, boot, to, lives, message, snapshot };
            self.schedule(delay, Event::SnapshotArrives { flight, sending });
        }
    }

    /// All files of a snapshot are there.
    pub(super) fn snapshot_arrives(&mut self, flight: Flight, sending: Sending) {
        let Sending { from, boot, to, lives, message, snapshot } = sending;
        let arrives = lives == [self.nodes[from].lives, self.nodes[to].lives]
            && self.nodes[to].paused_until <= self.now
            && self.network.arrives(flight, from, to, &mut self.coverage);
        let running = self.nodes[to].running.as_mut().filter(|_| arrives);
        let arrived = running.is_some();
        if let Some(running) = running {
            let is_new = running.received.iter().all(|it| it.position != snapshot.position);
            if is_new {
                running.received.push_back(snapshot);
            }
            if running.received.len() > RECEIVED_MAX {
                running.received.pop_front();
            }
            self.message(from, to, *message);
        }
        // The answer may be lost on its way.
        let (ok, delay) = match self.network.client_delay().filter(|_| arrived) {
            Some(delay) => (true, delay),
            None => (false, SEND_TIMEOUT),
        };
        self.coverage.add(Counter::SnapshotsLost, u64::from(!ok));
        self.schedule(delay, Event::SnapshotSent { node: from, boot, to, ok });
    }

    pub(super) fn snapshot_sent(&mut self, node: usize, boot: u64, to: usize, ok: bool) {
        if self.nodes[node].boot == boot {
            let to = self.nodes[to].id;
            self.step(node, Input::SnapshotSent { to, ok });
        }
    }

    /// Everything before the snapshot is applied: switches to it.
    pub(super) fn install_snapshot(&mut self, node: usize) {
        let moment = match self.healed_at {
            None if self.options.faults == FaultIntensity::Storm => {
                self.disk_rng.random_range(0..8)
            }
            _ => 8,
        };
        if moment == CRASH_BEFORE {
            return self.crash_for_a_while(node);
        }
        let target = &mut self.nodes[node];
        let bugs = self.options.bugs;
        let Some(running) = &mut target.running else { return };
        let Some(install) = running.install.take() else { return };
        let InstallSnapshot { position, configuration } = install;
        let received = running.received.iter().rev();
        let Some(snapshot) = received.clone().find(|it| it.position == position).cloned() else {
            let message =
                format!("a snapshot at {} is to be installed, but is not here", position.index);
            let node = self.nodes[node].id.0;
            return self.found(Violation::Crash { node, message });
        };
        assert_eq!(configuration, snapshot.configuration, "a snapshot and its message agree");
        let old = running.machine.store();
        let state = if bugs.has(Bug::SnapshotIgnored) {
            only_position(old.clone(), &snapshot)
        } else if bugs.has(Bug::RestoreWithoutClear) {
            laid_over(old.clone(), &snapshot.state)
        } else {
            snapshot.state.clone()
        };
        target.flushed = state.clone();
        target.installed = Some((position, snapshot.digest));
        if moment == CRASH_AFTER {
            return self.crash_for_a_while(node);
        }
        let config = StateMachineConfig { sessions_max: 10_000, bugs };
        let machine = StateMachine::new(state, config);
        let (Ok(machine), Some(running)) = (machine, &mut target.running) else { return };
        let leases = machine.living_leases().unwrap_or_default();
        running.machine = machine;
        self.coverage.count(Counter::Installs);
        self.trace.line(self.now, format_args!("n{} installs {}", node + 1, position.index));
        self.see_state(node, &[]);
        self.step(node, Input::Installed { position, leases });
        self.apply_soon(node);
    }

    fn crash_for_a_while(&mut self, node: usize) {
        let crash = [Crash::Kill, Crash::PowerLoss][self.disk_rng.random_range(0..2)];
        self.crash_node(node, crash);
        let later = self.disk_rng.random_range(1_000..100_000);
        self.schedule(later, Event::Undo(FaultId::Down(node)));
    }
}

/// When a node crashes that switches to a snapshot: one time in eight each.
const CRASH_BEFORE: u32 = 0;
const CRASH_AFTER: u32 = 1;

/// A snapshot on its way. Nodes are numbered from 0.
#[derive(Debug)]
pub(super) struct Sending {
    from: usize,
    /// The process that sends it.
    boot: u64,
    to: usize,
    lives: [u64; 2],
    message: Box<Message>,
    snapshot: Arc<StateSnapshot>,
}

/// The planted bug: the old state, with the snapshot's applied index.
fn only_position(mut old: MemoryStateStore, snapshot: &StateSnapshot) -> MemoryStateStore {
    let configuration = snapshot.state.configuration().cloned();
    let changes = Changes { applied: snapshot.position, configuration, ..Changes::default() };
    old.write(changes).expect("memory takes every write");
    old
}

/// The planted bug: what the snapshot has is written over the old state, what it lacks stays.
fn laid_over(mut old: MemoryStateStore, new: &MemoryStateStore) -> MemoryStateStore {
    let everything = server::state_machine::KeyRange::all();
    let page = new.scan(&everything, usize::MAX, usize::MAX).expect("memory can be read");
    let sessions = new.sessions().expect("memory can be read");
    let leases = new.leases().expect("memory can be read");
    let changes = Changes {
        applied: new.applied(),
        configuration: new.configuration().cloned(),
        keys: page.found.into_iter().map(|(key, versioned)| (key, Some(versioned))).collect(),
        sessions: sessions.into_iter().map(|(id, session)| (id, Some(session))).collect(),
        leases: leases.into_iter().map(|(id, lease)| (id, Some(lease))).collect(),
        ..Changes::default()
    };
    old.write(changes).expect("memory takes every write");
    old
}
