//! Replicas with memory for disks, and a network that delivers everything to whoever is up.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use raft::eraftpb::Message;

use crate::bug::Bugs;
use crate::command::{Command, LogCommand, Put};
use crate::consensus::EngineKind;
use crate::log_store::{LogPosition, RecoveredLog};
use crate::membership::Configuration;
use crate::replica::{
    AppliedState, CompactionConfig, Effects, Input, InstallSnapshot, MemberChange, Persist,
    Rejection, Replica, ReplicaConfig, ReplicaError, Reply,
};
use crate::state_machine::{
    Applied, MemoryStateStore, StateMachine, StateMachineConfig, StateStore,
};
use crate::types::{LogIndex, NodeId, RequestId, Role};

pub(super) const ELECTION_TICKS: usize = 10;

/// What a node has on its disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    pub(super) log: RecoveredLog,
    pub(super) state: MemoryStateStore,
    pub(super) installed: Option<LogPosition>,
    snapshots: BTreeMap<LogPosition, (Configuration, MemoryStateStore)>,
    boots: u64,
}

/// A node that runs.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) replica: Replica,
    pub(super) machine: StateMachine<MemoryStateStore>,
    pub(super) disk: Disk,
    received: BTreeMap<LogPosition, MemoryStateStore>,
    pub(super) replies: BTreeMap<RequestId, Reply>,
}

/// A message, and the state that travels with it.
type Parcel = (Message, Option<MemoryStateStore>);

/// A group.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Of those that start from now on.
    pub(super) engine: EngineKind,
    pub(super) compaction: CompactionConfig,
    first: Configuration,
    pub(super) nodes: BTreeMap<u64, Node>,
    down: BTreeMap<u64, Disk>,
    network: Vec<Parcel>,
    /// Nobody hears these, and they hear nobody.
    pub(super) isolated: BTreeSet<u64>,
    /// Snapshots to be installed wait.
    pub(super) installs_wait: bool,
    waiting: BTreeMap<u64, InstallSnapshot>,
    request_last: u64,
    /// So many messages are delivered, the others are lost.
    pub(super) messages_left: Option<usize>,
    /// What was delivered.
    pub(super) delivered: Vec<Message>,
}

impl Cluster {
    /// Nodes 1 to `voters`, of which none leads.
    pub(super) fn new(voters: u64) -> Cluster {
        Cluster::with_compaction(voters, CompactionConfig::NEVER)
    }

    pub(super) fn with_compaction(voters: u64, compaction: CompactionConfig) -> Cluster {
        let first = Configuration { voters: (1..=voters).collect(), ..Configuration::default() };
        let mut cluster = Cluster {
            engine: EngineKind::Raft,
            compaction,
            first,
            nodes: BTreeMap::new(),
            down: BTreeMap::new(),
            network: Vec::new(),
            isolated: BTreeSet::new(),
            installs_wait: false,
            waiting: BTreeMap::new(),
            request_last: 0,
            messages_left: None,
            delivered: Vec::new(),
        };
        for id in 1..=voters {
            let mut disk = Disk::default();
            disk.log.configuration = Some(cluster.first.to_conf_state());
            cluster.down.insert(id, disk);
            cluster.start(id).expect("it is new");
        }
        cluster
    }

    /// As [`Cluster::new`], and node 1 leads.
    pub(super) fn led(voters: u64) -> Cluster {
        let mut cluster = Cluster::new(voters);
        cluster.elect(1);
        cluster
    }

    /// A node with an empty disk.
    pub(super) fn join(&mut self, id: u64) {
        self.down.insert(id, Disk::default());
        self.start(id).expect("an empty disk is no obstacle");
    }

    pub(super) fn start(&mut self, id: u64) -> Result<(), ReplicaError> {
        let mut disk = self.down.get(&id).expect("it is down").clone();
        disk.boots += 1;
        let config = ReplicaConfig {
            id: NodeId(id),
            engine: self.engine,
            election_ticks: ELECTION_TICKS,
            heartbeat_ticks: 2,
            seed: id,
            boot: (id << 32) | disk.boots,
            request_timeout_ticks: 1_000,
            pending_writes_max: 1_000,
            pending_reads_max: 1_000,
            leases_max: 10,
            compaction: self.compaction,
            bugs: Bugs::NONE,
            logger: slog::Logger::root(slog::Discard, slog::o!()),
        };
        let recovered = disk.log.clone();
        let machine_config = StateMachineConfig { sessions_max: 10, bugs: Bugs::NONE };
        let machine = StateMachine::new(disk.state.clone(), machine_config).expect("memory");
        let first = Configuration::from_conf_state(
            &recovered.configuration.clone().unwrap_or_default(),
            &BTreeMap::new(),
        );
        let state = AppliedState {
            position: machine.applied(),
            configuration: disk.state.configuration().cloned().unwrap_or(first),
            installed: disk.installed,
            leases: machine.living_leases().expect("memory"),
            snapshot: None,
        };
        let replica = Replica::new(config, recovered, &state)?;
        let (received, replies) = (BTreeMap::new(), BTreeMap::new());
        self.down.remove(&id);
        self.nodes.insert(id, Node { replica, machine, disk, received, replies });
        Ok(())
    }

