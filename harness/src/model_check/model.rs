//! The model: which actions a state has, and what they do.

use server::bug::Bugs;
use server::replica::CompactionConfig;
use server::state_machine::StateStore;
use server::types::Role;
use stateright::{Model, Property};

use super::cluster::Cluster;
use super::live_node::{CAMPAIGN_TICKS, ELECTION_TICKS, NodeConfig};
use super::node_state::{Answer, Envelope, Image, NodeInput, NodeState, NodeView};
use super::prefix::{Start, starting_states};
use super::scope::{
    COMPLETE_FINGERPRINTS, READ_AFTER_INSTALL, READ_AFTER_LEADER_CHANGE, RESTART,
    RESTART_AFTER_INSTALL,
};
use super::transitions::{Memory, Transitions};

/// When a write to the log becomes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Within the step that asked for it.
    AtOnce,
    /// At any later time: an action of its own.
    Anytime,
}

/// An operation of a client on the one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientOp {
    /// Sets it.
    Write(u8),
    /// Reads it.
    Read,
}

/// How often the environment may act on the way to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Ticks of leaders, lapsed leases and campaigns.
    pub timeouts: u8,
    /// Crashes.
    pub crashes: u8,
    /// Messages delivered twice.
    pub duplicates: u8,
}

/// What is explored.
#[derive(Debug, Clone)]
pub struct ModelOptions {
    /// Replicas.
    pub nodes: u64,
    /// The operations of each client, in order.
    pub clients: Vec<Vec<ClientOp>>,
    /// When writes become durable.
    pub sync: SyncPolicy,
    /// When logs are compacted.
    pub compaction: CompactionConfig,
    /// Limits of the environment.
    pub bounds: Bounds,
    /// Where the exploration starts.
    pub starts: Vec<Start>,
    /// The defect planted in every node, if any.
    pub bugs: Bugs,
    /// Whether fingerprints are trusted, or verified at a hundred times the cost.
    pub memory: Memory,
}

/// One thing that may happen. Nodes and clients are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The message with this digest arrives.
    Deliver {
        /// Sender, from 1.
        from: u64,
        /// Receiver, from 1.
        to: u64,
        /// Names the message.
        digest: u64,
    },
    /// It arrives, and will arrive again.
    Duplicate {
        /// Sender, from 1.
        from: u64,
        /// Receiver, from 1.
        to: u64,
        /// Names the message.
        digest: u64,
    },
    /// A leader's clock ticks: a heartbeat, and every other time a check of its quorum.
    Heartbeat(usize),
    /// A follower has not heard from its leader for so long that it may vote for another.
    LeaseLapses(usize),
    /// An election timeout.
    Campaign(usize),
    /// What a node wrote becomes durable.
    Sync(usize),
    /// A node loses power; of its unsynced batches the first `keep` survive.
    Crash {
        /// The node.
        node: usize,
        /// Batches that survive.
        keep: usize,
    },
    /// A node starts again.
    Restart(usize),
    /// A client sends its next operation to a node.
    Invoke {
        /// The client.
        client: usize,
        /// The node.
        node: usize,
    },
}

/// The model of one cluster.
#[derive(Debug)]
pub(super) struct ClusterModel {
    pub(super) options: ModelOptions,
    transitions: Transitions,
}

impl ClusterModel {
    pub(super) fn new(options: ModelOptions) -> ClusterModel {
        let memory = options.memory;
        let config = NodeConfig {
            nodes: options.nodes,
            bugs: options.bugs,
            sync: options.sync,
            compaction: options.compaction,
            logger: slog::Logger::root(slog::Discard, slog::o!()),
        };
        ClusterModel { options, transitions: Transitions::new(config, memory) }
    }

    /// A cluster in which every node has just started for the first time.
    pub(super) fn fresh(&self) -> Cluster {
        let nodes = (1..=self.options.nodes)
            .map(|id| {
                let down = NodeState::down(Image::default());
                self.transitions.take(id, &down, NodeInput::Start).state
            })
            .collect();
        Cluster::new(nodes, self.options.clients.len())
    }

