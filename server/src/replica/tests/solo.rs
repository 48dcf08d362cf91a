//! A group of one member without Raft, and the same data under both engines.

use super::cluster::{Cluster, Disk, rejected};
use crate::command::{Command, LogCommand, Put};
use crate::consensus::EngineKind;
use crate::replica::{
    CompactionConfig, Effects, Input, MemberChange, MemberError, Rejection, Replica, ReplicaError,
    Reply, TransferError,
};
use crate::state_machine::MemoryStateStore;
use crate::types::{LogIndex, NodeId, RequestId, Role, Term};

const OFTEN: CompactionConfig = CompactionConfig {
    snapshot_entries: 20,
    snapshot_bytes: u64::MAX,
    tail_entries: 3,
    log_bytes_max: u64::MAX,
};

/// One node that has run under Raft, written `before`, and stopped; then alone.
fn alone(compaction: CompactionConfig) -> Cluster {
    let mut cluster = Cluster::with_compaction(1, compaction);
    cluster.elect(1);
    cluster.put(1, "before", "raft");
    switch(&mut cluster, EngineKind::Solo).expect("there is one member");
    cluster
}

fn switch(cluster: &mut Cluster, engine: EngineKind) -> Result<(), ReplicaError> {
    cluster.stop(1);
    cluster.engine = engine;
    cluster.start(1)
}

fn replica(cluster: &mut Cluster) -> &mut Replica {
    &mut cluster.nodes.get_mut(&1).expect("it runs").replica
}

fn is_applied(reply: Option<Reply>) -> bool {
    matches!(reply, Some(Reply::Applied { .. }))
}

#[test]
fn it_leads_from_the_first_moment_and_needs_no_ticks() {
    let mut cluster = alone(CompactionConfig::NEVER);
    let status = cluster.node(1).replica.status();
    assert_eq!((status.role, status.leader), (Role::Leader, Some(NodeId(1))));
    assert!(is_applied(cluster.put(1, "k", "v")));
    assert_eq!(cluster.get(1, "k").expect("it was written"), "v");
    assert_eq!(cluster.get(1, "before").expect("Raft wrote it"), "raft");
}

/// Durable is committed, and not earlier.
#[test]
fn an_entry_is_committed_when_it_is_durable() {
    let mut cluster = alone(CompactionConfig::NEVER);
    cluster.put(1, "k", "v");
    let last = cluster.node(1).replica.committed();
    let replica = replica(&mut cluster);
    replica.step(Input::Write { request: RequestId(91), command: put(1) });
    let Effects { persist, committed, .. } = replica.take_effects();
    let [batch] = &persist[..] else { panic!("one batch: {persist:?}") };
    assert!(batch.must_sync && batch.entries.len() == 1 && committed.is_empty());
    replica.step(Input::Read { request: RequestId(92) });
    // A read does not wait for what is not committed.
    assert_eq!(replica.take_effects().reads, [RequestId(92)]);
    replica.step(Input::Persisted(batch.number));
    replica.step(Input::Read { request: RequestId(93) });
    let Effects { committed, reads, .. } = replica.take_effects();
    assert_eq!(committed.iter().map(|it| it.index.0).collect::<Vec<_>>(), [last.0 + 1]);
    assert!(reads.is_empty(), "the read overtook a committed entry");
    let index = LogIndex(last.0 + 1);
    replica.step(Input::Applied { index, entries: Vec::new(), leases: Vec::new() });
    assert_eq!(replica.take_effects().reads, [RequestId(93)]);
}

/// A put of so many bytes.
fn put(bytes: usize) -> LogCommand {
    let put = Put { key: "k".into(), value: vec![7; bytes].into(), lease: 0 };
    LogCommand::new(0, 0, Command::Put(put))
}

/// What was written and lost with the process must not share a name with what is written later.
#[test]
fn every_start_is_a_new_term_that_is_durable_before_its_entries() {
    let mut cluster = alone(CompactionConfig::NEVER);
    let first = cluster.node(1).replica.term();
    cluster.put(1, "k", "v");
    switch(&mut cluster, EngineKind::Solo).expect("it was alone before");
    assert_eq!(cluster.node(1).replica.term(), Term(first.0 + 1));
    let effects = replica(&mut cluster).take_effects();
    let hard_state = effects.persist[0].hard_state.clone().expect("the term comes first");
    assert_eq!((hard_state.term, hard_state.vote), (first.0 + 1, 1));
    assert!(effects.persist[0].must_sync);
}

