use std::ops::Bound;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::command::Versioned;
use crate::state_machine::{ChangeEvent, KeyRange};
use crate::types::LogIndex;

const LIMITS: WatchLimits = WatchLimits {
    ring_events_max: 1_000,
    ring_bytes_max: 1 << 20,
    batch_events_max: 4,
    batch_bytes_max: 1 << 20,
};

fn change(revision: u64, key: &str) -> ChangeEvent {
    let value = Bytes::from(revision.to_string());
    let now = Versioned { value, revision, version: 1, lease: 0 };
    ChangeEvent { revision, key: Bytes::from(key.to_owned()), now: Some(now), previous: None }
}

/// Publishes one entry that changes these keys.
fn publish(feed: &WatchFeed, revision: u64, keys: &[&str]) {
    feed.publish(LogIndex(revision), keys.iter().map(|key| change(revision, key)).collect());
}

/// What a watch has to say without waiting.
async fn poll(watch: &mut Watch) -> Option<Result<WatchBatch, WatchError>> {
    tokio::select! {
        biased;
        batch = watch.next() => Some(batch),
        () = async { for _ in 0..64 { tokio::task::yield_now().await } } => None,
    }
}

fn revisions(batch: &WatchBatch) -> Vec<u64> {
    batch.events.iter().map(|event| event.revision).collect()
}

#[tokio::test]
async fn a_watch_from_now_on_sees_what_comes_and_nothing_older() {
    let feed = WatchFeed::new(LIMITS, LogIndex(7));
    publish(&feed, 8, &["old"]);
    let mut watch = feed.hub().watch(KeyRange::all(), 0).unwrap();
    assert_eq!(watch.reported(), 8);
    assert_eq!(poll(&mut watch).await, None);
    publish(&feed, 9, &["a", "b"]);
    let batch = poll(&mut watch).await.unwrap().unwrap();
    assert_eq!(batch, WatchBatch { revision: 9, events: vec![change(9, "a"), change(9, "b")] });
    assert_eq!(poll(&mut watch).await, None);
}

#[tokio::test]
async fn entries_that_change_nothing_in_the_range_are_progress() {
    let feed = WatchFeed::new(LIMITS, LogIndex(0));
    let mut watch = feed.hub().watch(KeyRange::prefix(b"a"), 1).unwrap();
    publish(&feed, 1, &["b"]);
    publish(&feed, 2, &[]);
    assert_eq!(watch.reported(), 0);
    assert_eq!(poll(&mut watch).await, None);
    assert_eq!(watch.reported(), 2);
    assert_eq!(feed.hub().revision(), 2);
}

#[tokio::test]
async fn a_waiting_watch_is_woken() {
    let feed = WatchFeed::new(LIMITS, LogIndex(0));
    let mut watch = feed.hub().watch(KeyRange::all(), 1).unwrap();
    let waiting = tokio::spawn(async move { watch.next().await });
    tokio::task::yield_now().await;
    publish(&feed, 1, &["a"]);
    assert_eq!(revisions(&waiting.await.unwrap().unwrap()), [1]);
}

#[tokio::test]
async fn a_revision_beyond_the_present_is_waited_for() {
    let feed = WatchFeed::new(LIMITS, LogIndex(0));
    let mut watch = feed.hub().watch(KeyRange::all(), 3).unwrap();
    for revision in 1..=2 {
        publish(&feed, revision, &["a"]);
        assert_eq!(poll(&mut watch).await, None);
        assert_eq!(watch.reported(), 2);
    }
    publish(&feed, 3, &["a"]);
    assert_eq!(revisions(&poll(&mut watch).await.unwrap().unwrap()), [3]);
}

#[tokio::test]
async fn batches_have_whole_revisions_even_if_one_is_too_large() {
    let feed = WatchFeed::new(LIMITS, LogIndex(0));
    publish(&feed, 1, &["a", "b", "c"]);
    publish(&feed, 2, &["a", "b"]);
    publish(&feed, 3, &["a", "b", "c", "d", "e", "f"]);
    publish(&feed, 4, &["a"]);
    let mut watch = feed.hub().watch(KeyRange::all(), 1).unwrap();
    let mut batches = Vec::new();
    while let Some(batch) = poll(&mut watch).await {
        let batch = batch.unwrap();
        batches.push((batch.revision, revisions(&batch)));
    }
    let expected = [(1, vec![1, 1, 1]), (2, vec![2, 2]), (3, vec![3, 3, 3, 3, 3, 3]), (4, vec![4])];
    assert_eq!(batches, expected);
}

#[tokio::test]
async fn bytes_limit_batches_too() {
    let limits = WatchLimits { batch_bytes_max: 1, ..LIMITS };
    let feed = WatchFeed::new(limits, LogIndex(0));
    publish(&feed, 1, &["a"]);
    publish(&feed, 2, &["a"]);
    let mut watch = feed.hub().watch(KeyRange::all(), 1).unwrap();
    assert_eq!(revisions(&poll(&mut watch).await.unwrap().unwrap()), [1]);
    assert_eq!(revisions(&poll(&mut watch).await.unwrap().unwrap()), [2]);
}