    /// What `action` makes of a state; none if it changes nothing.
    pub(super) fn perform(&self, last: &Cluster, action: Action) -> Option<Cluster> {
        let mut next = last.clone();
        match action {
            Action::Deliver { to, digest, .. } | Action::Duplicate { to, digest, .. } => {
                let place = next.network.iter().position(|it| it.digest == digest)?;
                let envelope = match action {
                    Action::Duplicate { .. } => {
                        next.used.duplicates += 1;
                        next.network[place].clone()
                    }
                    _ => next.network.remove(place),
                };
                self.step(&mut next, to as usize - 1, NodeInput::Message(envelope));
            }
            Action::Heartbeat(node) => {
                next.used.timeouts += 1;
                self.step(&mut next, node, NodeInput::Ticks(1));
            }
            Action::LeaseLapses(node) => {
                next.used.timeouts += 1;
                let ticks = ELECTION_TICKS - elapsed(&next, node)?;
                self.step(&mut next, node, NodeInput::Ticks(ticks));
            }
            Action::Campaign(node) => {
                next.used.timeouts += 1;
                let ticks = CAMPAIGN_TICKS - elapsed(&next, node)?;
                self.step(&mut next, node, NodeInput::Ticks(ticks));
            }
            Action::Sync(node) => self.step(&mut next, node, NodeInput::Sync),
            Action::Crash { node, keep } => {
                next.used.crashes += 1;
                self.step(&mut next, node, NodeInput::Crash { keep });
            }
            Action::Restart(node) => {
                next.milestones.restarted = true;
                let image = &next.nodes[node].image;
                next.milestones.restarted_after_install |=
                    image.installed && image.base < image.state.applied();
                self.step(&mut next, node, NodeInput::Start);
            }
            Action::Invoke { client, node } => {
                let op = self.options.clients[client][next.clients[client].next];
                let request = Cluster::request_of(client, next.clients[client].next);
                let input = match op {
                    ClientOp::Write(value) => NodeInput::Write { request, value },
                    ClientOp::Read => NodeInput::Read { request },
                };
                let id = node as u64 + 1;
                let transition = self.transitions.take(id, &next.nodes[node], input);
                next.nodes[node] = transition.state;
                next.contradicted |= transition.contradicted;
                if transition.outputs.answers.contains(&(request, Answer::Refused)) {
                    // Nothing happened; the client may ask another node.
                    return None;
                }
                next.invoke(client, op);
                next.absorb(node, &transition.outputs);
            }
        }
        Some(next)
    }

    fn step(&self, next: &mut Cluster, node: usize, input: NodeInput) {
        let transition = self.transitions.take(node as u64 + 1, &next.nodes[node], input);
        next.nodes[node] = transition.state;
        next.contradicted |= transition.contradicted;
        next.absorb(node, &transition.outputs);
    }

    fn node_actions(&self, state: &Cluster, node: usize, actions: &mut Vec<Action>) {
        let Bounds { timeouts, crashes, .. } = self.options.bounds;
        match state.nodes[node].view {
            NodeView::Panicked => {}
            NodeView::Down => actions.push(Action::Restart(node)),
            NodeView::Up { role, elapsed, unsynced, sync_awaited, .. } => {
                if sync_awaited {
                    actions.push(Action::Sync(node));
                }
                if state.used.timeouts < timeouts {
                    if role == Role::Leader {
                        actions.push(Action::Heartbeat(node));
                    } else {
                        actions.push(Action::Campaign(node));
                        // Only a follower refuses votes because of a lease.
                        if role == Role::Follower && elapsed < ELECTION_TICKS {
                            actions.push(Action::LeaseLapses(node));
                        }
                    }
                }
                if state.used.crashes < crashes {
                    actions.extend((0..=unsynced).map(|keep| Action::Crash { node, keep }));
                }
            }
        }
    }
}

impl Model for ClusterModel {
    type State = Cluster;
    type Action = Action;