#[test]
fn members_and_leaders_are_not_changed() {
    let mut cluster = alone(CompactionConfig::NEVER);
    let node = NodeId(2);
    for change in [
        MemberChange::Add { node, address: "n2".to_owned(), stay_learner: false },
        MemberChange::Remove { node: NodeId(1) },
        MemberChange::Promote { node },
    ] {
        let (_, reply) = cluster.change(1, change);
        assert_eq!(rejected(reply), Some(MemberError::SingleMode.into()));
    }
    let hand_over = |to| move |request| Input::TransferLeader { request, to };
    let (_, reply) = cluster.ask(1, hand_over(None));
    assert_eq!(rejected(reply), Some(TransferError::NoCandidate.into()));
    let (_, reply) = cluster.ask(1, hand_over(Some(node)));
    assert_eq!(rejected(reply), Some(TransferError::NotAVoter(node).into()));
}

#[test]
fn the_log_is_compacted_behind_snapshots_and_found_again() {
    let mut cluster = alone(OFTEN);
    for number in 0..60 {
        assert!(is_applied(cluster.put(1, "key", &number.to_string())));
    }
    let status = cluster.node(1).replica.status();
    let snapshot = status.snapshot.expect("one was taken").index.0;
    assert!(snapshot >= 40, "{status:?}");
    assert_eq!(status.first_index.0, snapshot - 3 + 1);
    let log = &cluster.node(1).disk.log;
    assert_eq!((log.base.index.0 + 1, log.last_index()), (status.first_index.0, status.last_index));
    switch(&mut cluster, EngineKind::Solo).expect("it was alone before");
    assert_eq!(cluster.get(1, "key").expect("it was written"), "59");
    assert!(is_applied(cluster.put(1, "key", "60")));
}

#[test]
fn what_it_wrote_is_the_log_of_a_group_with_one_voter() {
    let mut cluster = alone(CompactionConfig::NEVER);
    cluster.put(1, "k", "solo");
    // The state is older than the log, as after a crash.
    cluster.stop(1).state = MemoryStateStore::default();
    cluster.engine = EngineKind::Raft;
    cluster.start(1).expect("a log of one voter");
    cluster.elect(1);
    assert_eq!(cluster.get(1, "before").expect("it is in the log"), "raft");
    assert_eq!(cluster.get(1, "k").expect("it is in the log"), "solo");
    // And it can grow now.
    let grown = cluster.add(1, 2);
    assert_eq!(grown.voters, [1, 2]);
    assert!(is_applied(cluster.put(1, "k", "both")));
    cluster.until("the follower has it", |it| it.get(2, "k").is_some_and(|it| it == "both"));
}

/// What is durable at one of several voters need not be committed.
#[test]
fn a_group_with_other_members_is_refused() {
    let mut cluster = Cluster::led(3);
    cluster.put(1, "k", "v");
    let refused = switch(&mut cluster, EngineKind::Solo);
    let Err(ReplicaError::NotAlone { members, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(members, [1, 2, 3].map(NodeId));

    let mut cluster = Cluster::led(1);
    cluster.join(2);
    let (node, address) = (NodeId(2), "n2".to_owned());
    cluster.change_wholly(1, MemberChange::Add { node, address, stay_learner: true });
    let refused = switch(&mut cluster, EngineKind::Solo);
    assert!(matches!(refused, Err(ReplicaError::NotAlone { .. })), "{refused:?}");

    // A node that waits to be added.
    let mut cluster = Cluster::led(1);
    cluster.stop(1);
    cluster.engine = EngineKind::Solo;
    *cluster.stopped(1) = Disk::default();
    let refused = cluster.start(1);
    let Err(error @ ReplicaError::NotAlone { .. }) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("hint: "), "{error}");
}

#[test]
fn members_that_the_log_changes_behind_the_state_are_refused() {
    let mut cluster = Cluster::led(1);
    let before = cluster.node(1).disk.state.clone();
    cluster.add(1, 2);
    cluster.change_wholly(1, MemberChange::Remove { node: NodeId(2) });
    let disk = cluster.stop(1);
    let after = std::mem::replace(&mut disk.state, before);
    cluster.engine = EngineKind::Solo;
    let refused = cluster.start(1);
    assert!(matches!(refused, Err(ReplicaError::MembersUnsettled)), "{refused:?}");
    // With the state that has it all, it is alone again.
    cluster.stopped(1).state = after;
    cluster.start(1).expect("there is one member");
    assert!(is_applied(cluster.put(1, "k", "v")));
    assert_eq!(cluster.node(1).replica.configuration().voters, [1]);
}

#[test]
fn too_much_that_is_not_durable_is_refused() {
    let mut cluster = alone(CompactionConfig::NEVER);
    let replica = replica(&mut cluster);
    let mut replies = Vec::new();
    for request in 0..80 {
        replica.step(Input::Write { request: RequestId(request), command: put(1 << 20) });
        replies.extend(replica.take_effects().replies);
    }
    assert!((10..20).contains(&replies.len()), "{}", replies.len());
    assert!(replies.iter().all(|(_, it)| *it == Reply::Rejected(Rejection::Busy)));
}
