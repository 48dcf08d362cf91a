//! A node that really runs: the replica, its state machine and its disk.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use raft::eraftpb::ConfState;
use server::bug::{Bug, Bugs};
use server::command::{Command, LogCommand, OutcomeKind, Put};
use server::consensus::EngineKind;
use server::log_store::{LogPosition, RecoveredLog};
use server::membership::Configuration;
use server::replica::{
    AppliedState, CompactionConfig, Effects, Input, InstallSnapshot, Persist, Rejection, Replica,
    ReplicaConfig, Reply, SendSnapshot,
};
use server::state_machine::{
    Applied, Changes, MemoryStateStore, StateMachine, StateMachineConfig, StateStore,
};
use server::types::{NodeId, RequestId};

use super::model::SyncPolicy;
use super::node_state::{Answer, Envelope, Image, NodeInput, NodeView, Outputs};

/// The least that raft-rs accepts beside a heartbeat at every tick.
pub(super) const ELECTION_TICKS: usize = 2;
/// Every election timeout: one tick more, so that a lease can be over before the campaign begins.
pub(super) const CAMPAIGN_TICKS: usize = 3;

/// The one register.
const KEY: &[u8] = b"r";

/// What all nodes of a model share.
#[derive(Debug, Clone)]
pub(super) struct NodeConfig {
    pub(super) nodes: u64,
    pub(super) bugs: Bugs,
    pub(super) sync: SyncPolicy,
    pub(super) compaction: CompactionConfig,
    pub(super) logger: slog::Logger,
}

/// A process and the disk under it.
#[derive(Debug)]
pub(super) struct LiveNode {
    config: NodeConfig,
    replica: Replica,
    machine: StateMachine<MemoryStateStore>,
    durable: Image,
    /// Did this process ever switch to a snapshot?
    has_installed: bool,
    /// The state that came with the message that is being taken in.
    received: Option<MemoryStateStore>,
    /// Not durable yet, in order; the first `reported` were reported as persisted.
    pending: Vec<Persist>,
    reported: usize,
}

impl LiveNode {
    /// Starts a process on `image`, which already counts it.
    pub(super) fn start(config: &NodeConfig, id: u64, image: &Image) -> LiveNode {
        let mut configuration = ConfState::default();
        configuration.set_voters((1..=config.nodes).collect());
        let recovered = RecoveredLog {
            configuration: Some(configuration.clone()),
            hard_state: image.hard_state.clone(),
            base: image.base,
            entries: image.entries.clone(),
        };
        let replica_config = ReplicaConfig {
            id: NodeId(id),
            engine: EngineKind::Raft,
            election_ticks: ELECTION_TICKS,
            heartbeat_ticks: 1,
            seed: 0,
            boot: (id << 32) | image.boots,
            // Never: the fingerprint does not cover how long a request has waited.
            request_timeout_ticks: u64::MAX,
            pending_writes_max: 16,
            pending_reads_max: 16,
            leases_max: 16,
            compaction: config.compaction,
            bugs: config.bugs,
            logger: config.logger.clone(),
        };
        let machine = machine(config, image.state.clone());
        let configuration = Configuration::from_conf_state(&configuration, &BTreeMap::new());
        let position = machine.applied();
        let state = AppliedState {
            position,
            installed: image.installed.then_some(position),
            snapshot: (position.index.0 > 0).then(|| (position, configuration.clone())),
            configuration,
            leases: Vec::new(),
        };
        let mut replica = Replica::new(replica_config, recovered, &state)
            .expect("a log and a state of one disk fit together");
        replica.pin_election_timeout(CAMPAIGN_TICKS);
        LiveNode {
            config: config.clone(),
            replica,
            machine,
            durable: image.clone(),
            has_installed: false,
            received: None,
            pending: Vec::new(),
            reported: 0,
        }
    }

