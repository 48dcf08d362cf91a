//! Appends, transactions, scans, leases and locks, through every node.

use std::time::Duration;

use bytes::Bytes;
use proto::client::{
    ClientOptions, Comparison, ErrorKind, Keys, ReadMode, Relation, Step, Travel, Txn,
};

use crate::cluster::{Cluster, Kind};

#[tokio::test(flavor = "multi_thread")]
async fn appends_add_up() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    for node in cluster.nodes() {
        let mut client = cluster.client(node);
        let appended = client.append("k", format!("{node},")).await.unwrap();
        assert_eq!(appended.previous.is_some(), node > 1);
    }
    let found = cluster.client(1).get("k").await.unwrap().found.unwrap();
    assert_eq!((found.value, found.version), (Bytes::from("1,2,3,"), 3));
    let error = cluster.client(1).append("k", vec![7; 1 << 20]).await.unwrap_err();
    assert_eq!(error.failure().kind, Some(ErrorKind::LimitExceeded));
    assert!(!error.is_indefinite());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_performs_one_of_its_lists_as_one() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    for node in cluster.nodes() {
        let mut client = cluster.client(node);
        let key = format!("lamp {node}");
        let create = Txn::new()
            .when(Comparison::version(key.clone(), Relation::Equal, 0))
            .then(Step::put(key.clone(), "on"))
            .then(Step::append(key.clone(), "!"))
            .then(Step::get(key.clone()))
            .otherwise(Step::get(key.clone()));
        let done = client.txn(create.clone()).await.unwrap();
        let values = |results: Vec<Option<proto::client::KeyValue>>| {
            results.into_iter().map(|it| it.map(|it| it.value)).collect::<Vec<_>>()
        };
        assert!(done.held);
        assert_eq!(values(done.results), [None, Some("on".into()), Some("on!".into())]);
        let again = client.txn(create).await.unwrap();
        assert!(!again.held);
        assert_eq!(values(again.results), [Some("on!".into())]);
        let found = client.get(key).await.unwrap().found.unwrap();
        assert_eq!(found.revision, done.header.revision);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_goes_from_page_to_page_within_its_bounds() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let mut client = cluster.client(cluster.follower().await);
    for key in ["a", "b1", "b2", "b3", "b4", "c"] {
        client.put(key, key.to_uppercase()).await.unwrap();
    }
    let keys = |found: Vec<(Bytes, proto::client::KeyValue)>| {
        let text = |(key, found): (Bytes, proto::client::KeyValue)| {
            let key = String::from_utf8(key.to_vec()).unwrap();
            assert_eq!(found.value, key.to_uppercase());
            key
        };
        found.into_iter().map(text).collect::<Vec<_>>()
    };
    for page_keys in [0, 1, 3] {
        let found = client.scan(Keys::prefix("b")).page_keys(page_keys).collect().await.unwrap();
        assert_eq!(keys(found), ["b1", "b2", "b3", "b4"]);
    }
    let range = Keys::range(Bytes::from("b1")..=Bytes::from("b3"));
    let page = client.scan_page(range, 2, ReadMode::Linearizable).await.unwrap();
    assert!(page.more);
    assert_eq!(keys(page.found), ["b1", "b2"]);
    let range = Keys::range(..Bytes::from("b2"));
    assert_eq!(keys(client.scan(range).collect().await.unwrap()), ["a", "b1"]);
    assert_eq!(client.scan(Keys::all()).page_keys(4).collect().await.unwrap().len(), 6);
    let error = client.scan_page(Keys::all(), u32::MAX, ReadMode::Local).await.unwrap_err();
    assert_eq!(error.failure().kind, Some(ErrorKind::LimitExceeded));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_held_by_one_lease_and_freed_with_it() {
    let cluster = Cluster::start(3, Kind::Memory).await;
    let (mut one, mut two) = (cluster.client(1), cluster.client(2));
    let first = one.grant_lease(Duration::from_secs(60)).await.unwrap();
    let second = two.grant_lease(Duration::from_secs(60)).await.unwrap();
    let held = one.lock("door", first.id).await.unwrap();
    assert!(held.acquired);
    let refused = two.lock("door", second.id).await.unwrap();
    assert!(!refused.acquired);
    assert_eq!((refused.holder, refused.token), (first.id, held.token));
    assert!(!two.unlock("door", held.token + 1).await.unwrap());
    one.put_with_lease("mine", "v", first.id).await.unwrap();
    one.revoke_lease(first.id).await.unwrap();
    assert_eq!(two.get("mine").await.unwrap().found, None);
    let taken = two.lock("door", second.id).await.unwrap();
    assert!(taken.acquired && taken.token > held.token);
    assert!(two.unlock("door", taken.token).await.unwrap());
    for error in [
        one.lock("door", first.id).await.map(drop).unwrap_err(),
        one.put_with_lease("mine", "v", first.id).await.map(drop).unwrap_err(),
        one.revoke_lease(first.id).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.failure().kind, Some(ErrorKind::LeaseNotFound));
        assert!(!error.is_indefinite());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_their_own_answer_as_a_pipeline_does() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let options = ClientOptions { travel: Travel::Unary, ..ClientOptions::new() };
    let mut client = proto::client::Client::new(vec![cluster.address(1)], options);
    client.open_session().await.unwrap();
    client.append("k", "ab").await.unwrap();
    assert!(client.compare_and_set("k", Some("ab".into()), "c").await.unwrap().swapped);
    let txn = client.txn(Txn::new().then(Step::get("k"))).await.unwrap();
    assert_eq!(txn.results[0].as_ref().unwrap().value, "c");
    assert_eq!(client.scan(Keys::all()).collect().await.unwrap().len(), 1);
    let lease = client.grant_lease(Duration::from_secs(9)).await.unwrap();
    let locked = client.lock("l", lease.id).await.unwrap();
    assert!(client.unlock("l", locked.token).await.unwrap());
    client.revoke_lease(lease.id).await.unwrap();
    client.delete("k").await.unwrap();
    let error = client.put("k", vec![7; (1 << 20) + 1]).await.unwrap_err();
    assert_eq!(error.failure().kind, Some(ErrorKind::LimitExceeded));
}
