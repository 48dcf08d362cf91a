//! A state of the model: nodes, messages on their way, clients, and what clients have seen.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use server::types::Role;
use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

use super::model::{Action, ClientOp};
use super::node_state::{Answer, Envelope, NodeState, NodeView, Outputs};
use super::prefix::Start;

/// A client, and how many operations of it were left without an answer: each of these ends a
/// logical process, as in a history.
type Process = (usize, u8);

/// A client's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct ClientState {
    /// Its next operation, or the open one.
    pub(super) next: usize,
    pub(super) open: bool,
    generation: u8,
}

/// What was used up of the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Used {
    pub(super) timeouts: u8,
    pub(super) crashes: u8,
    pub(super) duplicates: u8,
}

/// What happened on the way, for the coverage properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Milestones {
    /// A read was answered by a later leader than the first.
    pub(super) read_after_leader_change: bool,
    /// A read was answered from a state that came with a snapshot.
    pub(super) read_after_install: bool,
    /// A node crashed and started again.
    pub(super) restarted: bool,
    /// A crash hit between a switch to a snapshot and the reset of the log.
    pub(super) restarted_after_install: bool,
}

/// One state of the cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub(super) nodes: Vec<Arc<NodeState>>,
    /// A multiset, ordered by receiver, sender and digest.
    pub(super) network: Vec<Arc<Envelope>>,
    pub(super) clients: Vec<ClientState>,
    history: LinearizabilityTester<Process, Register<u8>>,
    pub(super) linearizable: bool,
    /// Did a node behave unlike another one with its fingerprint? See [`super::Memory::Verify`].
    pub(super) contradicted: bool,
    pub(super) used: Used,
    pub(super) milestones: Milestones,
    /// Where the exploration started; not part of the state.
    pub(super) start: Start,
    /// Leaders of later terms came after the first; not part of the state.
    pub(super) first_term: u64,
}

impl PartialEq for Cluster {
    fn eq(&self, other: &Self) -> bool {
        fn fingerprints(cluster: &Cluster) -> impl Iterator<Item = u64> {
            let nodes = cluster.nodes.iter().map(|node| node.fingerprint);
            nodes.chain(cluster.network.iter().map(|envelope| envelope.digest))
        }
        fingerprints(self).eq(fingerprints(other))
            && self.network.len() == other.network.len()
            && self.clients == other.clients
            && self.history == other.history
            && self.used == other.used
            && self.milestones == other.milestones
    }
}

impl Hash for Cluster {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for node in &self.nodes {
            hasher.write_u64(node.fingerprint);
        }
        hasher.write_usize(self.network.len());
        for envelope in &self.network {
            hasher.write_u64(envelope.digest);
        }
        self.clients.hash(hasher);
        self.history.hash(hasher);
        self.used.hash(hasher);
        self.milestones.hash(hasher);
    }
}

impl Cluster {
    pub(super) fn new(nodes: Vec<Arc<NodeState>>, clients: usize) -> Cluster {
        Cluster {
            nodes,
            network: Vec::new(),
            clients: vec![ClientState::default(); clients],
            history: LinearizabilityTester::new(Register(0)),
            linearizable: true,
            contradicted: false,
            used: Used::default(),
            milestones: Milestones::default(),
            start: Start::Fresh,
            first_term: 1,
        }
    }

    /// The newest leader: its term and its node, from 0.
    pub(super) fn leader(&self) -> Option<(u64, usize)> {
        let leads = |(position, node): (usize, &Arc<NodeState>)| match node.view {
            NodeView::Up { role: Role::Leader, term, .. } => Some((term, position)),
            NodeView::Up { .. } | NodeView::Down | NodeView::Panicked => None,
        };
        self.nodes.iter().enumerate().filter_map(leads).max()
    }

    /// Do two nodes lead one term?
    pub(super) fn has_rival_leaders(&self) -> bool {
        let mut terms: Vec<u64> = Vec::new();
        for node in &self.nodes {
            if let NodeView::Up { role: Role::Leader, term, .. } = node.view {
                if terms.contains(&term) {
                    return true;
                }
                terms.push(term);
            }
        }
        false
    }

    pub(super) fn request_of(client: usize, op: usize) -> u64 {
        (client as u64 + 1) * 16 + op as u64
    }

    /// An action in words, in the state in which it happens.
    pub(super) fn describe(&self, action: Action) -> String {
        let message = |digest: u64| {
            let found = self.network.iter().find(|envelope| envelope.digest == digest);
            found.map_or_else(String::new, |envelope| {
                let message = &envelope.message;
                format!(
                    "n{} to n{}: {:?} term {} index {}",
                    message.from,
                    message.to,
                    message.get_msg_type(),
                    message.term,
                    message.index
                )
            })
        };
        match action {
            Action::Deliver { digest, .. } => format!("delivered, {}", message(digest)),
            Action::Duplicate { digest, .. } => {
                format!("delivered, and will be again, {}", message(digest))
            }
            Action::Heartbeat(node) => format!("n{} heartbeats", node + 1),
            Action::LeaseLapses(node) => format!("n{} has not heard from its leader", node + 1),
            Action::Campaign(node) => format!("n{} campaigns", node + 1),
            Action::Sync(node) => format!("n{} syncs", node + 1),
            Action::Crash { node, keep } => {
                format!("n{} loses power, {keep} unsynced batches survive", node + 1)
            }
            Action::Restart(node) => format!("n{} restarts", node + 1),
            Action::Invoke { client, node } => {
                format!("client {} invokes its operation at n{}", client + 1, node + 1)
            }
        }
    }

    /// Notes that a client invokes its next operation.
    pub(super) fn invoke(&mut self, client: usize, op: ClientOp) {
        let state = &mut self.clients[client];
        state.open = true;
        let operation = match op {
            ClientOp::Write(value) => RegisterOp::Write(value),
            ClientOp::Read => RegisterOp::Read,
        };
        self.history
            .on_invoke((client, state.generation), operation)
            .expect("a process has one open operation at a time");
    }

    /// Puts a node's outputs where they belong.
    pub(super) fn absorb(&mut self, node: usize, outputs: &Outputs) {
        for envelope in &outputs.messages {
            let place = self.network.partition_point(|other| order(other) < order(envelope));
            self.network.insert(place, envelope.clone());
        }
        for (request, answer) in &outputs.answers {
            self.answer(node, *request, *answer);
        }
    }

    fn answer(&mut self, node: usize, request: u64, answer: Answer) {
        let (client, op) = (request as usize / 16 - 1, request as usize % 16);
        let state = &mut self.clients[client];
        if !state.open || state.next != op {
            return;
        }
        state.open = false;
        state.next += 1;
        let process = (client, state.generation);
        let result = match answer {
            Answer::Written => RegisterRet::WriteOk,
            Answer::Value(value) => RegisterRet::ReadOk(value),
            // The operation stays open in the history, which permits both outcomes.
            Answer::Refused | Answer::Unknown => {
                state.generation += 1;
                return;
            }
        };
        self.history.on_return(process, result).expect("the process has an open operation");
        self.linearizable &= self.history.is_consistent();
        if let (Answer::Value(_), NodeView::Up { term, has_installed, .. }) =
            (answer, self.nodes[node].view)
        {
            self.milestones.read_after_leader_change |= term > self.first_term;
            self.milestones.read_after_install |= has_installed;
        }
    }
}

fn order(envelope: &Arc<Envelope>) -> (u64, u64, u64) {
    (envelope.message.to, envelope.message.from, envelope.digest)
}
