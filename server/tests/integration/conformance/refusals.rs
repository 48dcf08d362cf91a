//! What is refused, and surely without effect.

use std::time::Duration;

use proto::client::{ErrorKind, Keys, Step, Txn};
use server::Limits;

use super::{Store, client, refused};

pub(super) async fn what_is_over_a_limit_is_refused(store: Store) {
    let limits = Limits {
        key_bytes_max: 16,
        value_bytes_max: 100,
        txn_operations_max: 3,
        txn_bytes_max: 150,
        ..Limits::STANDARD
    };
    let cluster = store.start_with(limits).await;
    let mut client = client(&cluster);
    let over = ErrorKind::LimitExceeded;
    client.put(vec![7; 16], vec![7; 100]).await.unwrap();
    refused(client.put(vec![7; 17], "v").await, over);
    refused(client.get(vec![7; 17]).await, over);
    refused(client.put("k", vec![7; 101]).await, over);
    refused(client.append(vec![7; 16], "x").await, over);
    let swap = client.compare_and_set("k", None, vec![7; 101]).await;
    refused(swap, over);
    let gets = |count: usize| (0..count).fold(Txn::new(), |txn, _| txn.then(Step::get("k")));
    client.txn(gets(3)).await.unwrap();
    refused(client.txn(gets(4)).await, over);
    let large = Txn::new().then(Step::put("a", vec![7; 80])).then(Step::put("b", vec![7; 80]));
    refused(client.txn(large).await, over);
    // A transaction of which one step cannot be done does nothing.
    let half = Txn::new().then(Step::put("a", "v")).then(Step::append(vec![7; 16], "x"));
    refused(client.txn(half).await, over);
    refused(client.grant_lease(Duration::from_millis(1)).await, over);
    refused(client.grant_lease(Duration::from_secs(1 << 40)).await, over);
    refused(client.put("k", vec![7; 5 << 20]).await, over);
    for key in ["a", "b", "k"] {
        assert_eq!(client.get(key).await.unwrap().found, None, "{key}");
    }
    assert_eq!(client.get(vec![7; 16]).await.unwrap().found.unwrap().version, 1);
}

pub(super) async fn what_does_not_exist_is_refused(store: Store) {
    let cluster = store.start().await;
    let mut client = client(&cluster);
    let lease = 123_456;
    let missing = ErrorKind::LeaseNotFound;
    refused(client.put_with_lease("k", "v", lease).await, missing);
    refused(client.keep_alive(lease).await, missing);
    refused(client.revoke_lease(lease).await, missing);
    refused(client.lock("door", lease).await, missing);
    let txn = Txn::new().then(Step::put("a", "v")).then(Step::put_with_lease("k", "v", lease));
    refused(client.txn(txn).await, missing);
    assert!(client.scan(Keys::all()).collect().await.unwrap().is_empty());
    assert!(!client.unlock("door", 1).await.unwrap());
}
