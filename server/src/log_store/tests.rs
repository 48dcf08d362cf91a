//! What every log store must do, run on each of them.

use super::segments::{self, Options, Preparation};
use super::*;

const GROUP: GroupId = GroupId(0);
const OTHER: GroupId = GroupId(7);

/// Opens the store, again if it can be, for a part of a test.
type Reopen<'a> = dyn FnMut(&dyn Fn(&mut dyn LogStore)) + 'a;

/// Runs a test on a fresh store of every kind.
#[track_caller]
fn on_every_store(test: fn(&mut Reopen<'_>)) {
    let mut memory = MemoryLogStore::new();
    test(&mut |part| part(&mut memory));
    let standard = tempfile::tempdir().unwrap();
    test(&mut |part| part(&mut SegmentLogStore::open(standard.path()).unwrap()));
    // So small that every few writes begin a new segment, and some do not fit in one.
    let small = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 1024, preparation: Preparation::InBackground };
    test(&mut |part| part(&mut segments::open_directory(small.path(), options).unwrap()));
}

fn entries(indices: std::ops::RangeInclusive<u64>, term: u64) -> Vec<eraftpb::Entry> {
    let entry = |index: u64| eraftpb::Entry {
        index,
        term,
        data: format!("{index}@{term}").into_bytes().into(),
        ..Default::default()
    };
    indices.map(entry).collect()
}

fn batch(group: GroupId, entries: Vec<eraftpb::Entry>) -> LogBatch {
    LogBatch { group, entries, ..LogBatch::default() }
}

fn configuration() -> eraftpb::ConfState {
    eraftpb::ConfState { voters: vec![1, 2, 3], ..Default::default() }
}

fn bootstrapped(store: &mut dyn LogStore) {
    store.bootstrap(GROUP, &configuration()).unwrap();
    store.bootstrap(OTHER, &configuration()).unwrap();
}

#[test]
fn a_fresh_group_is_empty() {
    on_every_store(|with| {
        with(&|store| assert_eq!(store.load(GROUP).unwrap(), RecoveredLog::default()));
    });
}

#[test]
fn a_group_is_bootstrapped_once() {
    on_every_store(|with| {
        with(&bootstrapped);
        with(&|store| {
            assert_eq!(store.load(GROUP).unwrap().configuration, Some(configuration()));
            let again = store.bootstrap(GROUP, &configuration());
            assert!(matches!(again, Err(LogStoreError::AlreadyBootstrapped(GROUP))));
        });
    });
}

#[test]
fn what_was_written_is_loaded() {
    on_every_store(|with| {
        with(&bootstrapped);
        with(&|store| {
            let state = eraftpb::HardState { term: 3, vote: 2, commit: 1, ..Default::default() };
            let first = LogBatch {
                group: GROUP,
                hard_state: Some(state.clone()),
                entries: entries(1..=300, 3),
                ..LogBatch::default()
            };
            store.write(&[first, batch(OTHER, entries(1..=1, 9))], true).unwrap();
            store.write(&[batch(GROUP, entries(301..=302, 3))], false).unwrap();
            assert_eq!(store.load(GROUP).unwrap().hard_state, state);
        });
        with(&|store| {
            assert_eq!(store.load(GROUP).unwrap().entries, entries(1..=302, 3));
            assert_eq!(store.load(OTHER).unwrap().entries, entries(1..=1, 9));
        });
    });
}

#[test]
fn new_entries_replace_a_longer_tail() {
    on_every_store(|with| {
        with(&bootstrapped);
        with(&|store| store.write(&[batch(GROUP, entries(1..=10, 1))], true).unwrap());
        // The store was opened again and not loaded, as far as it can be: it must find the tail.
        with(&|store| store.write(&[batch(GROUP, entries(4..=5, 2))], true).unwrap());
        with(&|store| {
            let mut expected = entries(1..=3, 1);
            expected.extend(entries(4..=5, 2));
            assert_eq!(store.load(GROUP).unwrap().entries, expected);
        });
    });
}

#[test]
fn a_tail_is_replaced_within_one_write() {
    on_every_store(|with| {
        with(&bootstrapped);
        with(&|store| {
            let batches = [batch(GROUP, entries(1..=9, 1)), batch(GROUP, entries(2..=3, 2))];
            store.write(&batches, true).unwrap();
        });
        with(&|store| {
            let mut expected = entries(1..=1, 1);
            expected.extend(entries(2..=3, 2));
            assert_eq!(store.load(GROUP).unwrap().entries, expected);
        });
    });
}

