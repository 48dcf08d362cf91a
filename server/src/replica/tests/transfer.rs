//! Leadership is handed over.

use super::cluster::{Cluster, ELECTION_TICKS, rejected};
use crate::replica::{Input, Rejection, Reply, TransferError};
use crate::types::{NodeId, RequestId};

fn transfer(to: Option<u64>) -> impl FnOnce(RequestId) -> Input {
    move |request| Input::TransferLeader { request, to: to.map(NodeId) }
}

#[test]
fn the_named_voter_leads_at_once() {
    let mut cluster = Cluster::led(3);
    let (_, reply) = cluster.ask(1, transfer(Some(3)));
    assert_eq!(reply, Some(Reply::LeaderTransferred { leader: NodeId(3) }));
    assert_eq!(cluster.leader(), Some(3));
    assert!(matches!(cluster.put(3, "key", "value"), Some(Reply::Applied { .. })));
}

#[test]
fn without_a_name_the_furthest_active_voter_leads() {
    let mut cluster = Cluster::led(3);
    cluster.isolated.insert(2);
    cluster.put(1, "key", "value");
    let (_, reply) = cluster.ask(1, transfer(None));
    assert_eq!(reply, Some(Reply::LeaderTransferred { leader: NodeId(3) }));
}

#[test]
fn a_voter_that_does_not_answer_ends_the_transfer() {
    let mut cluster = Cluster::led(3);
    cluster.isolated.insert(3);
    let (request, reply) = cluster.ask(1, transfer(Some(3)));
    assert_eq!(reply, None);
    assert_eq!(rejected(cluster.put(1, "key", "value")), Some(Rejection::Busy));
    let (_, second) = cluster.ask(1, transfer(Some(2)));
    assert_eq!(rejected(second), Some(Rejection::Transfer(TransferError::InProgress)));
    cluster.tick(2 * ELECTION_TICKS);
    let reply = cluster.node(1).replies.get(&request).cloned();
    let aborted = Rejection::Transfer(TransferError::Aborted(NodeId(3)));
    assert_eq!(rejected(reply), Some(aborted));
    assert!(matches!(cluster.put(1, "key", "value"), Some(Reply::Applied { .. })));
}

#[test]
fn what_cannot_lead_is_refused() {
    let mut cluster = Cluster::led(3);
    let (_, reply) = cluster.ask(1, transfer(Some(9)));
    let refused = Rejection::Transfer(TransferError::NotAVoter(NodeId(9)));
    assert_eq!(rejected(reply), Some(refused));
    let (_, reply) = cluster.ask(2, transfer(None));
    assert_eq!(rejected(reply), Some(Rejection::NotLeader { leader: Some(NodeId(1)) }));
    let mut alone = Cluster::led(1);
    let (_, reply) = alone.ask(1, transfer(None));
    assert_eq!(rejected(reply), Some(Rejection::Transfer(TransferError::NoCandidate)));
    let (_, reply) = alone.ask(1, transfer(Some(1)));
    assert_eq!(reply, Some(Reply::LeaderTransferred { leader: NodeId(1) }));
}
