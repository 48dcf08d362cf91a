//! Transactions and scans.

use bytes::Bytes;
use proto::client::{Client, Comparison, ErrorKind, Keys, ReadMode, Relation, Step, Txn};
use server::Limits;

use super::{Store, client, refused, value};
use crate::cluster::Cluster;

pub(super) async fn a_transaction_performs_one_of_its_lists(store: Store) {
    let cluster = store.start().await;
    let mut client = client(&cluster);
    client.put("old", "x").await.unwrap();
    let txn = Txn::new()
        .when(Comparison::version("new", Relation::Equal, 0))
        .when(Comparison::value("old", Relation::Equal, "x"))
        .then(Step::put("new", "1"))
        .then(Step::append("new", "2"))
        .then(Step::delete("old"))
        .then(Step::get("new"))
        .otherwise(Step::get("old"))
        .otherwise(Step::put("else", "was here"));
    let done = client.txn(txn.clone()).await.unwrap();
    let results: Vec<_> = done.results.into_iter().map(value).collect();
    let text = |text: &str| Some(text.to_owned());
    assert!(done.held);
    assert_eq!(results, [None, text("1"), text("x"), text("12")]);
    let again = client.txn(txn).await.unwrap();
    assert_eq!((again.held, again.results), (false, vec![None, None]));
    // All of it happened at one revision.
    let found = client.get("new").await.unwrap().found.unwrap();
    assert_eq!((found.revision, found.version), (done.header.revision, 2));
    assert_eq!(client.get("old").await.unwrap().found, None);
    let found = client.get("else").await.unwrap().found.unwrap();
    assert_eq!(found.revision, again.header.revision);
}

pub(super) async fn every_comparison_compares(store: Store) {
    let cluster = store.start().await;
    let mut client = client(&cluster);
    client.put("k", "b").await.unwrap();
    let revision = client.put("k", "m").await.unwrap().header.revision;
    use Relation::{Equal, Greater, Less, NotEqual};
    // Which relations hold if the left side is less, equal, greater.
    let (less, equal, greater) = ([Less, NotEqual], [Equal, Equal], [Greater, NotEqual]);
    for relation in [Equal, NotEqual, Less, Greater] {
        let value = |right: &'static str| Comparison::value("k", relation, right);
        let at = |right| Comparison::revision("k", relation, right);
        let version = |right| Comparison::version("k", relation, right);
        for (comparison, holding) in [
            (value("z"), less),
            (value("m"), equal),
            (value("b"), greater),
            (at(revision + 1), less),
            (at(revision), equal),
            (at(revision - 1), greater),
            (version(3), less),
            (version(2), equal),
            (version(1), greater),
            // A key that does not exist is empty, and its numbers are 0.
            (Comparison::value("none", relation, ""), equal),
            (Comparison::revision("none", relation, 0), equal),
            (Comparison::version("none", relation, 1), less),
        ] {
            let txn = Txn::new().when(comparison.clone()).then(Step::get("k"));
            let held = client.txn(txn).await.unwrap().held;
            assert_eq!(held, holding.contains(&relation), "{comparison:?}");
        }
    }
}

pub(super) async fn a_list_of_reads_and_appends_returns_what_it_read(store: Store) {
    let cluster = store.start().await;
    let mut client = client(&cluster);
    let text = |text: &str| Some(text.to_owned());
    for round in 0..3 {
        let list = Txn::new()
            .then(Step::get("x"))
            .then(Step::append("x", format!("{round}")))
            .then(Step::append("y", format!("{round}")))
            .then(Step::get("x"))
            .then(Step::get("y"));
        let done = client.txn(list).await.unwrap();
        let results: Vec<_> = done.results.into_iter().map(value).collect();
        let before = "012"[..round].to_owned();
        let after = text(&"012"[..=round]);
        let before = Some(before).filter(|before| !before.is_empty());
        assert_eq!(results, [before.clone(), before.clone(), before, after.clone(), after]);
    }
}

