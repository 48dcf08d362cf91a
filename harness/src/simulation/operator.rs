//! The operator: changes members, hands leadership over, wants snapshots, and gives nodes that were
//! removed new disks; while the nemesis does its work.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use server::membership::Configuration;
use server::replica::{CommittedEntry, Input, MemberChange, Rejection, Reply};
use server::types::{LogIndex, NodeId};

use super::coverage::Counter;
use super::disk::Crash;
use super::event::Event;
use super::nemesis::FaultId;
use super::node::Ticket;
use super::world::World;

/// How long the operator waits for a change (ticks).
const PATIENCE_TICKS: u64 = 150;

/// What the operator knows.
#[derive(Debug)]
pub(super) struct Operator {
    rng: ChaCha8Rng,
    /// The newest configuration that any node was given, and its entry.
    latest: (LogIndex, Configuration),
}

/// What the operator does.
#[derive(Debug, Clone, PartialEq)]
enum Errand {
    Change(MemberChange),
    Transfer(Option<NodeId>),
    Snapshot,
    Wipe(NodeId),
}

impl Operator {
    pub(super) fn new(rng: ChaCha8Rng, first: Configuration) -> Operator {
        Operator { rng, latest: (LogIndex(0), first) }
    }

    /// The group's members, as far as anybody knows.
    pub(super) fn members(&self) -> Vec<usize> {
        self.latest.1.members().into_iter().map(|node| node.0 as usize - 1).collect()
    }

    fn choose(&mut self, nodes: usize) -> Option<Errand> {
        let configuration = &self.latest.1;
        let members = configuration.members();
        let strangers: Vec<NodeId> =
            (1..=nodes as u64).map(NodeId).filter(|node| !members.contains(node)).collect();
        let ids = |ids: &[u64]| ids.iter().copied().map(NodeId).collect::<Vec<_>>();
        let (voters, learners) = (ids(&configuration.voters), ids(&configuration.learners));
        let members: Vec<NodeId> = members.into_iter().collect();
        let rng = &mut self.rng;
        let stranger = strangers.choose(rng).copied();
        let voter = voters.choose(rng).copied()?;
        let address = |node: NodeId| format!("n{node}:1");
        let few = voters.len() < 3;
        let change = match rng.random_range(0..100) {
            0..25 => {
                let node = stranger?;
                let stay_learner = rng.random_bool(0.2);
                MemberChange::Add { node, address: address(node), stay_learner }
            }
            25..35 => MemberChange::Promote { node: learners.choose(rng).copied()? },
            35..45 if !few => MemberChange::Demote { node: voter },
            45..65 if !few || rng.random_bool(0.2) => {
                MemberChange::Remove { node: members.choose(rng).copied()? }
            }
            65..80 => {
                let new = stranger?;
                MemberChange::Replace { old: voter, new, address: address(new) }
            }
            80..88 => return Some(Errand::Transfer(rng.random_bool(0.5).then_some(voter))),
            88..92 => return Some(Errand::Snapshot),
            92.. if !configuration.is_joint() => return stranger.map(Errand::Wipe),
            _ => return None,
        };
        Some(Errand::Change(change))
    }
}

impl World {
    /// The operator does something, and will do more until the heal.
    pub(super) fn operate(&mut self) {
        if self.healed_at.is_some() {
            return;
        }
        let pause = self.operator.rng.random_range(50_000..900_000);
        self.schedule(pause, Event::Operate);
        let Some(errand) = self.operator.choose(self.nodes.len()) else { return };
        if let Errand::Wipe(node) = errand {
            return self.wipe(node.0 as usize - 1);
        }
        let Some(leader) = self.leader() else { return };
        let Some(running) = &mut self.nodes[leader].running else { return };
        let request = running.request(Ticket::Operator);
        self.trace.line(self.now, format_args!("operator at n{} {errand:?}", leader + 1));
        let input = match errand {
            Errand::Change(change) => {
                Input::ChangeMembers { request, change, timeout_ticks: PATIENCE_TICKS }
            }
            Errand::Transfer(to) => Input::TransferLeader { request, to },
            Errand::Snapshot | Errand::Wipe(_) => Input::TakeSnapshot { request },
        };
        self.step(leader, input);
    }

    pub(super) fn operator_answered(&mut self, reply: &Reply) {
        match reply {
            Reply::MembersChanged { .. } | Reply::SnapshotTaken { .. } => {}
            Reply::LeaderTransferred { .. } => self.coverage.count(Counter::Transfers),
            Reply::Rejected(Rejection::Members(_)) => self.coverage.count(Counter::ChangesRefused),
            Reply::Rejected(Rejection::Transfer(_)) => {
                self.coverage.count(Counter::TransfersFailed);
            }
            Reply::Rejected(Rejection::Uncertain | Rejection::Timeout) => {
                self.coverage.count(Counter::ChangesUncertain);
            }
            Reply::Rejected(_) => {}
            Reply::Applied { .. } | Reply::KeptAlive { .. } => {
                unreachable!("the operator asks for no such thing")
            }
        }
    }

    /// Entries are handed out for application: is there a newer configuration among them?
    pub(super) fn see_configurations(&mut self, committed: &[CommittedEntry]) {
        for entry in committed {
            let Some(new) = &entry.configuration else { continue };
            if entry.index <= self.operator.latest.0 {
                continue;
            }
            let old = std::mem::replace(&mut self.operator.latest, (entry.index, new.clone())).1;
            self.trace.line(self.now, format_args!("members {new:?}"));
            let count = |nodes: &[u64], before: &[u64]| {
                nodes.iter().filter(|node| !before.contains(node)).count() as u64
            };
            let voters_before = [&old.voters[..], &old.voters_outgoing[..]].concat();
            let coverage = &mut self.coverage;
            coverage.add(Counter::JointConfigurations, u64::from(new.is_joint()));
            coverage.add(Counter::MembersPromoted, count(&new.voters, &voters_before));
            if new.is_joint() {
                let (came, went) =
                    (count(&new.voters, &old.voters), count(&old.voters, &new.voters));
                coverage.add(Counter::MembersReplaced, u64::from(came > 0 && went > 0));
            } else {
                let members: Vec<u64> = new.members().iter().map(|node| node.0).collect();
                let before: Vec<u64> = old.members().iter().map(|node| node.0).collect();
                coverage.add(Counter::MembersAdded, count(&members, &before));
                coverage.add(Counter::MembersRemoved, count(&before, &members));
                let demoted = new.learners.iter().filter(|node| voters_before.contains(node));
                coverage.add(Counter::MembersDemoted, demoted.count() as u64);
            }
        }
    }

    /// Gives a node that is no member a new disk, and starts it again later.
    fn wipe(&mut self, node: usize) {
        self.trace.line(self.now, format_args!("operator wipes n{}", node + 1));
        self.coverage.count(Counter::Wipes);
        self.crash_node(node, Crash::PowerLoss);
        self.nodes[node].wipe();
        self.watch.wiped(self.nodes[node].id);
        let later = self.operator.rng.random_range(1_000..300_000);
        self.schedule(later, Event::Undo(FaultId::Down(node)));
    }

    /// Is every change complete, and has every lease ended?
    pub(super) fn is_settled(&self) -> bool {
        let leader = self.leader().and_then(|leader| self.nodes[leader].running.as_ref());
        leader.is_some_and(|running| {
            let configuration = running.replica.configuration();
            let leases = running.machine.living_leases();
            !configuration.is_joint()
                && configuration.joining.is_empty()
                && leases.is_ok_and(|leases| leases.is_empty())
        })
    }
}
