//! The nemesis: chooses faults, and undoes them.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use server::types::Role;

use super::coverage::Counter;
use super::disk::Crash;
use super::event::Event;
use super::world::World;

/// A fault in force; what has to be done to undo it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultId {
    /// The partition with this number.
    Partition(u64),
    /// This node is down.
    Down(usize),
    /// The network is bad.
    Storm,
}

/// What can be done to a cluster.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Halves,
    IsolateOne,
    IsolateLeader,
    CongestThenIsolateLeader,
    Deaf,
    Mute,
    Bridge,
    Kill,
    PowerLoss,
    Blackout,
    Pause,
    PauseLeader,
    SlowDisk,
    SlowApply,
    SlowFollowersThenIsolateLeader,
    Storm,
}

/// Faults by weight.
const FAULTS: &[(Fault, u32)] = &[
    (Fault::Halves, 6),
    (Fault::IsolateOne, 4),
    (Fault::IsolateLeader, 10),
    (Fault::CongestThenIsolateLeader, 6),
    (Fault::Deaf, 4),
    (Fault::Mute, 4),
    (Fault::Bridge, 4),
    (Fault::Kill, 6),
    (Fault::PowerLoss, 8),
    (Fault::Blackout, 3),
    (Fault::Pause, 3),
    (Fault::PauseLeader, 6),
    (Fault::SlowDisk, 5),
    (Fault::SlowApply, 3),
    (Fault::SlowFollowersThenIsolateLeader, 6),
    (Fault::Storm, 4),
];

/// The nemesis' own state.
#[derive(Debug)]
pub(super) struct Nemesis {
    rng: ChaCha8Rng,
    partitions: u64,
    retired: bool,
}

impl Nemesis {
    pub(super) fn new(rng: ChaCha8Rng) -> Nemesis {
        Nemesis { rng, partitions: 0, retired: false }
    }

    fn choose(&mut self) -> Fault {
        let total: u32 = FAULTS.iter().map(|(_, weight)| weight).sum();
        let mut choice = self.rng.random_range(0..total);
        for (fault, weight) in FAULTS {
            if choice < *weight {
                return *fault;
            }
            choice -= weight;
        }
        Fault::IsolateLeader
    }
}

impl World {
    /// The nemesis acts, and will act again: sometimes before this fault is undone.
    pub(super) fn strike(&mut self) {
        if self.nemesis.retired {
            return;
        }
        let fault = self.nemesis.choose();
        self.trace.line(self.now, format_args!("nemesis {fault:?}"));
        let duration = self.nemesis.rng.random_range(100_000..900_000);
        self.install(fault, duration);
        let pause = self.nemesis.rng.random_range(150_000..1_000_000);
        self.schedule(pause, Event::Strike);
    }

    fn install(&mut self, fault: Fault, duration: u64) {
        // Cutting off those who are no members would prove little.
        let everybody = 0..self.nodes.len();
        let mut order = self.operator.members();
        if order.len() < 3 {
            order = everybody.clone().collect();
        }
        let count = order.len();
        order.shuffle(&mut self.nemesis.rng);
        let one = order[0];
        let leader = self.leader().unwrap_or(one);
        match fault {
            Fault::Halves => {
                let (minority, majority) = order.split_at(count / 2);
                let links = both_ways(minority, majority);
                self.partition(Counter::PartitionsHalves, &links, duration);
            }
            Fault::IsolateOne => {
                let links = both_ways(&order[..1], &order[1..]);
                self.partition(Counter::PartitionsOne, &links, duration);
            }
            Fault::IsolateLeader => {
                let others: Vec<usize> = everybody.filter(|node| *node != leader).collect();
                let links = both_ways(&[leader], &others);
                self.partition(Counter::PartitionsLeader, &links, duration);
            }
            Fault::CongestThenIsolateLeader => {
                // Acknowledgements of before the cut reach the old leader while a new one is elected.
                let before = self.nemesis.rng.random_range(250_000..700_000);
                self.network.congest(leader, self.now..self.now + before);
                self.coverage.count(Counter::Congestions);
                self.schedule(before, Event::Isolate { node: leader, duration });
            }
            Fault::Deaf => {
                let target = self.leader_or(one);
                let links: Vec<_> =
                    everybody.filter(|n| *n != target).map(|n| (n, target)).collect();
                self.partition(Counter::PartitionsDeaf, &links, duration);
            }
            Fault::Mute => {
                let target = self.leader_or(one);
                let links: Vec<_> =
                    everybody.filter(|n| *n != target).map(|n| (target, n)).collect();
                self.partition(Counter::PartitionsMute, &links, duration);
            }
            Fault::Bridge => {
                let (left, right) = order[1..].split_at((count - 1) / 2);
                let links = both_ways(left, right);
                self.partition(Counter::PartitionsBridge, &links, duration);
            }
            Fault::Kill => self.take_down(leader_sometimes(&order, leader), Crash::Kill, duration),
            Fault::PowerLoss => {
                self.take_down(leader_sometimes(&order, leader), Crash::PowerLoss, duration);
            }
            Fault::Blackout => {
                self.coverage.count(Counter::Blackouts);
                self.take_down(everybody.collect(), Crash::PowerLoss, duration);
            }
            Fault::Pause => self.pause(one, duration),
            Fault::PauseLeader => self.pause(leader, duration),
            Fault::SlowDisk => {
                self.coverage.count(Counter::SlowDisks);
                self.nodes[one].disk_slow_until = self.now + duration;
            }
            Fault::SlowApply => {
                self.coverage.count(Counter::SlowApplies);
                self.nodes[leader].apply_slow_until = self.now + duration;
                self.nodes[one].apply_slow_until = self.now + duration;
            }
            Fault::SlowFollowersThenIsolateLeader => {
                // The next leader knows more than its state machine has applied.
                self.coverage.count(Counter::SlowFollowers);
                let before = self.nemesis.rng.random_range(50_000..200_000);
                for node in everybody.filter(|node| *node != leader) {
                    self.nodes[node].apply_slow_until = self.now + before + 600_000;
                }
                self.schedule(before, Event::Isolate { node: leader, duration });
            }
            Fault::Storm => {
                self.coverage.count(Counter::Storms);
                self.network.storm_begins();
                self.schedule(duration, Event::Undo(FaultId::Storm));
            }
        }
    }