#[test]
fn a_gap_is_refused_and_changes_nothing() {
    on_every_store(|with| {
        with(&bootstrapped);
        with(&|store| {
            store.write(&[batch(GROUP, entries(1..=2, 1))], true).unwrap();
            let batches = [batch(GROUP, entries(3..=3, 1)), batch(GROUP, entries(5..=5, 1))];
            assert!(matches!(store.write(&batches, true), Err(LogStoreError::Refused(_))));
            assert_eq!(store.load(GROUP).unwrap().entries, entries(1..=2, 1));
        });
    });
}

fn position(index: u64, term: u64) -> LogPosition {
    LogPosition { index: LogIndex(index), term: Term(term) }
}

fn compacted(group: GroupId, index: u64, term: u64) -> LogBatch {
    LogBatch { group, compact: Some(position(index, term)), ..LogBatch::default() }
}

fn reset(group: GroupId, index: u64, term: u64) -> LogBatch {
    LogBatch { group, reset: Some(position(index, term)), ..LogBatch::default() }
}

#[track_caller]
fn holds(store: &mut dyn LogStore, base: LogPosition, expected: &[eraftpb::Entry]) {
    let log = store.load(GROUP).unwrap();
    assert_eq!((log.base, &log.entries[..]), (base, expected));
}

#[test]
fn compacted_entries_are_gone_and_all_else_is_kept() {
    on_every_store(|with| {
        let state = eraftpb::HardState { term: 3, vote: 2, commit: 90, ..Default::default() };
        with(&bootstrapped);
        with(&|store| {
            let hard_state = Some(state.clone());
            let first = LogBatch { group: GROUP, hard_state, ..LogBatch::default() };
            store.write(&[first], true).unwrap();
            for index in 1..=100 {
                store.write(&[batch(GROUP, entries(index..=index, 3))], true).unwrap();
            }
            store.write(&[compacted(GROUP, 60, 3)], true).unwrap();
            holds(store, position(60, 3), &entries(61..=100, 3));
            store.write(&[compacted(GROUP, 90, 3)], false).unwrap();
            // What is compacted already stays so.
            store.write(&[compacted(GROUP, 70, 3)], true).unwrap();
        });
        for _ in 0..3 {
            with(&|store| {
                holds(store, position(90, 3), &entries(91..=100, 3));
                let log = store.load(GROUP).unwrap();
                assert_eq!(
                    (log.configuration, log.hard_state),
                    (Some(configuration()), state.clone())
                );
                assert_eq!(store.load(OTHER).unwrap().configuration, Some(configuration()));
            });
        }
    });
}

#[test]
fn everything_can_be_compacted() {
    on_every_store(|with| {
        with(&bootstrapped);
        with(&|store| {
            let all = LogBatch { compact: Some(position(9, 1)), ..batch(GROUP, entries(1..=9, 1)) };
            store.write(&[all], true).unwrap();
        });
        with(&|store| {
            holds(store, position(9, 1), &[]);
            store.write(&[batch(GROUP, entries(10..=11, 2))], true).unwrap();
        });
        with(&|store| holds(store, position(9, 1), &entries(10..=11, 2)));
    });
}

#[test]
fn a_reset_goes_on_past_the_end() {
    on_every_store(|with| {
        with(&bootstrapped);
        with(&|store| {
            let batches = [batch(GROUP, entries(1..=20, 1)), batch(OTHER, entries(1..=3, 1))];
            store.write(&batches, true).unwrap();
            store.write(&[reset(GROUP, 500, 4)], true).unwrap();
            holds(store, position(500, 4), &[]);
        });
        with(&|store| {
            holds(store, position(500, 4), &[]);
            store.write(&[batch(GROUP, entries(501..=503, 4))], true).unwrap();
        });
        with(&|store| {
            holds(store, position(500, 4), &entries(501..=503, 4));
            assert_eq!(store.load(OTHER).unwrap().entries, entries(1..=3, 1));
        });
    });
}

