//! A node's state as the model keeps it: where its process started from, and its inputs since.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use protobuf::Message as _;
use raft::eraftpb::{Entry, HardState, Message};
use server::log_store::LogPosition;
use server::state_machine::MemoryStateStore;
use server::types::Role;

/// A message of one replica to another. Equal messages have equal `digest`s.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) digest: u64,
    pub(super) message: Message,
    /// The state that travels with a snapshot.
    pub(super) state: Option<MemoryStateStore>,
}

/// What happens to a node.
#[derive(Debug, Clone)]
pub(super) enum NodeInput {
    /// A message arrives.
    Message(Arc<Envelope>),
    /// A client writes this value.
    Write { request: u64, value: u8 },
    /// A client reads.
    Read { request: u64 },
    /// This many ticks pass.
    Ticks(usize),
    /// Everything that was written is synced.
    Sync,
    /// The machine loses power; of the unsynced batches the first `keep` survive.
    Crash { keep: usize },
    /// The process starts again.
    Start,
}

/// What a client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The write took effect.
    Written,
    /// The read's value; 0 for none.
    Value(u8),
    /// Surely nothing happened.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// What a node puts out when it takes an input.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outputs {
    pub(super) messages: Vec<Arc<Envelope>>,
    pub(super) answers: Vec<(u64, Answer)>,
}

/// What a process finds on its disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Image {
    pub(super) hard_state: HardState,
    /// The entry before the first one of `entries`.
    pub(super) base: LogPosition,
    pub(super) entries: Vec<Entry>,
    /// As of the newest snapshot, taken or installed: other states are not written to disk.
    pub(super) state: MemoryStateStore,
    /// Was it installed?
    pub(super) installed: bool,
    /// Processes that this node has had.
    pub(super) boots: u64,
}

/// A list that shares its tail with the states it came from.
#[derive(Debug)]
pub(super) struct InputList {
    pub(super) before: Option<Arc<InputList>>,
    pub(super) input: NodeInput,
}

/// What the model may know about a node without replaying it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeView {
    /// No process runs.
    Down,
    /// A process runs.
    Up {
        role: Role,
        term: u64,
        /// Ticks since the last sign of a leader.
        elapsed: usize,
        /// Batches that a crash may lose.
        unsynced: usize,
        /// Is a sync of some use?
        sync_awaited: bool,
        /// Did it ever switch to a snapshot of a leader?
        has_installed: bool,
    },
    /// The replica panicked.
    Panicked,
}

/// One state of one node.
#[derive(Debug)]
pub(super) struct NodeState {
    pub(super) fingerprint: u64,
    pub(super) view: NodeView,
    /// From which the present process started, or which the next will find.
    pub(super) image: Arc<Image>,
    /// Inputs of the present process, newest first.
    pub(super) inputs: Option<Arc<InputList>>,
}

impl PartialEq for Envelope {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Envelope {
    pub(super) fn new(message: Message, state: Option<MemoryStateStore>) -> Envelope {
        let bytes = message.write_to_bytes().expect("a message in memory can be encoded");
        let mut hasher = DefaultHasher::new();
        (bytes, &state).hash(&mut hasher);
        Envelope { digest: hasher.finish(), message, state }
    }
}

impl NodeInput {
    /// Equal inputs have equal digests.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            NodeInput::Message(envelope) => (0, envelope.digest).hash(&mut hasher),
            NodeInput::Write { request, value } => (1, request, value).hash(&mut hasher),
            NodeInput::Read { request } => (2, request).hash(&mut hasher),
            NodeInput::Ticks(ticks) => (3, ticks).hash(&mut hasher),
            NodeInput::Sync => 4.hash(&mut hasher),
            NodeInput::Crash { keep } => (5, keep).hash(&mut hasher),
            NodeInput::Start => 6.hash(&mut hasher),
        }
        hasher.finish()
    }
}

impl NodeState {
    /// A node without a process.
    pub(super) fn down(image: Image) -> NodeState {
        let mut hasher = DefaultHasher::new();
        0.hash(&mut hasher);
        image.fingerprint(&mut hasher);
        NodeState {
            fingerprint: hasher.finish(),
            view: NodeView::Down,
            image: Arc::new(image),
            inputs: None,
        }
    }

    /// Inputs of the present process, oldest first.
    pub(super) fn history(&self) -> Vec<&NodeInput> {
        let mut history = Vec::new();
        let mut at = self.inputs.as_deref();
        while let Some(list) = at {
            history.push(&list.input);
            at = list.before.as_deref();
        }
        history.reverse();
        history
    }
}

impl Image {
    pub(super) fn fingerprint(&self, hasher: &mut impl Hasher) {
        let HardState { term, vote, commit, .. } = self.hard_state;
        (self.boots, term, vote, commit, self.entries.len()).hash(hasher);
        (self.base, &self.state, self.installed).hash(hasher);
        for entry in &self.entries {
            (entry.index, entry.term, &entry.data[..]).hash(hasher);
        }
    }
}