#[tokio::test]
async fn a_slow_watch_reads_on_as_long_as_the_ring_reaches_back_and_then_says_so() {
    let limits = WatchLimits { ring_events_max: 10, ..LIMITS };
    let feed = WatchFeed::new(limits, LogIndex(0));
    let mut watch = feed.hub().watch(KeyRange::all(), 1).unwrap();
    for revision in 1..=10 {
        publish(&feed, revision, &["a"]);
    }
    assert_eq!(revisions(&poll(&mut watch).await.unwrap().unwrap()), [1, 2, 3, 4]);
    for revision in 11..=14 {
        publish(&feed, revision, &["a"]);
    }
    assert_eq!(revisions(&poll(&mut watch).await.unwrap().unwrap()), [5, 6, 7, 8]);
    for revision in 15..=19 {
        publish(&feed, revision, &["a"]);
    }
    let compacted = WatchError::Compacted { first_revision: 10 };
    assert_eq!(poll(&mut watch).await, Some(Err(compacted)));
}

#[tokio::test]
async fn a_watch_reports_all_up_to_where_keys_were_given_away_and_ends() {
    let feed = WatchFeed::new(LIMITS, LogIndex(0));
    let mut watch = feed.hub().watch(KeyRange::all(), 1).unwrap();
    let mut waiting = feed.hub().watch(KeyRange::all(), 3).unwrap();
    publish(&feed, 1, &["a"]);
    // Revision 2 gave keys away; it is applied in one run with the next one.
    feed.scatter(2);
    publish(&feed, 3, &["a"]);
    assert_eq!(revisions(&poll(&mut watch).await.unwrap().unwrap()), [1]);
    let scattered = WatchError::Scattered { revision: 2 };
    assert_eq!(poll(&mut watch).await, Some(Err(scattered)));
    assert_eq!(poll(&mut waiting).await, Some(Err(scattered)));
    assert_eq!(feed.hub().watch(KeyRange::all(), 0).unwrap_err(), scattered);
    assert!(feed.hub().watch(KeyRange::all(), 2).is_ok());
}

#[tokio::test]
async fn the_ring_forgets_whole_revisions() {
    let limits = WatchLimits { ring_events_max: 3, ..LIMITS };
    let feed = WatchFeed::new(limits, LogIndex(0));
    publish(&feed, 1, &["a", "b", "c"]);
    assert!(feed.hub().watch(KeyRange::all(), 1).is_ok());
    publish(&feed, 2, &["d"]);
    let compacted = WatchError::Compacted { first_revision: 2 };
    assert_eq!(feed.hub().watch(KeyRange::all(), 1).unwrap_err(), compacted);
    let mut watch = feed.hub().watch(KeyRange::all(), 2).unwrap();
    assert_eq!(revisions(&poll(&mut watch).await.unwrap().unwrap()), [2]);
}

#[tokio::test]
async fn a_revision_larger_than_the_ring_is_forgotten_at_once_but_never_in_part() {
    let limits = WatchLimits { ring_bytes_max: 1, ..LIMITS };
    let feed = WatchFeed::new(limits, LogIndex(0));
    let mut watch = feed.hub().watch(KeyRange::all(), 1).unwrap();
    publish(&feed, 1, &["a", "b"]);
    let compacted = WatchError::Compacted { first_revision: 2 };
    assert_eq!(poll(&mut watch).await, Some(Err(compacted)));
}

#[tokio::test]
async fn nothing_before_the_start_is_remembered() {
    let feed = WatchFeed::new(LIMITS, LogIndex(41));
    let compacted = WatchError::Compacted { first_revision: 42 };
    assert_eq!(feed.hub().watch(KeyRange::all(), 41).unwrap_err(), compacted);
    assert!(feed.hub().watch(KeyRange::all(), 42).is_ok());
}

#[tokio::test]
async fn a_snapshot_ends_watches_that_have_not_seen_it() {
    let feed = WatchFeed::new(LIMITS, LogIndex(0));
    publish(&feed, 1, &["a"]);
    let mut behind = feed.hub().watch(KeyRange::all(), 2).unwrap();
    let mut ahead = feed.hub().watch(KeyRange::all(), 6).unwrap();
    feed.reset(LogIndex(5));
    let compacted = WatchError::Compacted { first_revision: 6 };
    assert_eq!(poll(&mut behind).await, Some(Err(compacted)));
    assert_eq!(poll(&mut ahead).await, None);
    publish(&feed, 6, &["a"]);
    assert_eq!(revisions(&poll(&mut ahead).await.unwrap().unwrap()), [6]);
}

#[tokio::test]
async fn watches_end_with_the_node_after_what_it_still_applied() {
    let feed = WatchFeed::new(LIMITS, LogIndex(0));
    let mut watch = feed.hub().watch(KeyRange::all(), 1).unwrap();
    publish(&feed, 1, &["a"]);
    drop(feed);
    assert_eq!(revisions(&poll(&mut watch).await.unwrap().unwrap()), [1]);
    assert_eq!(poll(&mut watch).await, Some(Err(WatchError::Stopping)));
}