/// `a`, `b`, ... `f`, and each key's own name as its value.
async fn alphabet(cluster: &Cluster) -> Client {
    let mut client = client(cluster);
    for key in ["c", "a", "f", "b", "e", "d"] {
        client.put(key, key).await.unwrap();
    }
    client
}

async fn scanned(client: &mut Client, keys: Keys) -> String {
    let found = client.scan(keys).collect().await.unwrap();
    found
        .into_iter()
        .map(|(key, found)| {
            assert_eq!(key, found.value);
            String::from_utf8(key.to_vec()).unwrap()
        })
        .collect()
}

pub(super) async fn a_scan_keeps_to_its_bounds(store: Store) {
    use std::ops::Bound::{Excluded, Included, Unbounded};

    let cluster = store.start().await;
    let mut client = alphabet(&cluster).await;
    let key = |text: &'static str| Bytes::from_static(text.as_bytes());
    for (start, end, expected) in [
        (Unbounded, Unbounded, "abcdef"),
        (Included(key("b")), Included(key("d")), "bcd"),
        (Included(key("b")), Excluded(key("d")), "bc"),
        (Excluded(key("b")), Included(key("d")), "cd"),
        (Excluded(key("b")), Excluded(key("d")), "c"),
        (Included(key("bb")), Excluded(key("dd")), "cd"),
        (Unbounded, Excluded(key("c")), "ab"),
        (Excluded(key("e")), Unbounded, "f"),
        (Included(key("d")), Excluded(key("d")), ""),
    ] {
        let keys = Keys::range((start.clone(), end.clone()));
        assert_eq!(scanned(&mut client, keys).await, expected, "{start:?} to {end:?}");
    }
    let backwards = Keys::range(Bytes::from("e")..=Bytes::from("b"));
    refused(client.scan(backwards).collect().await, ErrorKind::InvalidRequest);
    assert_eq!(scanned(&mut client, Keys::prefix("c")).await, "c");
    assert_eq!(scanned(&mut client, Keys::prefix("g")).await, "");
    client.put(vec![0xff, 1], vec![0xff, 1]).await.unwrap();
    let last = client.scan(Keys::prefix(vec![0xff])).collect().await.unwrap();
    assert_eq!(last.len(), 1);
    // What is acknowledged is seen, what is deleted is not.
    client.delete("c").await.unwrap();
    client.put("ab", "ab").await.unwrap();
    assert_eq!(scanned(&mut client, Keys::range(..Bytes::from("e"))).await, "aabbd");
}

pub(super) async fn a_scan_goes_from_page_to_page(store: Store) {
    let limits = Limits { scan_keys_max: 4, ..Limits::STANDARD };
    let cluster = store.start_with(limits).await;
    let mut client = alphabet(&cluster).await;
    for page_keys in 0..=4 {
        let found = client.scan(Keys::all()).page_keys(page_keys).collect().await.unwrap();
        assert_eq!(found.len(), 6, "with pages of {page_keys}");
    }
    let page = client.scan_page(Keys::all(), 4, ReadMode::Linearizable).await.unwrap();
    assert!(page.more && page.found.len() == 4);
    let page = client.scan_page(Keys::prefix("a"), 4, ReadMode::Local).await.unwrap();
    assert!(!page.more);
    let too_much = client.scan_page(Keys::all(), 5, ReadMode::Linearizable).await;
    refused(too_much, ErrorKind::LimitExceeded);
    // A page of few large values ends early, and the scan goes on.
    for key in ["x1", "x2", "x3"] {
        client.put(key, vec![7; 600 << 10]).await.unwrap();
    }
    let page = client.scan_page(Keys::prefix("x"), 4, ReadMode::Linearizable).await.unwrap();
    assert!(page.more && page.found.len() < 3);
    assert_eq!(client.scan(Keys::prefix("x")).collect().await.unwrap().len(), 3);
}