    /// Takes in one thing that happens to a running process.
    pub(super) fn take(&mut self, input: &NodeInput) -> Outputs {
        match input {
            NodeInput::Message(envelope) => {
                self.received = envelope.state.clone();
                self.replica.step(Input::Message(envelope.message.clone()));
            }
            NodeInput::Write { request, value } => {
                let put =
                    Put { key: Bytes::from_static(KEY), value: vec![*value].into(), lease: 0 };
                let command = LogCommand::new(0, 0, Command::Put(put));
                self.replica.step(Input::Write { request: RequestId(*request), command });
            }
            NodeInput::Read { request } => {
                self.replica.step(Input::Read { request: RequestId(*request) });
            }
            NodeInput::Ticks(ticks) => {
                for _ in 0..*ticks {
                    self.replica.step(Input::Tick);
                }
            }
            NodeInput::Sync => self.sync(),
            NodeInput::Crash { .. } | NodeInput::Start => {
                unreachable!("a process that is running neither starts nor outlives its crash")
            }
        }
        let mut outputs = Outputs::default();
        loop {
            let effects = self.replica.take_effects();
            if !self.perform(effects, &mut outputs) {
                return outputs;
            }
        }
    }

    /// What a crash leaves: the durable part and the first `keep` of the rest.
    pub(super) fn crash(mut self, keep: usize) -> Image {
        let kept: Vec<Persist> = self.pending.drain(..keep).collect();
        for batch in kept {
            make_durable(&mut self.durable, batch);
        }
        self.durable
    }