#[tokio::test]
async fn many_changes_elsewhere_are_passed_over() {
    let limits = WatchLimits { ring_events_max: 100_000, ring_bytes_max: 1 << 30, ..LIMITS };
    let feed = WatchFeed::new(limits, LogIndex(0));
    for revision in 1..=20_000 {
        publish(&feed, revision, &["elsewhere"]);
    }
    publish(&feed, 20_001, &["here"]);
    let mut watch = feed.hub().watch(KeyRange::prefix(b"here"), 1).unwrap();
    assert_eq!(revisions(&poll(&mut watch).await.unwrap().unwrap()), [20_001]);
}

/// What happens in a random run.
#[derive(Debug, Clone)]
enum Step {
    /// Entries are applied together; each changes these keys (a key is a letter).
    Publish(Vec<Vec<u8>>),
    /// The watch takes at most so many batches.
    Take(usize),
    /// The watch is dropped, and resumed where it was.
    Resume,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let keys = prop::collection::btree_set(b'a'..=b'f', 0..6)
        .prop_map(|keys| keys.into_iter().collect::<Vec<u8>>());
    let step = prop_oneof![
        3 => prop::collection::vec(keys, 1..5).prop_map(Step::Publish),
        2 => (1usize..4).prop_map(Step::Take),
        1 => Just(Step::Resume),
    ];
    prop::collection::vec(step, 1..60)
}

fn ranges() -> impl Strategy<Value = KeyRange> {
    let bound = || {
        let key = || (b'a'..=b'f').prop_map(|key| Bytes::copy_from_slice(&[key]));
        prop_oneof![
            Just(Bound::Unbounded),
            key().prop_map(Bound::Included),
            key().prop_map(Bound::Excluded),
        ]
    };
    (bound(), bound()).prop_map(|(start, end)| KeyRange { start, end })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However the watch is read and resumed, it reports exactly what happened in its range, until it
    /// says that it cannot.
    #[test]
    fn every_change_is_reported_once_and_in_order(
        steps in steps(),
        range in ranges(),
        start in 1u64..6,
        ring_events_max in 4usize..40,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let feed = WatchFeed::new(WatchLimits { ring_events_max, ..LIMITS }, LogIndex(0));
            let mut watch = feed.hub().watch(range.clone(), start).unwrap();
            let mut happened: Vec<ChangeEvent> = Vec::new();
            let mut seen: Vec<ChangeEvent> = Vec::new();
            let mut wanted = start;
            let mut applied = 0;
            // In the end, everything is read.
            for step in steps.into_iter().chain([Step::Take(usize::MAX)]) {
                let first_kept = first_kept(&happened, ring_events_max);
                match step {
                    Step::Publish(entries) => {
                        let mut events = Vec::new();
                        for keys in entries {
                            applied += 1;
                            let key = |key| String::from_utf8(vec![key]).unwrap();
                            events.extend(keys.into_iter().map(|it| change(applied, &key(it))));
                        }
                        happened.extend(events.clone());
                        feed.publish(LogIndex(applied), events);
                    }
                    Step::Take(batches) => for _ in 0..batches {
                        let next = watch.reported() + 1;
                        match poll(&mut watch).await {
                            None => {
                                prop_assert!(watch.reported() >= applied);
                                break;
                            }
                            Some(Ok(batch)) => {
                                prop_assert!(batch.events.iter().all(|it| it.revision >= next));
                                let last = batch.events.last().unwrap().revision;
                                prop_assert!(last <= batch.revision);
                                prop_assert_eq!(watch.reported(), batch.revision);
                                let first = batch.events[0].revision;
                                prop_assert!(batch.events.len() <= 4 || first == last);
                                seen.extend(batch.events);
                            }
                            Some(Err(WatchError::Compacted { first_revision })) => {
                                prop_assert!(next < first_kept);
                                prop_assert_eq!(first_revision, first_kept);
                                // Start afresh, as a client does.
                                watch = feed.hub().watch(range.clone(), first_revision).unwrap();
                                prop_assert!(seen.iter().all(|it| it.revision < next));
                                seen.clear();
                                wanted = first_revision;
                            }
                            Some(Err(error)) => {
 prop_assert!(false, "{error}");
 }
                        }
                    },
                    Step::Resume => {
                        let next = watch.reported() + 1;
                        match feed.hub().watch(range.clone(), next) {
                            Ok(resumed) => watch = resumed,
                            Err(_) => prop_assert!(next < first_kept),
                        }
                    }
                }
            }
            happened.retain(|it| it.revision >= wanted && range.contains(&it.key));
            prop_assert_eq!(seen, happened);
            Ok(())
        })?;
    }
}

/// The first revision that a ring of this size still holds.
fn first_kept(happened: &[ChangeEvent], events_max: usize) -> u64 {
    match happened.len().checked_sub(events_max + 1) {
        Some(gone) => happened[gone].revision + 1,
        None => 1,
    }
}
