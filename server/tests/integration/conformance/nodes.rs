//! The nodes themselves.

use std::time::Duration;

use prost::Message as _;
use proto::admin::AddMember;
use proto::admin::change_members_request::Change;
use proto::client::{ErrorKind, Keys};
use proto::kv::ErrorDetail;
use proto::kv::kv_client::KvClient;
use proto::raft::peer_client::PeerClient;
use server::config::Mode;
use server::metrics::Refused;

use super::holders::put;
use super::{Store, refused, value};
use crate::failures::handshake;

pub(super) async fn a_node_says_what_it_is(store: Store) {
    let cluster = store.start().await;
    let leader = cluster.leader().await;
    let nodes: Vec<u64> = cluster.nodes().collect();
    for node in &nodes {
        let status = cluster.client(*node).status().await.unwrap();
        assert_eq!((status.node, status.leader), (*node, leader));
        assert_eq!(status.mode, store.mode.name());
        assert_eq!(status.storage, if store.keeps_data() { "rocksdb" } else { "memory" });
        assert_eq!(status.voters, nodes);
    }
    let members = cluster.client(leader).list_members(0).await.unwrap().members;
    assert_eq!(members.iter().map(|member| member.node).collect::<Vec<_>>(), nodes);
    assert_eq!(members.iter().filter(|member| member.role == "leader").count(), 1);
}

pub(super) async fn members_are_what_the_mode_says(store: Store) {
    let cluster = store.start().await;
    let leader = cluster.leader().await;
    let mut client = cluster.client(leader);
    match store.mode {
        Mode::Single => {
            let address = "127.0.0.1:1".to_owned();
            let add = AddMember { node: 2, address, stay_learner: false };
            let refusal = client.change_members(0, Change::Add(add)).await;
            let words = refused(refusal, ErrorKind::InvalidRequest);
            assert!(words.contains("mode single") && words.contains("hint: "), "{words}");
            let refusal = client.transfer_leader(0, 2).await;
            refused(refusal, ErrorKind::InvalidRequest);
            let mut peer = PeerClient::new(cluster.channel(1).await);
            let status = peer.meet(handshake(2, 1)).await.unwrap_err();
            assert!(status.message().contains("mode single"), "{status}");
            assert_eq!(cluster.server(1).metrics().refusals(Refused::Peer), 1);
        }
        Mode::Replicated => {
            let next = cluster.follower().await;
            assert_eq!(client.transfer_leader(0, next).await.unwrap(), next);
        }
    }
    client.put("k", "v").await.unwrap();
}

pub(super) async fn a_restart_keeps_what_is_on_disk_and_forgets_what_is_in_memory(store: Store) {
    let mut cluster = store.start().await;
    let mut client = cluster.client(cluster.leader().await);
    for number in 0..50 {
        client.put(format!("key {number}"), format!("value {number}")).await.unwrap();
    }
    client.delete("key 7").await.unwrap();
    let lease = client.grant_lease(Duration::from_secs(3_600)).await.unwrap().id;
    client.put_with_lease("leased", "v", lease).await.unwrap();
    let lock = client.lock("door", lease).await.unwrap();
    let session = client.open_session().await.unwrap();
    let answered = client.put("k", "once").await.unwrap().header.revision;
    assert!(client.snapshot(0).await.unwrap() >= answered);
    // And some that are in the log only, of another session.
    client.forget_session();
    client.put("late", "v").await.unwrap();
    cluster.restart_all().await;

    let mut client = cluster.client(cluster.leader().await);
    let mut raw = KvClient::new(cluster.channel(cluster.leader().await).await);
    let retry = raw.put(put(session, 1, "once")).await;
    if store.keeps_data() {
        for number in (0..50).filter(|number| *number != 7) {
            let found = client.get(format!("key {number}")).await.unwrap().found;
            assert_eq!(value(found), Some(format!("value {number}")));
        }
        assert_eq!(client.get("key 7").await.unwrap().found, None);
        assert_eq!(client.get("leased").await.unwrap().found.unwrap().lease, lease);
        client.keep_alive(lease).await.unwrap();
        assert_eq!(client.lock("door", lease).await.unwrap().token, lock.token);
        assert_eq!(value(client.get("late").await.unwrap().found), Some("v".to_owned()));
        assert_eq!(retry.unwrap().into_inner().header.unwrap().revision, answered);
        assert_eq!(client.get("k").await.unwrap().found.unwrap().version, 1);
        let after = client.put("k", "twice").await.unwrap().header.revision;
        assert!(after > answered, "a revision was given twice");
    } else {
        // It forgets everything, and says so: nothing that it promised is taken for kept.
        assert_eq!(client.status().await.unwrap().storage, "memory");
        assert!(client.scan(Keys::all()).collect().await.unwrap().is_empty());
        let detail = ErrorDetail::decode(retry.unwrap_err().details()).unwrap();
        assert_eq!((detail.kind(), detail.indefinite), (ErrorKind::SessionExpired, false));
        refused(client.keep_alive(lease).await, ErrorKind::LeaseNotFound);
        client.put("k", "anew").await.unwrap();
    }
}
