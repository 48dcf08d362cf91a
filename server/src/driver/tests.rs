//! One node with several groups, on stores that can be watched and stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use raft::eraftpb;

use super::hosted::Hosted;
use super::*;
use crate::bug::Bugs;
use crate::command::{Command, LogCommand, Put};
use crate::consensus::EngineKind;
use crate::log_store::{LogBatch, LogStore, LogStoreError, MemoryLogStore, RecoveredLog};
use crate::membership::Configuration;
use crate::replica::{AppliedState, CompactionConfig, Replica, ReplicaConfig};
use crate::state_machine::{KeyRange, MemoryStateStores, Query};
use crate::types::{GroupId, LogIndex, NodeId, Role};
use crate::watch::WatchError;

const DEADLINE: Duration = Duration::from_secs(20);

/// A log that outlives its node, counts what is done to it, and can be held up.
#[derive(Clone, Default)]
struct TestLog {
    log: Arc<Mutex<MemoryLogStore>>,
    writes: Arc<AtomicUsize>,
    syncs: Arc<AtomicUsize>,
    /// The next so many bootstraps fail.
    failures: Arc<AtomicU64>,
    closed: Arc<(Mutex<bool>, Condvar)>,
}

impl TestLog {
    fn close(&self) {
        *self.closed.0.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.closed.0.lock().unwrap() = false;
        self.closed.1.notify_all();
    }

    fn syncs(&self) -> usize {
        self.syncs.load(Ordering::SeqCst)
    }

    fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }
}

impl LogStore for TestLog {
    fn groups(&mut self) -> Result<Vec<GroupId>, LogStoreError> {
        self.log.lock().unwrap().groups()
    }

    fn load(&mut self, group: GroupId) -> Result<RecoveredLog, LogStoreError> {
        self.log.lock().unwrap().load(group)
    }

    fn bootstrap(
        &mut self,
        group: GroupId,
        configuration: &eraftpb::ConfState,
    ) -> Result<(), LogStoreError> {
        let fails = |left: u64| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            return Err(LogStoreError::AlreadyBootstrapped(group));
        }
        self.log.lock().unwrap().bootstrap(group, configuration)
    }

    fn write(&mut self, batches: &[LogBatch], sync: bool) -> Result<(), LogStoreError> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        let closed = self.closed.0.lock().unwrap();
        drop(self.closed.1.wait_while(closed, |closed| *closed).unwrap());
        self.syncs.fetch_add(usize::from(sync), Ordering::SeqCst);
        self.log.lock().unwrap().write(batches, sync)
    }

    fn remove(&mut self, group: GroupId) -> Result<(), LogStoreError> {
        self.log.lock().unwrap().remove(group)
    }
}

struct NoPeers;

impl PeerSender for NoPeers {
    fn send(&mut self, _group: GroupId, _message: eraftpb::Message) -> bool {
        false
    }

    fn members(&mut self, _addresses: &BTreeMap<u64, String>) {}

    fn send_snapshot(&mut self, _snapshot: OutgoingSnapshot, done: SentSnapshot) {
        done(false);
    }
}

fn replica_config() -> ReplicaConfig {
    ReplicaConfig {
        id: NodeId(1),
        engine: EngineKind::Raft,
        election_ticks: 10,
        heartbeat_ticks: 2,
        seed: 1,
        boot: 1,
        request_timeout_ticks: 100_000,
        pending_writes_max: 100,
        pending_reads_max: 100,
        leases_max: 100,
        compaction: CompactionConfig::NEVER,
        bugs: Bugs::NONE,
        logger: slog::Logger::root(slog::Discard, slog::o!()),
    }
}

/// A configuration of nodes 1 to n.
fn nodes(count: u64) -> Configuration {
    Configuration::first(&(1..=count).map(|node| (NodeId(node), String::new())).collect())
}

fn start(log: &TestLog, groups: u32) -> Node {
    let config = NodeConfig {
        replica: replica_config(),
        bootstrap: (0..groups).map(|id| (GroupId(id), nodes(1))).collect(),
        addresses: BTreeMap::new(),
        tick: Duration::from_millis(1),
        fsync: Fsync::Always,
        sessions_max: 10,
        metrics: Arc::default(),
        bugs: Bugs::NONE,
    };
    Node::start(config, Box::new(log.clone()), MemoryStateStores, Box::new(NoPeers)).unwrap()
}

