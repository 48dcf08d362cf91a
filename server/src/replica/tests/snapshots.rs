//! Compaction, snapshots to followers, and crashes on the way.

use super::cluster::{Cluster, rejected};
use crate::replica::{CompactionConfig, Input, Rejection, ReplicaError, Reply};
use crate::types::{NodeId, Role};

const OFTEN: CompactionConfig = CompactionConfig {
    snapshot_entries: 20,
    snapshot_bytes: u64::MAX,
    tail_entries: 3,
    log_bytes_max: u64::MAX,
};

/// Node 1 leads, and node 3 was cut off while much was written.
fn far_behind() -> Cluster {
    let mut cluster = Cluster::with_compaction(3, OFTEN);
    cluster.elect(1);
    cluster.put(1, "early", "value");
    cluster.isolated.insert(3);
    write_much(&mut cluster);
    cluster
}

fn write_much(cluster: &mut Cluster) {
    for number in 0..60 {
        let reply = cluster.put(1, "key", &number.to_string());
        assert!(matches!(reply, Some(Reply::Applied { .. })), "{reply:?}");
    }
}

#[test]
fn the_log_is_compacted_behind_snapshots_but_for_a_tail() {
    let mut cluster = Cluster::with_compaction(3, OFTEN);
    cluster.elect(1);
    write_much(&mut cluster);
    for id in 1..=3 {
        let status = cluster.node(id).replica.status();
        let snapshot = status.snapshot.expect("one was taken").index.0;
        assert!(snapshot >= 40, "{status:?}");
        assert_eq!(status.first_index.0, snapshot - 3 + 1, "{status:?}");
        let log = &cluster.node(id).disk.log;
        assert_eq!(log.base.index.0 + 1, status.first_index.0);
        assert_eq!(log.last_index(), status.last_index);
    }
}

#[test]
fn a_run_of_entries_that_jumps_over_the_threshold_makes_a_snapshot_due() {
    let mut cluster =
        Cluster::with_compaction(3, CompactionConfig { tail_entries: 1_000, ..OFTEN });
    cluster.elect(1);
    cluster.isolated.insert(3);
    write_much(&mut cluster);
    cluster.isolated.clear();
    cluster.tick(5);
    let status = cluster.node(3).replica.status();
    assert_eq!(status.applied, cluster.node(1).replica.status().applied);
    assert!(status.snapshot.expect("one was taken").index.0 >= 40, "{status:?}");
}

#[test]
fn bytes_make_a_snapshot_due_too() {
    let compaction =
        CompactionConfig { snapshot_entries: u64::MAX, snapshot_bytes: 1_000, ..OFTEN };
    let mut cluster = Cluster::with_compaction(1, compaction);
    cluster.elect(1);
    cluster.put(1, "key", &"v".repeat(400));
    assert_eq!(cluster.node(1).replica.status().snapshot, None);
    cluster.put(1, "key", &"v".repeat(700));
    assert!(cluster.node(1).replica.status().snapshot.is_some());
}

#[test]
fn a_log_that_is_too_large_takes_no_writes_until_it_is_compacted() {
    let compaction = CompactionConfig { log_bytes_max: 2_000, ..CompactionConfig::NEVER };
    let mut cluster = Cluster::with_compaction(1, compaction);
    cluster.elect(1);
    let refused = (0..10).find_map(|_| rejected(cluster.put(1, "key", &"v".repeat(500))));
    assert_eq!(refused, Some(Rejection::AtLimit { limit: "log-bytes", max: 2_000 }));
    let (_, reply) = cluster.ask(1, |request| Input::TakeSnapshot { request });
    assert!(matches!(reply, Some(Reply::SnapshotTaken { .. })), "{reply:?}");
}

#[test]
fn a_follower_behind_the_compacted_log_gets_the_state_as_it_is() {
    let mut cluster = far_behind();
    assert_eq!(cluster.get(3, "key"), None);
    cluster.isolated.clear();
    cluster.until("node 3 has caught up", |it| {
        it.node(3).machine.applied() == it.node(1).machine.applied()
    });
    assert!(cluster.node(3).disk.installed.is_some(), "entries alone cannot have done it");
    cluster.put(1, "later", "value");
    cluster.tick(3);
    cluster.assert_equal(&[1, 2, 3]);
}

