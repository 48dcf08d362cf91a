//! Nodes come and go.

use std::time::Duration;

use proto::raft::peer_client::PeerClient;
use proto::raft::{Batch, Frame, Handshake, Standing, frame};
use server::metrics::Refused;
use server::transport::PEER_FORMAT;
use tokio_stream::StreamExt as _;

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn a_majority_serves_without_its_leader() {
    let mut cluster = Cluster::start(3, Kind::Memory).await;
    let leader = cluster.leader().await;
    let mut client = cluster.client(cluster.follower().await);
    client.open_session().await.unwrap();
    client.put("before", "1").await.unwrap();
    cluster.stop(leader).await;
    client.put("after", "2").await.unwrap();
    assert_ne!(cluster.leader().await, leader);
    assert_eq!(client.get("before").await.unwrap().found.unwrap().value, "1");
    assert_eq!(client.get("after").await.unwrap().found.unwrap().version, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_a_write_is_in_doubt_and_a_read_is_not() {
    let mut cluster = Cluster::start(3, Kind::Memory).await;
    let leader = cluster.leader().await;
    let mut writer = cluster.impatient_client(leader);
    let mut reader = cluster.impatient_client(leader);
    writer.put("k", "v").await.unwrap();
    for node in cluster.nodes().filter(|node| *node != leader).collect::<Vec<_>>() {
        cluster.stop(node).await;
    }
    let (write, read) = tokio::join!(writer.put("k", "w"), reader.get("k"));
    assert!(write.unwrap_err().is_indefinite());
    assert!(!read.unwrap_err().is_indefinite());
    // Once the leader has stepped down it knows that it cannot do anything.
    eventually("the leader steps down", async || {
        let status = reader.status().await.unwrap();
        (status.role != "leader").then_some(())
    })
    .await;
    assert!(!writer.put("k", "x").await.unwrap_err().is_indefinite());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_gone_had_no_effect() {
    let mut cluster = Cluster::start(1, Kind::Memory).await;
    let mut connected = cluster.impatient_client(1);
    let mut fresh = cluster.impatient_client(1);
    connected.put("k", "v").await.unwrap();
    cluster.stop(1).await;
    assert!(!fresh.put("k", "v").await.unwrap_err().is_indefinite());
    // The first attempt may find out about the old connection in the middle of a request.
    let _ = connected.put("k", "v").await;
    assert!(!connected.put("k", "v").await.unwrap_err().is_indefinite());
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_by_the_peer_service() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let peer = handshake(2, 1);
    let founder = Handshake { standing: Standing::Founder.into(), ..peer.clone() };
    let gathering = Handshake { standing: Standing::Gathering.into(), ..peer.clone() };
    let unspecified = Handshake { standing: Standing::Unspecified.into(), ..peer.clone() };
    let strangers = [
        (Handshake { cluster: "other".to_owned(), ..peer.clone() }, "cluster"),
        (handshake(2, 3), "looks for node 3"),
        (handshake(9, 1), "not a peer"),
        (handshake(1, 1), "not a peer"),
        (Handshake { format: PEER_FORMAT + 1, ..peer.clone() }, "protocol"),
        (Handshake { storage: "rocksdb".to_owned(), ..peer.clone() }, "hint: all nodes"),
        (Handshake { incarnation: 0, ..peer.clone() }, "which data it has"),
        (unspecified, "which data it has"),
        (founder, "has lost its data"),
        (gathering, "hint: remove it"),
    ];
    let before = cluster.server(1).metrics().refusals(Refused::Peer);
    let count = strangers.len() as u64;
    let mut client = PeerClient::new(cluster.channel(1).await);
    for (handshake, words) in strangers {
        let met = client.meet(handshake.clone()).await.unwrap_err();
        assert!(met.message().contains(words), "{met}");
        let first = Frame { frame: Some(frame::Frame::Handshake(handshake)) };
        // The stream stays open, so that an answer is a refusal and not the stream's end.
        let stream = tokio_stream::once(first).chain(tokio_stream::pending());
        let answer = tokio::time::timeout(Duration::from_secs(10), client.stream(stream)).await;
        let status = answer.unwrap().unwrap_err();
        assert!(status.message().contains(words), "{status}");
    }
    assert_eq!(cluster.server(1).metrics().refusals(Refused::Peer), before + 2 * count);
}

/// Of a node that was added lately.
pub(crate) fn handshake(from: u64, to: u64) -> Handshake {
    Handshake {
        format: PEER_FORMAT,
        cluster: "test".to_owned(),
        from,
        to,
        storage: "memory".to_owned(),
        incarnation: 77,
        standing: Standing::Joined.into(),
        ..Handshake::default()
    }
}

/// What a node sent before it lost its data does not arrive once it has come back without.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_its_sender_comes_back_with_other_data() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let mut client = PeerClient::new(cluster.channel(1).await);
    let (frames, outgoing) = tokio::sync::mpsc::channel(4);
    let first = frame::Frame::Handshake(handshake(2, 1));
    frames.send(Frame { frame: Some(first) }).await.unwrap();
    let stream = tokio_stream::wrappers::ReceiverStream::new(outgoing);
    let mut older = client.clone();
    let older = tokio::spawn(async move { older.stream(stream).await });
    eventually("the older one ends, once it has been admitted", async || {
        let newer = Handshake { incarnation: 78, ..handshake(2, 1) };
        client.meet(newer).await.unwrap();
        let late = frame::Frame::Batch(Batch::default());
        let _ = frames.try_send(Frame { frame: Some(late) });
        older.is_finished().then_some(())
    })
    .await;
    let status = older.await.unwrap().unwrap_err();
    assert!(status.message().contains("has come back with other data"), "{status}");
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_comes_back_and_catches_up() {
    use proto::client::ReadMode;

    let mut cluster = Cluster::start(3, Kind::Rocksdb).await;
    let stopped = cluster.leader().await;
    let mut client = cluster.client(cluster.follower().await);
    client.put("before", "1").await.unwrap();
    cluster.stop(stopped).await;
    let missed = client.put("missed", "2").await.unwrap().header.revision;
    cluster.restart(stopped).await;
    let mut back = cluster.client(stopped);
    eventually("the node catches up", async || {
        let read = back.get_with("missed", ReadMode::Local).await.unwrap();
        assert_eq!(read.header.node, stopped);
        (read.header.revision >= missed).then(|| assert_eq!(read.found.unwrap().value, "2"))
    })
    .await;
}