    /// The process ends; what was reported as persisted is on its disk.
    pub(super) fn stop(&mut self, id: u64) -> &mut Disk {
        let node = self.nodes.remove(&id).expect("it runs");
        self.waiting.remove(&id);
        self.down.entry(id).or_insert(node.disk)
    }

    /// The disk of a node that is down.
    pub(super) fn stopped(&mut self, id: u64) -> &mut Disk {
        self.down.get_mut(&id).expect("it is down")
    }

    /// The state was switched to the snapshot that waits, durably; then the process ends.
    pub(super) fn stop_after_switch(&mut self, id: u64) -> LogPosition {
        let position = self.waiting.remove(&id).expect("a snapshot waits").position;
        let node = self.nodes.get_mut(&id).expect("it runs");
        node.disk.state = node.received.remove(&position).expect("the files are here");
        node.disk.installed = Some(position);
        self.stop(id);
        position
    }

    pub(super) fn node(&self, id: u64) -> &Node {
        self.nodes.get(&id).expect("it runs")
    }

    /// Steps an input into a node, and does everything that follows.
    pub(super) fn step(&mut self, id: u64, input: Input) {
        self.nodes.get_mut(&id).expect("it runs").replica.step(input);
        self.settle();
    }

    /// So many ticks for everybody.
    pub(super) fn tick(&mut self, ticks: usize) {
        for _ in 0..ticks {
            let ids: Vec<u64> = self.nodes.keys().copied().collect();
            for id in ids {
                self.step(id, Input::Tick);
            }
        }
    }

    /// Ticks until the condition holds.
    #[track_caller]
    pub(super) fn until(&mut self, what: &str, condition: impl Fn(&Cluster) -> bool) {
        for _ in 0..2_000 {
            if condition(self) {
                return;
            }
            self.tick(1);
        }
        panic!("never: {what}\n{:#?}", self.nodes.values().map(|it| it.replica.status()));
    }

    /// Lets one node's time pass until it leads.
    pub(super) fn elect(&mut self, id: u64) {
        for _ in 0..100 {
            if self.node(id).replica.role() == Role::Leader {
                return;
            }
            self.step(id, Input::Tick);
        }
        panic!("node {id} is not elected");
    }

    pub(super) fn leader(&self) -> Option<u64> {
        let leads = |(id, node): (&u64, &Node)| {
            (node.replica.role() == Role::Leader).then(|| (node.replica.term(), *id))
        };
        self.nodes.iter().filter_map(leads).max().map(|(_, id)| id)
    }

    /// Sends a request; its reply, if there is one already.
    pub(super) fn ask(
        &mut self,
        id: u64,
        input: impl FnOnce(RequestId) -> Input,
    ) -> (RequestId, Option<Reply>) {
        self.request_last += 1;
        let request = RequestId(self.request_last);
        self.step(id, input(request));
        (request, self.node(id).replies.get(&request).cloned())
    }

    pub(super) fn write(&mut self, id: u64, command: Command) -> (RequestId, Option<Reply>) {
        let command = LogCommand::new(0, 0, command);
        self.ask(id, |request| Input::Write { request, command })
    }

    pub(super) fn put(&mut self, id: u64, key: &str, value: &str) -> Option<Reply> {
        let key = Bytes::copy_from_slice(key.as_bytes());
        let value = Bytes::copy_from_slice(value.as_bytes());
        self.write(id, Command::Put(Put { key, value, lease: 0 })).1
    }

    pub(super) fn get(&self, id: u64, key: &str) -> Option<Bytes> {
        let found = self.node(id).machine.get(key.as_bytes()).expect("memory can be read");
        found.map(|versioned| versioned.value)
    }

    pub(super) fn change(&mut self, id: u64, change: MemberChange) -> (RequestId, Option<Reply>) {
        self.ask(id, |request| Input::ChangeMembers { request, change, timeout_ticks: 500 })
    }

    /// Changes members, and waits until it is complete.
    #[track_caller]
    pub(super) fn change_wholly(&mut self, id: u64, change: MemberChange) -> Configuration {
        let (request, _) = self.change(id, change.clone());
        self.until("the change is answered", |it| it.node(id).replies.contains_key(&request));
        match &self.node(id).replies[&request] {
            Reply::MembersChanged { configuration } => configuration.clone(),
            other => panic!("{change:?} ended as {other:?}"),
        }
    }

    pub(super) fn add(&mut self, leader: u64, id: u64) -> Configuration {
        self.join(id);
        let address = format!("n{id}");
        self.change_wholly(
            leader,
            MemberChange::Add { node: NodeId(id), address, stay_learner: false },
        )
    }

    /// The installs that waited are performed.
    pub(super) fn install(&mut self) {
        self.installs_wait = false;
        for (id, install) in std::mem::take(&mut self.waiting) {
            self.switch(id, install);
        }
        self.settle();
    }