#[test]
fn nothing_is_persisted_while_a_snapshot_is_being_installed() {
    let mut cluster = far_behind();
    cluster.installs_wait = true;
    cluster.isolated.clear();
    let before = cluster.node(3).disk.log.clone();
    cluster.tick(3);
    write_much(&mut cluster);
    cluster.tick(30);
    assert_eq!(cluster.node(3).disk.log, before);
    assert_eq!(cluster.leader(), Some(1), "it does not campaign meanwhile");
    cluster.install();
    cluster.until("node 3 has caught up", |it| {
        it.node(3).machine.applied() == it.node(1).machine.applied()
    });
    cluster.assert_equal(&[1, 2, 3]);
}

#[test]
fn a_crash_before_the_switch_leaves_the_old_state_and_the_old_log() {
    let mut cluster = far_behind();
    cluster.installs_wait = true;
    cluster.isolated.clear();
    cluster.tick(3);
    let disk = cluster.stop(3);
    assert!(disk.log.base.index.0 == 0 && disk.installed.is_none());
    cluster.installs_wait = false;
    cluster.start(3).expect("old state and old log fit together");
    cluster.until("node 3 has caught up", |it| {
        it.node(3).machine.applied() == it.node(1).machine.applied()
    });
    cluster.assert_equal(&[1, 2, 3]);
}

#[test]
fn a_crash_between_the_switch_and_the_reset_of_the_log_is_repaired() {
    let mut cluster = far_behind();
    cluster.installs_wait = true;
    cluster.isolated.clear();
    cluster.tick(3);
    let installed = cluster.stop_after_switch(3);
    cluster.installs_wait = false;
    cluster.start(3).expect("the log is reset");
    assert_eq!(cluster.node(3).replica.status().first_index.0, installed.index.0 + 1);
    cluster.until("node 3 has caught up", |it| {
        it.node(3).machine.applied() == it.node(1).machine.applied()
    });
    let base = cluster.node(3).disk.log.base;
    assert!(base >= installed, "the log store was told: {base:?}");
    cluster.assert_equal(&[1, 2, 3]);
}

#[test]
fn a_log_that_lost_what_its_state_has_is_refused() {
    let mut cluster = Cluster::led(3);
    write_much(&mut cluster);
    cluster.tick(3);
    let disk = cluster.stop(3);
    disk.log.entries.truncate(10);
    let error = cluster.start(3).expect_err("entries are missing");
    assert!(matches!(error, ReplicaError::LogBehindState { .. }), "{error}");
}

#[test]
fn a_write_whose_entry_a_snapshot_covers_is_uncertain() {
    let mut cluster = Cluster::with_compaction(3, OFTEN);
    cluster.elect(1);
    cluster.isolated.insert(1);
    let key = crate::command::Put { key: "lost".into(), value: "value".into(), lease: 0 };
    let (request, reply) = cluster.write(1, crate::command::Command::Put(key));
    assert_eq!(reply, None);
    cluster.until("there is a new leader", |it| it.leader() != Some(1));
    let leader = cluster.leader().expect("there is one");
    for number in 0..60 {
        cluster.put(leader, "key", &number.to_string());
    }
    cluster.isolated.clear();
    cluster.until("node 1 is answered", |it| it.node(1).replies.contains_key(&request));
    let reply = cluster.node(1).replies.get(&request).cloned();
    assert_eq!(rejected(reply), Some(Rejection::Uncertain));
    assert!(cluster.node(1).disk.installed.is_some());
}

#[test]
fn a_wiped_voter_gets_nothing_and_does_not_vote() {
    let mut cluster = far_behind();
    cluster.isolated.clear();
    cluster.stop(3);
    cluster.join(3);
    cluster.tick(50);
    assert_eq!(cluster.node(3).machine.applied().index.0, 0);
    // Node 2 alone is no majority, whatever node 3 forgot.
    cluster.isolated.insert(1);
    cluster.tick(100);
    assert_eq!(cluster.leader(), None);
    assert_eq!(cluster.node(2).replica.role(), Role::PreCandidate);
}

#[test]
fn a_wiped_learner_gets_a_snapshot_from_a_leader_that_knew_it() {
    let mut cluster = Cluster::led(3);
    cluster.join(4);
    let change = crate::replica::MemberChange::Add {
        node: NodeId(4),
        address: "n4".to_owned(),
        stay_learner: true,
    };
    cluster.change_wholly(1, change);
    write_much(&mut cluster);
    cluster.tick(3);
    assert_eq!(cluster.get(4, "key"), cluster.get(1, "key"));
    cluster.stop(4);
    cluster.join(4);
    cluster.until("node 4 has caught up", |it| {
        it.node(4).machine.applied() == it.node(1).machine.applied()
    });
    cluster.assert_equal(&[1, 2, 3, 4]);
}
