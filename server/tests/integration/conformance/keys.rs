//! Single keys.

use std::collections::BTreeSet;

use bytes::Bytes;
use proto::client::{Keys, ReadMode};

use super::{Store, client, value};
use crate::eventually::eventually;

pub(super) async fn keys_are_put_read_and_deleted(store: Store) {
    let cluster = store.start().await;
    let mut client = client(&cluster);
    assert_eq!(client.get("k").await.unwrap().found, None);
    let first = client.put("k", "one").await.unwrap();
    assert_eq!(first.previous, None);
    assert!(first.header.revision > 0 && first.header.term > 0);
    let second = client.put("k", "two").await.unwrap();
    let previous = second.previous.unwrap();
    assert_eq!((previous.revision, previous.version), (first.header.revision, 1));
    assert_eq!(value(Some(previous)), Some("one".to_owned()));
    for node in cluster.nodes() {
        let read = cluster.client(node).get("k").await.unwrap();
        let found = read.found.unwrap();
        assert_eq!((found.revision, found.version), (second.header.revision, 2));
        assert!(read.header.revision >= found.revision);
        assert_eq!(value(Some(found)), Some("two".to_owned()));
        eventually("a node's own state gets there", async || {
            let local = cluster.client(node).get_with("k", ReadMode::Local).await.unwrap();
            assert_eq!(local.header.node, node);
            value(local.found).filter(|value| value == "two")
        })
        .await;
    }
    let deleted = client.delete("k").await.unwrap();
    assert_eq!(value(deleted.previous), Some("two".to_owned()));
    assert!(deleted.header.revision > second.header.revision);
    assert_eq!(client.get("k").await.unwrap().found, None);
    assert_eq!(client.delete("k").await.unwrap().previous, None);
    // A key that is created anew begins anew.
    client.put("k", "three").await.unwrap();
    assert_eq!(client.get("k").await.unwrap().found.unwrap().version, 1);
}

pub(super) async fn any_bytes_are_a_key_and_a_value(store: Store) {
    let cluster = store.start().await;
    let mut client = client(&cluster);
    let all: Vec<u8> = (0..=u8::MAX).collect();
    for key in [&b""[..], b"\0", b"\0\0", b"\xff\xff", b"a/b c", &all] {
        for value in [&b""[..], b"\0", &all] {
            let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
            client.put(key.clone(), value.clone()).await.unwrap();
            assert_eq!(client.get(key).await.unwrap().found.unwrap().value, value);
        }
    }
    let keys: Vec<Bytes> =
        client.scan(Keys::all()).collect().await.unwrap().into_iter().map(|it| it.0).collect();
    assert_eq!(keys.len(), 6);
    assert!(keys.is_sorted());
}

pub(super) async fn a_compare_and_set_compares_and_sets(store: Store) {
    let cluster = store.start().await;
    let mut client = client(&cluster);
    let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let missing = client.compare_and_set("k", text("one"), "two").await.unwrap();
    assert_eq!((missing.swapped, missing.previous), (false, None));
    assert_eq!(client.get("k").await.unwrap().found, None);
    assert!(client.compare_and_set("k", None, "one").await.unwrap().swapped);
    let exists = client.compare_and_set("k", None, "two").await.unwrap();
    assert_eq!((exists.swapped, value(exists.previous)), (false, Some("one".to_owned())));
    let other = client.compare_and_set("k", text("on"), "two").await.unwrap();
    assert!(!other.swapped);
    let swapped = client.compare_and_set("k", text("one"), "").await.unwrap();
    assert_eq!((swapped.swapped, value(swapped.previous)), (true, Some("one".to_owned())));
    // An empty value is a value.
    assert!(!client.compare_and_set("k", None, "x").await.unwrap().swapped);
    assert!(client.compare_and_set("k", text(""), "y").await.unwrap().swapped);
    assert_eq!(client.get("k").await.unwrap().found.unwrap().version, 3);
}

pub(super) async fn appends_add_up(store: Store) {
    let cluster = store.start().await;
    for (node, before) in cluster.nodes().zip([None, Some("1,"), Some("1,2,")]) {
        let appended = cluster.client(node).append("k", format!("{node},")).await.unwrap();
        assert_eq!(value(appended.previous).as_deref(), before);
    }
    let found = client(&cluster).get("k").await.unwrap().found.unwrap();
    assert_eq!(found.version, cluster.nodes().count() as u64);
}

pub(super) async fn concurrent_clients_lose_nothing(store: Store) {
    const CLIENTS: usize = 8;
    const ROUNDS: usize = 20;
    let cluster = store.start().await;
    let nodes: Vec<u64> = cluster.nodes().collect();
    let mut writers = Vec::new();
    for number in 0..CLIENTS {
        let mut client = cluster.client(nodes[number % nodes.len()]);
        writers.push(tokio::spawn(async move {
            client.open_session().await.unwrap();
            let mut revisions = Vec::new();
            for round in 0..ROUNDS {
                let appended = client.append("k", format!("{number}.{round} ")).await.unwrap();
                revisions.push(appended.header.revision);
            }
            assert!(revisions.is_sorted());
            revisions
        }));
    }
    let mut revisions = BTreeSet::new();
    for writer in writers {
        revisions.extend(writer.await.unwrap());
    }
    assert_eq!(revisions.len(), CLIENTS * ROUNDS, "two writes share a revision");
    let found = client(&cluster).get("k").await.unwrap().found.unwrap();
    assert_eq!(found.version, (CLIENTS * ROUNDS) as u64);
    assert_eq!(Some(&found.revision), revisions.last());
    let text = value(Some(found)).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), CLIENTS * ROUNDS);
    for number in 0..CLIENTS {
        let own = words.iter().filter(|word| word.starts_with(&format!("{number}.")));
        let rounds: Vec<usize> =
            own.map(|word| word.split_once('.').unwrap().1.parse().unwrap()).collect();
        assert_eq!(rounds, (0..ROUNDS).collect::<Vec<_>>(), "client {number}");
    }
}