    pub(super) fn view(&self) -> NodeView {
        NodeView::Up {
            role: self.replica.role(),
            term: self.replica.term().0,
            elapsed: self.replica.election_elapsed(),
            unsynced: self.pending.len(),
            sync_awaited: self.pending.len() > self.reported,
            has_installed: self.has_installed,
        }
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        1.hash(&mut hasher);
        self.replica.fingerprint(&mut hasher);
        self.machine.store().hash(&mut hasher);
        self.durable.fingerprint(&mut hasher);
        (self.pending.len(), self.reported, self.has_installed).hash(&mut hasher);
        for batch in &self.pending {
            if let Some(hard_state) = &batch.hard_state {
                (hard_state.term, hard_state.vote, hard_state.commit).hash(&mut hasher);
            }
            (batch.hard_state.is_some(), batch.must_sync, batch.entries.len()).hash(&mut hasher);
            (batch.reset, batch.compact).hash(&mut hasher);
            for entry in &batch.entries {
                (entry.index, entry.term, &entry.data[..]).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// Performs effects. Returns whether the replica may have more.
    fn perform(&mut self, effects: Effects, outputs: &mut Outputs) -> bool {
        let Effects {
            messages,
            snapshots,
            persist,
            committed,
            install,
            reads,
            take_snapshot,
            replies,
        } = effects;
        let mut more = false;
        self.pending.extend(persist);
        match self.config.sync {
            _ if self.config.bugs.has(Bug::MissingFsync) => more |= self.report_unsynced(true),
            SyncPolicy::AtOnce => {
                if self.pending.iter().skip(self.reported).any(|batch| batch.must_sync) {
                    self.sync();
                    more = true;
                } else {
                    more |= self.report_unsynced(false);
                }
            }
            SyncPolicy::Anytime => more |= self.report_unsynced(false),
        }
        outputs.messages.extend(messages.into_iter().map(|it| Arc::new(Envelope::new(it, None))));
        for SendSnapshot { to, message, position } in snapshots {
            // It may be lost on its way, but the sender is told that it arrived: then it finds out.
            let ok = self.durable.state.applied() == position;
            let state = ok.then(|| self.durable.state.clone());
            outputs.messages.extend(state.map(|it| Arc::new(Envelope::new(message, Some(it)))));
            self.replica.step(Input::SnapshotSent { to, ok });
            more = true;
        }
        if let Some(last) = committed.last().map(|entry| entry.index) {
            let Applied { entries, leases, events: _ } =
                self.machine.apply(&committed).expect("committed entries can be applied");
            self.replica.step(Input::Applied { index: last, entries, leases });
            more = true;
        }
        if let Some(InstallSnapshot { position, .. }) = install {
            self.install(position);
            more = true;
        }
        if take_snapshot {
            self.durable.state = self.machine.store().clone();
            self.durable.installed = false;
            let position = self.machine.applied();
            let configuration = self.replica.configuration().clone();
            self.replica.step(Input::SnapshotTaken { position, configuration });
            more = true;
        }
        for request in reads {
            let value = self.machine.get(KEY).expect("memory can be read");
            let value = value.and_then(|versioned| versioned.value.first().copied());
            outputs.answers.push((request.0, Answer::Value(value.unwrap_or(0))));
        }
        for (request, reply) in replies {
            outputs.answers.push((request.0, answer(&reply)));
        }
        more
    }

    /// Switches to the snapshot that came with the message, durably.
    fn install(&mut self, position: LogPosition) {
        let received = self.received.take().expect("a snapshot comes with its state");
        let state = match self.config.bugs.has(Bug::SnapshotIgnored) {
            false => received,
            true => {
                let mut old = self.machine.store().clone();
                let changes = Changes { applied: position, ..Changes::default() };
                old.write(changes).expect("memory takes every write");
                old
            }
        };
        self.durable.state = state.clone();
        self.durable.installed = true;
        self.has_installed = true;
        self.machine = machine(&self.config, state);
        self.replica.step(Input::Installed { position, leases: Vec::new() });
    }

    /// Reports batches that need no sync, up to the first one that does (unless `all`).
    fn report_unsynced(&mut self, all: bool) -> bool {
        let waiting = &self.pending[self.reported..];
        let count = match all {
            true => waiting.len(),
            false => waiting.iter().take_while(|batch| !batch.must_sync).count(),
        };
        let Some(last) = waiting[..count].last() else { return false };
        let number = last.number;
        self.reported += count;
        self.replica.step(Input::Persisted(number));
        true
    }

    fn sync(&mut self) {
        let Some(number) = self.pending.last().map(|batch| batch.number) else { return };
        for batch in std::mem::take(&mut self.pending) {
            make_durable(&mut self.durable, batch);
        }
        self.reported = 0;
        self.replica.step(Input::Persisted(number));
    }
}

fn machine(config: &NodeConfig, state: MemoryStateStore) -> StateMachine<MemoryStateStore> {
    let config = StateMachineConfig { sessions_max: 16, bugs: config.bugs };
    StateMachine::new(state, config).expect("a state machine on a memory store starts")
}

fn make_durable(image: &mut Image, batch: Persist) {
    if let Some(base) = batch.reset {
        image.base = base;
        image.entries.clear();
    }
    if let Some(hard_state) = batch.hard_state {
        image.hard_state = hard_state;
    }
    if let Some(first) = batch.entries.first() {
        image.entries.truncate((first.index - 1 - image.base.index.0) as usize);
        image.entries.extend(batch.entries);
    }
    if let Some(base) = batch.compact {
        image.entries.drain(..(base.index.0 - image.base.index.0) as usize);
        image.base = base;
    }
}

fn answer(reply: &Reply) -> Answer {
    match reply {
        Reply::Applied { outcome, .. } if outcome.kind == OutcomeKind::Done as i32 => {
            Answer::Written
        }
        Reply::Applied { .. }
        | Reply::KeptAlive { .. }
        | Reply::MembersChanged { .. }
        | Reply::LeaderTransferred { .. }
        | Reply::SnapshotTaken { .. } => Answer::Unknown,
        Reply::Rejected(rejection) => match rejection {
            Rejection::NotLeader { .. }
            | Rejection::Busy
            | Rejection::AtLimit { .. }
            | Rejection::Overwritten
            | Rejection::LeaseNotFound
            | Rejection::Members(_)
            | Rejection::Transfer(_)
            | Rejection::SnapshotFailed => Answer::Refused,
            Rejection::Uncertain | Rejection::Timeout => Answer::Unknown,
        },
    }
}