    /// Performs effects and delivers messages until there is nothing left to do.
    fn settle(&mut self) {
        loop {
            let ids: Vec<u64> = self.nodes.keys().copied().collect();
            let mut idle = self.network.is_empty();
            for id in ids {
                while let Some(node) = self.nodes.get_mut(&id) {
                    let effects = node.replica.take_effects();
                    if !self.perform(id, effects) {
                        break;
                    }
                    idle = false;
                }
            }
            for (message, state) in std::mem::take(&mut self.network) {
                self.deliver(message, state);
            }
            if idle {
                return;
            }
        }
    }

    fn deliver(&mut self, message: Message, state: Option<MemoryStateStore>) {
        let (from, to) = (message.from, message.to);
        let is_cut = self.isolated.contains(&from) || self.isolated.contains(&to);
        let is_lost = self.messages_left == Some(0);
        self.messages_left = self.messages_left.map(|left| left.saturating_sub(1));
        let arrives = !is_cut && !is_lost && self.nodes.contains_key(&to);
        let is_snapshot = state.is_some();
        if let Some(node) = self.nodes.get_mut(&to).filter(|_| arrives) {
            if let Some(state) = state {
                node.received.insert(state.applied(), state);
            }
            self.delivered.push(message.clone());
            node.replica.step(Input::Message(message));
        }
        if let Some(sender) = self.nodes.get_mut(&from).filter(|_| is_snapshot) {
            sender.replica.step(Input::SnapshotSent { to: NodeId(to), ok: arrives });
        }
    }

    /// Returns whether there was anything to do.
    fn perform(&mut self, id: u64, effects: Effects) -> bool {
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
        let busy = !messages.is_empty()
            || !snapshots.is_empty()
            || !persist.is_empty()
            || !committed.is_empty()
            || install.is_some()
            || take_snapshot;
        let node = self.nodes.get_mut(&id).expect("it runs");
        assert!(reads.is_empty(), "no test reads");
        node.replies.extend(replies);
        for persist in persist {
            let number = persist.number;
            write(&mut node.disk.log, persist);
            node.replica.step(Input::Persisted(number));
        }
        self.network.extend(messages.into_iter().map(|message| (message, None)));
        for send in snapshots {
            let state = node.disk.snapshots.get(&send.position).expect("it is kept").1.clone();
            self.network.push((send.message, Some(state)));
        }
        if let Some(last) = committed.last() {
            let index = last.index;
            let Applied { entries, leases, events: _ } =
                node.machine.apply(&committed).expect("entries can be applied");
            node.disk.state = node.machine.store().clone();
            node.replica.step(Input::Applied { index, entries, leases });
        }
        if take_snapshot {
            let state = node.machine.store().clone();
            let configuration = state.configuration().unwrap_or(&self.first).clone();
            let position = state.applied();
            node.disk.snapshots.insert(position, (configuration.clone(), state));
            node.replica.step(Input::SnapshotTaken { position, configuration });
        }
        if let Some(install) = install {
            match self.installs_wait {
                true => drop(self.waiting.insert(id, install)),
                false => self.switch(id, install),
            }
        }
        busy
    }

    fn switch(&mut self, id: u64, install: InstallSnapshot) {
        let node = self.nodes.get_mut(&id).expect("it runs");
        let position = install.position;
        let state = node.received.remove(&position).expect("the files are here");
        assert_eq!(state.configuration().unwrap_or(&self.first), &install.configuration);
        node.disk.state = state.clone();
        node.disk.installed = Some(position);
        let config = StateMachineConfig { sessions_max: 10, bugs: Bugs::NONE };
        node.machine = StateMachine::new(state, config).expect("memory");
        let leases = node.machine.living_leases().expect("memory");
        node.replica.step(Input::Installed { position, leases });
    }

    /// Do all of these have the same state?
    #[track_caller]
    pub(super) fn assert_equal(&mut self, ids: &[u64]) {
        let applied: BTreeSet<LogIndex> =
            ids.iter().map(|id| self.node(*id).machine.applied().index).collect();
        assert_eq!(applied.len(), 1, "they have applied different entries");
        for id in ids {
            assert_eq!(self.node(*id).machine.store(), self.node(ids[0]).machine.store());
        }
    }
}

fn write(log: &mut RecoveredLog, persist: Persist) {
    if let Some(base) = persist.reset {
        log.entries.clear();
        log.base = base;
    }
    if let Some(hard_state) = persist.hard_state {
        log.hard_state = hard_state;
    }
    if let Some(first) = persist.entries.first() {
        log.entries.truncate((first.index - 1 - log.base.index.0) as usize);
        log.entries.extend(persist.entries);
    }
    if let Some(base) = persist.compact {
        log.entries.drain(..(base.index.0 - log.base.index.0) as usize);
        log.base = base;
    }
}

pub(super) fn rejected(reply: Option<Reply>) -> Option<Rejection> {
    match reply {
        Some(Reply::Rejected(rejection)) => Some(rejection),
        _ => None,
    }
}
