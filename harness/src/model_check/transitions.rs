//! Transitions of single nodes, remembered: a cluster has many more states than its nodes have.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use super::live_node::{LiveNode, NodeConfig};
use super::node_state::{Image, InputList, NodeInput, NodeState, NodeView, Outputs};

const SHARDS: usize = 64;
/// Transitions remembered in a shard; when there are more, the shard starts over.
const SHARD_MAX: usize = 1 << 16;

/// Where a node goes, and what it puts out on the way.
#[derive(Debug, Clone)]
pub(super) struct Transition {
    pub(super) state: Arc<NodeState>,
    pub(super) outputs: Arc<Outputs>,
    /// Did another way to the same fingerprint lead elsewhere? Then the fingerprint is too small.
    pub(super) contradicted: bool,
}

/// What is done with a transition that was met before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It is taken as it was.
    Trust,
    /// The node is replayed along its own way, and must do the same as it did along the other.
    Verify,
}

/// The keys are hashes already.
#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("keys are single words")
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

type Shard = HashMap<u64, Transition, BuildHasherDefault<Identity>>;

/// All transitions met so far.
#[derive(Debug)]
pub(super) struct Transitions {
    config: NodeConfig,
    memory: Memory,
    shards: Vec<Mutex<Shard>>,
}

impl Transitions {
    pub(super) fn new(config: NodeConfig, memory: Memory) -> Transitions {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect();
        Transitions { config, memory, shards }
    }

    /// What becomes of node `id` (from 1) in `state` when it takes `input`.
    pub(super) fn take(&self, id: u64, state: &NodeState, input: NodeInput) -> Transition {
        let key = (state.fingerprint ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .rotate_left(21)
            .wrapping_mul(0xd6e8_feb8_6659_fd93)
            ^ input.digest();
        let shard = &self.shards[(key >> 58) as usize % SHARDS];
        let known = shard.lock().expect("no thread panics in here").get(&key).cloned();
        match (known, self.memory) {
            (Some(known), Memory::Trust) => known,
            (Some(known), Memory::Verify) => {
                let mut computed = self.compute(id, state, input);
                computed.contradicted = known.state.fingerprint != computed.state.fingerprint
                    || known.state.view != computed.state.view
                    || *known.outputs != *computed.outputs;
                computed
            }
            (None, _) => {
                let computed = self.compute(id, state, input);
                let mut shard = shard.lock().expect("no thread panics in here");
                if shard.len() >= SHARD_MAX {
                    shard.clear();
                }
                shard.insert(key, computed.clone());
                computed
            }
        }
    }

    fn compute(&self, id: u64, state: &NodeState, input: NodeInput) -> Transition {
        let taken = catch_unwind(AssertUnwindSafe(|| self.replay(id, state, &input)));
        match taken {
            Ok((Replayed::Down(image), outputs)) => Transition {
                state: Arc::new(NodeState::down(*image)),
                outputs: Arc::new(outputs),
                contradicted: false,
            },
            Ok((Replayed::Up { view, fingerprint, image }, outputs)) => {
                let inputs = match input {
                    NodeInput::Start => None,
                    input => Some(Arc::new(InputList { before: state.inputs.clone(), input })),
                };
                let state = NodeState { fingerprint, view, image, inputs };
                Transition {
                    state: Arc::new(state),
                    outputs: Arc::new(outputs),
                    contradicted: false,
                }
            }
            Err(_) => Transition {
                state: Arc::new(NodeState {
                    fingerprint: !state.fingerprint,
                    view: NodeView::Panicked,
                    image: state.image.clone(),
                    inputs: state.inputs.clone(),
                }),
                outputs: Arc::new(Outputs::default()),
                contradicted: false,
            },
        }
    }

    fn replay(&self, id: u64, state: &NodeState, input: &NodeInput) -> (Replayed, Outputs) {
        if matches!(input, NodeInput::Start) {
            let mut image = (*state.image).clone();
            image.boots += 1;
            let live = LiveNode::start(&self.config, id, &image);
            return (up(&live, Arc::new(image)), Outputs::default());
        }
        let mut live = LiveNode::start(&self.config, id, &state.image);
        for earlier in state.history() {
            live.take(earlier);
        }
        match input {
            NodeInput::Crash { keep } => {
                (Replayed::Down(Box::new(live.crash(*keep))), Outputs::default())
            }
            input => {
                let outputs = live.take(input);
                (up(&live, state.image.clone()), outputs)
            }
        }
    }
}

enum Replayed {
    Down(Box<Image>),
    Up { view: NodeView, fingerprint: u64, image: Arc<Image> },
}

fn up(live: &LiveNode, image: Arc<Image>) -> Replayed {
    Replayed::Up { view: live.view(), fingerprint: live.fingerprint(), image }
}
