//! Leases of a whole group.

use super::cluster::{Cluster, rejected};
use crate::command::{Command, GrantLease, Put};
use crate::replica::{Input, Rejection, Reply};
use crate::types::RequestId;

const TTL: u64 = 30;

/// A lease, and a key that ends with it.
fn grant(cluster: &mut Cluster, leader: u64) -> u64 {
    let (_, reply) = cluster.write(leader, Command::GrantLease(GrantLease { ttl_ticks: TTL }));
    let Some(Reply::Applied { outcome, .. }) = reply else { panic!("{reply:?}") };
    let lease = outcome.revision;
    let put = Put { key: "leased".into(), value: "value".into(), lease };
    cluster.write(leader, Command::Put(put));
    lease
}

fn keep_alive(lease: u64) -> impl FnOnce(RequestId) -> Input {
    move |request| Input::KeepAlive { request, lease }
}

#[test]
fn a_lease_that_nobody_keeps_alive_ends_everywhere() {
    let mut cluster = Cluster::led(3);
    grant(&mut cluster, 1);
    cluster.tick(TTL as usize);
    assert!(cluster.get(1, "leased").is_some());
    cluster.tick(10);
    for id in 1..=3 {
        assert_eq!(cluster.get(id, "leased"), None);
    }
}

#[test]
fn a_lease_that_is_kept_alive_lives() {
    let mut cluster = Cluster::led(3);
    let lease = grant(&mut cluster, 1);
    for _ in 0..5 {
        cluster.tick(TTL as usize - 1);
        let (_, reply) = cluster.ask(1, keep_alive(lease));
        assert_eq!(reply, Some(Reply::KeptAlive { ttl_ticks: TTL }));
    }
    assert!(cluster.get(1, "leased").is_some());
    let (_, reply) = cluster.ask(1, keep_alive(lease + 1_000));
    assert_eq!(rejected(reply), Some(Rejection::LeaseNotFound));
    let (_, reply) = cluster.ask(2, keep_alive(lease));
    assert!(matches!(rejected(reply), Some(Rejection::NotLeader { .. })));
}

#[test]
fn a_new_leader_gives_leases_their_whole_time() {
    let mut cluster = Cluster::led(3);
    grant(&mut cluster, 1);
    cluster.tick(TTL as usize - 2);
    let to = Some(crate::types::NodeId(2));
    cluster.ask(1, |request| Input::TransferLeader { request, to });
    assert_eq!(cluster.leader(), Some(2));
    cluster.tick(TTL as usize);
    assert!(cluster.get(2, "leased").is_some());
    cluster.tick(10);
    assert_eq!(cluster.get(2, "leased"), None);
}

#[test]
fn a_leader_that_is_cut_off_keeps_nothing_alive() {
    let mut cluster = Cluster::led(3);
    let lease = grant(&mut cluster, 1);
    cluster.isolated.insert(1);
    let (_, reply) = cluster.ask(1, keep_alive(lease));
    assert_eq!(reply, None, "it must ask a majority first");
}

#[test]
fn leases_have_a_limit() {
    let mut cluster = Cluster::led(1);
    for _ in 0..10 {
        grant(&mut cluster, 1);
    }
    let (_, reply) = cluster.write(1, Command::GrantLease(GrantLease { ttl_ticks: TTL }));
    let at_limit = Rejection::AtLimit { limit: "leases", max: 10 };
    assert_eq!(rejected(reply), Some(at_limit));
}