#[test]
fn a_reset_goes_back_too_and_the_rest_of_its_batch_follows_it() {
    on_every_store(|with| {
        with(&bootstrapped);
        with(&|store| {
            store.write(&[batch(GROUP, entries(1..=20, 1))], true).unwrap();
            let all = LogBatch {
                group: GROUP,
                reset: Some(position(10, 2)),
                hard_state: Some(eraftpb::HardState { term: 2, ..Default::default() }),
                entries: entries(11..=14, 2),
                compact: Some(position(12, 2)),
            };
            store.write(&[all], true).unwrap();
        });
        with(&|store| {
            holds(store, position(12, 2), &entries(13..=14, 2));
            assert_eq!(store.load(GROUP).unwrap().hard_state.term, 2);
        });
    });
}

#[test]
fn what_cannot_follow_is_refused_and_changes_nothing() {
    on_every_store(|with| {
        with(&bootstrapped);
        with(&|store| {
            store.write(&[batch(GROUP, entries(1..=9, 1)), compacted(GROUP, 5, 1)], true).unwrap();
            let refused = [
                batch(GROUP, entries(11..=11, 1)),
                batch(GROUP, entries(5..=12, 1)),
                batch(GROUP, entries(1..=12, 1)),
                batch(GROUP, [entries(10..=10, 1), entries(12..=12, 1)].concat()),
                LogBatch { entries: entries(21..=21, 1), ..reset(GROUP, 19, 1) },
                compacted(GROUP, 10, 1),
                compacted(OTHER, 1, 1),
                batch(OTHER, entries(2..=2, 1)),
            ];
            for batch in refused {
                let batches = [compacted(GROUP, 6, 1), batch];
                let written = store.write(&batches, true);
                assert!(matches!(written, Err(LogStoreError::Refused(_))), "{batches:?}");
            }
            holds(store, position(5, 1), &entries(6..=9, 1));
        });
        with(&|store| holds(store, position(5, 1), &entries(6..=9, 1)));
    });
}

#[test]
fn a_tail_is_replaced_down_to_the_base() {
    on_every_store(|with| {
        with(&bootstrapped);
        with(&|store| {
            store.write(&[batch(GROUP, entries(1..=9, 1)), compacted(GROUP, 5, 1)], true).unwrap();
            store.write(&[batch(GROUP, entries(6..=6, 2))], true).unwrap();
        });
        with(&|store| holds(store, position(5, 1), &entries(6..=6, 2)));
    });
}

#[test]
fn many_groups_share_a_store() {
    on_every_store(|with| {
        let groups = || (0..20).map(GroupId);
        with(&|store| {
            groups().for_each(|group| store.bootstrap(group, &configuration()).unwrap());
            for index in 1..=30 {
                let batches: Vec<LogBatch> =
                    groups().map(|it| batch(it, entries(index..=index, u64::from(it.0)))).collect();
                store.write(&batches, index % 7 == 0).unwrap();
            }
            let odd = groups().filter(|group| group.0 % 2 == 1);
            let batches: Vec<LogBatch> = odd.map(|it| compacted(it, 25, u64::from(it.0))).collect();
            store.write(&batches, true).unwrap();
        });
        with(&|store| {
            for group in groups() {
                let (log, term) = (store.load(group).unwrap(), u64::from(group.0));
                let base = if group.0 % 2 == 1 { 25 } else { 0 };
                assert_eq!(log.base.index.0, base);
                assert_eq!(log.entries, entries(base + 1..=30, term));
            }
        });
    });
}

#[test]
fn a_removed_group_is_gone_and_can_begin_anew() {
    on_every_store(|with| {
        with(&|store| {
            assert_eq!(store.groups().unwrap(), []);
            bootstrapped(store);
            assert_eq!(store.groups().unwrap(), [GROUP, OTHER]);
            let both = [batch(GROUP, entries(1..=5, 1)), batch(OTHER, entries(1..=3, 1))];
            store.write(&both, true).unwrap();
            store.remove(OTHER).unwrap();
            assert_eq!(store.groups().unwrap(), [GROUP]);
            store.remove(OTHER).unwrap();
        });
        with(&|store| {
            assert_eq!(store.groups().unwrap(), [GROUP]);
            assert_eq!(store.load(GROUP).unwrap().entries.len(), 5);
            assert_eq!(store.load(OTHER).unwrap(), RecoveredLog::default());
            store.bootstrap(OTHER, &configuration()).unwrap();
            store.write(&[batch(OTHER, entries(1..=1, 9))], true).unwrap();
        });
        with(&|store| {
            assert_eq!(store.groups().unwrap(), [GROUP, OTHER]);
            assert_eq!(store.load(OTHER).unwrap().entries, entries(1..=1, 9));
        });
    });
}