    pub(super) fn undo(&mut self, fault: FaultId) {
        if self.nemesis.retired {
            return;
        }
        match fault {
            // A later partition replaced this one.
            FaultId::Partition(number) if number != self.nemesis.partitions => return,
            FaultId::Partition(_) => self.network.heal(),
            FaultId::Down(node) => {
                if self.nodes[node].running.is_none() {
                    self.start_node(node);
                }
            }
            FaultId::Storm => self.network.storm_ends(),
        }
        self.trace.line(self.now, format_args!("undone {fault:?}"));
    }

    /// The end of the safety phase: everything is undone, and nothing more is done.
    pub(super) fn heal(&mut self) {
        self.trace.line(self.now, format_args!("heal"));
        self.nemesis.retired = true;
        self.network.become_calm();
        for node in 0..self.nodes.len() {
            let now = self.now;
            let target = &mut self.nodes[node];
            target.paused_until = target.paused_until.min(now);
            target.disk_slow_until = now;
            target.apply_slow_until = now;
            if target.running.is_none() {
                self.start_node(node);
            }
        }
        self.healed_at = Some(self.now);
    }

    /// The leader with the newest term, from 0.
    pub(super) fn leader(&self) -> Option<usize> {
        let leads = |node: &usize| {
            let replica = &self.nodes[*node].running.as_ref()?.replica;
            (replica.role() == Role::Leader).then(|| (replica.term(), *node))
        };
        (0..self.nodes.len()).filter_map(|node| leads(&node)).max().map(|(_, node)| node)
    }

    /// Cuts a node off whose congested messages are still on their way.
    pub(super) fn isolate(&mut self, node: usize, duration: u64) {
        if self.nemesis.retired {
            return;
        }
        let others: Vec<usize> = (0..self.nodes.len()).filter(|other| *other != node).collect();
        let links = both_ways(&[node], &others);
        self.partition(Counter::PartitionsLeader, &links, duration);
        self.network.cut_behind_flights(&links);
    }

    fn leader_or(&mut self, other: usize) -> usize {
        match self.nemesis.rng.random_bool(0.5) {
            true => self.leader().unwrap_or(other),
            false => other,
        }
    }

    fn partition(&mut self, counter: Counter, links: &[(usize, usize)], duration: u64) {
        self.coverage.count(counter);
        self.nemesis.partitions += 1;
        self.network.cut(links);
        self.schedule(duration, Event::Undo(FaultId::Partition(self.nemesis.partitions)));
    }

    fn take_down(&mut self, nodes: Vec<usize>, crash: Crash, duration: u64) {
        for node in nodes {
            self.crash_node(node, crash);
            let later = self.nemesis.rng.random_range(0..200_000);
            self.schedule(duration / 2 + later, Event::Undo(FaultId::Down(node)));
        }
    }

    fn pause(&mut self, node: usize, duration: u64) {
        if self.nodes[node].running.is_some() {
            self.coverage.count(Counter::Pauses);
            self.nodes[node].paused_until = self.now + duration;
            // Sockets are read in any order when the process goes on, each in its own order.
            let jitter = (0..self.nodes.len()).map(|_| self.nemesis.rng.random_range(0..3_000));
            self.nodes[node].backlog_jitter = jitter.collect();
        }
    }
}

/// One node: the leader in about half of the permutations.
fn leader_sometimes(order: &[usize], leader: usize) -> Vec<usize> {
    match order[0] < order[1] {
        true => vec![leader],
        false => vec![order[0]],
    }
}

fn both_ways(left: &[usize], right: &[usize]) -> Vec<(usize, usize)> {
    left.iter().flat_map(|&l| right.iter().flat_map(move |&r| [(l, r), (r, l)])).collect()
}