    fn init_states(&self) -> Vec<Cluster> {
        starting_states(self)
    }

    fn actions(&self, state: &Cluster, actions: &mut Vec<Action>) {
        let mut last = None;
        for envelope in &state.network {
            let digest = envelope.digest;
            if last.replace(digest) == Some(digest) {
                continue;
            }
            let (from, to) = (envelope.message.from, envelope.message.to);
            // A message to a node that is down is lost.
            if matches!(state.nodes[to as usize - 1].view, NodeView::Up { .. }) {
                actions.push(Action::Deliver { from, to, digest });
                if state.used.duplicates < self.options.bounds.duplicates {
                    actions.push(Action::Duplicate { from, to, digest });
                }
            }
        }
        for node in 0..state.nodes.len() {
            self.node_actions(state, node, actions);
        }
        for (client, progress) in state.clients.iter().enumerate() {
            if progress.open || progress.next >= self.options.clients[client].len() {
                continue;
            }
            for node in 0..state.nodes.len() {
                if matches!(state.nodes[node].view, NodeView::Up { .. }) {
                    actions.push(Action::Invoke { client, node });
                }
            }
        }
    }

    fn next_state(&self, last: &Cluster, action: Action) -> Option<Cluster> {
        self.perform(last, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("linearizable", |_, state: &Cluster| state.linearizable),
            Property::always("election safety", |_, state: &Cluster| !state.has_rival_leaders()),
            Property::always("no replica panics", |_, state: &Cluster| {
                !state.nodes.iter().any(|node| node.view == NodeView::Panicked)
            }),
            Property::always(COMPLETE_FINGERPRINTS, |_, state: &Cluster| !state.contradicted),
            Property::sometimes(READ_AFTER_LEADER_CHANGE, |_, state: &Cluster| {
                state.milestones.read_after_leader_change
            }),
            Property::sometimes(READ_AFTER_INSTALL, |_, state: &Cluster| {
                state.milestones.read_after_install
            }),
            Property::sometimes(RESTART_AFTER_INSTALL, |_, state: &Cluster| {
                state.milestones.restarted_after_install
            }),
            Property::sometimes(RESTART, |_, state: &Cluster| state.milestones.restarted),
        ]
    }
}

fn elapsed(state: &Cluster, node: usize) -> Option<usize> {
    match state.nodes[node].view {
        NodeView::Up { elapsed, .. } => Some(elapsed),
        NodeView::Down | NodeView::Panicked => None,
    }
}

/// Shared by the prefixes: delivers and syncs until nothing is left, oldest receiver first.
pub(super) fn settle(model: &ClusterModel, state: Cluster, reachable: &[u64]) -> Cluster {
    settle_where(model, state, |envelope| is_among(envelope, reachable))
}

/// As [`settle`], but snapshots stay on their way.
pub(super) fn settle_but_snapshots(
    model: &ClusterModel,
    state: Cluster,
    reachable: &[u64],
) -> Cluster {
    settle_where(model, state, |it| it.state.is_none() && is_among(it, reachable))
}

fn is_among(envelope: &Envelope, reachable: &[u64]) -> bool {
    reachable.contains(&envelope.message.to) && reachable.contains(&envelope.message.from)
}

fn settle_where(
    model: &ClusterModel,
    mut state: Cluster,
    is_delivered: impl Fn(&Envelope) -> bool,
) -> Cluster {
    loop {
        let sync = (0..state.nodes.len()).find(|node| {
            matches!(state.nodes[*node].view, NodeView::Up { sync_awaited: true, .. })
        });
        let deliver = state.network.iter().find(|envelope| is_delivered(envelope));
        let action = match (sync, deliver) {
            (Some(node), _) => Action::Sync(node),
            (None, Some(envelope)) => Action::Deliver {
                from: envelope.message.from,
                to: envelope.message.to,
                digest: envelope.digest,
            },
            (None, None) => return state,
        };
        state = model.perform(&state, action).expect("the message is there, the node is up");
    }
}
