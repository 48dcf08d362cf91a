//! Where explorations start: states that a prefix of ordinary actions leads to, so that a complete
//! leader change fits into the depth.

use super::cluster::{Cluster, Used};
use super::model::{Action, ClusterModel, settle, settle_but_snapshots};

/// A state to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Every node has just started.
    Fresh,
    /// Node 1 leads, and everybody knows that it committed its first entry.
    Elected,
    /// As [`Start::Elected`], and client 1's first operation was answered; node 3 never heard of it.
    Written,
    /// As [`Start::Elected`], and all of client 1's operations were answered; what node 3 was sent of
    /// them is lost. Then node 1, whose log is compacted, sent it a snapshot, which is on its way.
    SendingSnapshot,
    /// As [`Start::Elected`]; then node 3 was elected by node 2, and node 1 has not noticed.
    Deposed,
    /// As [`Start::Deposed`], but before that client 2's first operation was sent to node 1, and
    /// what its followers answered is still on its way.
    DeposedWhileReading,
}

/// The starting states of the model, in the order of its options. What a prefix uses up of the
/// bounds is forgiven.
pub(super) fn starting_states(model: &ClusterModel) -> Vec<Cluster> {
    model.options.starts.iter().map(|start| state_of(model, *start)).collect()
}

fn state_of(model: &ClusterModel, start: Start) -> Cluster {
    let mut state = match start {
        Start::Fresh => model.fresh(),
        Start::Elected => elected(model),
        Start::Written => {
            let invoke = Action::Invoke { client: 0, node: 0 };
            settle(model, act(model, elected(model), invoke), &[1, 2])
        }
        Start::SendingSnapshot => {
            let mut state = elected(model);
            for _ in &model.options.clients[0] {
                let invoke = Action::Invoke { client: 0, node: 0 };
                state = settle(model, act(model, state, invoke), &[1, 2]);
            }
            state.network.retain(|envelope| envelope.message.to != 3);
            let state = act(model, state, Action::Heartbeat(0));
            settle_but_snapshots(model, state, &[1, 3])
        }
        Start::Deposed => depose(model, elected(model)),
        Start::DeposedWhileReading => {
            let mut state = act(model, elected(model), Action::Invoke { client: 1, node: 0 });
            for to in [2, 3] {
                // A store that trusts a lease asks nobody.
                let asked = state.network.iter().find(|envelope| envelope.message.to == to);
                if let Some(envelope) = asked {
                    let (from, digest) = (envelope.message.from, envelope.digest);
                    state = act(model, state, Action::Deliver { from, to, digest });
                }
            }
            depose(model, state)
        }
    };
    state.start = start;
    state.used = Used::default();
    state
}

/// Node 1 campaigns and wins.
fn elected(model: &ClusterModel) -> Cluster {
    let state = act(model, model.fresh(), Action::Campaign(0));
    let mut state = settle(model, state, &[1, 2, 3]);
    state = act(model, state, Action::Heartbeat(0));
    let mut state = settle(model, state, &[1, 2, 3]);
    state.first_term = state.leader().map_or(0, |(term, _)| term);
    state
}

/// Nodes 2 and 3 stop hearing node 1, and 2 elects 3.
fn depose(model: &ClusterModel, mut state: Cluster) -> Cluster {
    for action in [Action::LeaseLapses(1), Action::Campaign(2)] {
        state = act(model, state, action);
    }
    settle(model, state, &[2, 3])
}

fn act(model: &ClusterModel, state: Cluster, action: Action) -> Cluster {
    model.perform(&state, action).expect("the prefix is made of actions that do something")
}