async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let poll = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, poll).await.is_ok(), "not in time: {what}");
}

async fn leads(node: &NodeHandle, group: GroupId) {
    eventually("the node leads", || {
        let status = node.status(group);
        // Its first entry is applied, so that nothing of the election is under way any more.
        status.is_some_and(|it| it.role == Role::Leader && it.applied >= LogIndex(1))
    })
    .await;
}

fn put(key: &str, value: &str) -> LogCommand {
    let (key, value) = (Bytes::from(key.to_owned()), Bytes::from(value.to_owned()));
    LogCommand::new(0, 0, Command::Put(Put { key, value, lease: 0 }))
}

fn query(key: &'static str) -> Query {
    Query::Get { key: Bytes::from_static(key.as_bytes()) }
}

async fn get(node: &NodeHandle, group: GroupId, key: &'static str) -> Option<Bytes> {
    let reply = node.read(group, query(key)).await.unwrap();
    reply.reply.into_key().map(|versioned| versioned.value)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_write_and_one_sync_serve_all_groups() {
    let log = TestLog::default();
    let node = start(&log, 8);
    let handle = node.handle();
    for group in handle.groups() {
        leads(&handle, group).await;
    }
    let quiet = log.writes();
    log.close();
    let write = |group: u32| {
        let handle = handle.clone();
        tokio::spawn(async move { handle.write(GroupId(group), put("k", "v")).await })
    };
    let mut answers = vec![write(0)];
    eventually("the log is held up", || log.writes() > quiet).await;
    let before: BTreeMap<GroupId, LogIndex> = handle
        .groups()
        .into_iter()
        .map(|group| (group, handle.status(group).unwrap().last_index))
        .collect();
    for id in 1..8 {
        // One after another, so that each comes with a turn of its own.
        answers.push(write(id));
        let group = GroupId(id);
        let longer = || handle.status(group).unwrap().last_index > before[&group];
        eventually("the entry waits for the log", longer).await;
    }
    let (writes, syncs) = (log.writes(), log.syncs());
    log.open();
    for answer in answers {
        answer.await.unwrap().unwrap();
    }
    // The one that was held up, and one for the seven others. What follows, the commit indices,
    // needs no sync.
    assert_eq!(log.syncs() - syncs, 2);
    assert!(log.writes() - writes <= 8, "{} writes", log.writes() - writes);
    for group in handle.groups() {
        assert_eq!(get(&handle, group, "k").await.unwrap(), "v");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_come_and_go_while_others_serve() {
    let log = TestLog::default();
    let node = start(&log, 1);
    let (handle, old, new) = (node.handle(), GroupId(0), GroupId(7));
    leads(&handle, old).await;
    handle.write(old, put("k", "old")).await.unwrap();
    assert_eq!(handle.write(new, put("k", "new")).await, Err(NodeError::NotHosted));
    assert_eq!(handle.remove_group(new).await, Err(GroupError::NotHosted(new)));

    handle.add_group(new, nodes(1)).await.unwrap();
    assert_eq!(handle.add_group(new, nodes(1)).await, Err(GroupError::Hosted(new)));
    assert_eq!(handle.groups(), [old, new]);
    leads(&handle, new).await;
    let mut watch = handle.watch(new, KeyRange::prefix(b"k"), 0).unwrap();
    handle.write(new, put("k", "new")).await.unwrap();
    assert_eq!(watch.next().await.unwrap().events.len(), 1);
    assert_eq!(get(&handle, old, "k").await.unwrap(), "old");
    assert_eq!(get(&handle, new, "k").await.unwrap(), "new");

    handle.remove_group(new).await.unwrap();
    assert_eq!(handle.groups(), [old]);
    assert_eq!(handle.status(new), None);
    assert_eq!(watch.next().await.unwrap_err(), WatchError::Stopping);
    let gone = handle.watch(new, KeyRange::prefix(b"k"), 0).unwrap_err();
    assert_eq!(gone, WatchError::NotHosted);
    assert_eq!(handle.read(new, query("k")).await, Err(NodeError::NotHosted));
    assert_eq!(log.clone().groups().unwrap(), [old]);
    assert_eq!(get(&handle, old, "k").await.unwrap(), "old");

    // It begins anew, without what it held.
    handle.add_group(new, nodes(1)).await.unwrap();
    leads(&handle, new).await;
    assert_eq!(get(&handle, new, "k").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_node_hosts_what_its_log_knows() {
    let log = TestLog::default();
    let node = start(&log, 2);
    let handle = node.handle();
    handle.add_group(GroupId(9), nodes(1)).await.unwrap();
    handle.remove_group(GroupId(1)).await.unwrap();
    leads(&handle, GroupId(9)).await;
    handle.write(GroupId(9), put("k", "v")).await.unwrap();
    drop(node);

    let node = start(&log, 0);
    let handle = node.handle();
    assert_eq!(handle.groups(), [GroupId(0), GroupId(9)]);
    leads(&handle, GroupId(9)).await;
    assert_eq!(get(&handle, GroupId(9), "k").await.unwrap(), "v");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_cannot_be_added_leaves_nothing_behind() {
    let log = TestLog::default();
    let node = start(&log, 1);
    let (handle, group) = (node.handle(), GroupId(3));
    log.failures.store(1, Ordering::SeqCst);
    let error = handle.add_group(group, nodes(1)).await.unwrap_err();
    assert!(matches!(error, GroupError::Failed { .. }), "{error}");
    assert_eq!(handle.groups(), [GroupId(0)]);
    handle.add_group(group, nodes(1)).await.unwrap();
    leads(&handle, group).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_removed_group_is_left_in_doubt() {
    let log = TestLog::default();
    let node = start(&log, 2);
    let (handle, group) = (node.handle(), GroupId(1));
    leads(&handle, group).await;
    let before = handle.status(group).unwrap().last_index;
    log.close();
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.write(group, put("k", "v")).await }
    });
    eventually("the entry waits for the log", || {
        handle.status(group).is_some_and(|it| it.last_index > before)
    })
    .await;
    let removed = tokio::spawn({
        let handle = handle.clone();
        async move { handle.remove_group(group).await }
    });
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!((error, error.is_indefinite()), (NodeError::Lost, true));
    let again = handle.add_group(group, nodes(1)).await;
    assert_eq!(again, Err(GroupError::Changing(group)));
    log.open();
    removed.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_to_groups_elsewhere_are_dropped_and_counted() {
    let node = start(&TestLog::default(), 1);
    let handle = node.handle();
    for _ in 0..3 {
        assert!(handle.deliver(GroupId(5), eraftpb::Message::default()));
    }
    eventually("they are counted", || handle.strays() == 3).await;
    assert_eq!(handle.groups(), [GroupId(0)]);
}

/// Ticks until a lonely replica of a group of three begins to campaign.
fn ticks_to_campaign(group: GroupId) -> usize {
    let recovered =
        RecoveredLog { configuration: Some(nodes(3).to_conf_state()), ..RecoveredLog::default() };
    let config = changes::replica_config(&replica_config(), group);
    let state = AppliedState { configuration: nodes(3), ..AppliedState::default() };
    let replica = Replica::new(config, recovered, &state).unwrap();
    let mut hosted = Hosted::new(group, replica, 10);
    let status = hosted.watch();
    let campaigns = |hosted: &mut Hosted| {
        hosted.tick();
        drop(hosted.take_effects());
        hosted.publish(group);
        status.borrow().role != Role::Follower
    };
    (1..100).find(|_| campaigns(&mut hosted)).unwrap()
}

#[test]
fn first_campaigns_are_spread_over_the_members() {
    for id in 0..12 {
        let ticks = ticks_to_campaign(GroupId(id));
        // Node 1 is to lead each third group; elsewhere it lets another one go first.
        let expected = if id % 3 == 0 { 10..20 } else { 20..30 };
        assert!(expected.contains(&ticks), "group {id} after {ticks} ticks");
    }
    let distinct: std::collections::BTreeSet<usize> =
        (0..12).map(|id| ticks_to_campaign(GroupId(id * 3))).collect();
    assert!(distinct.len() > 3, "the seeds differ: {distinct:?}");
}
