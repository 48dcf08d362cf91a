//! What every log store must do, run on each of them.

use super::*;

const GROUP: GroupId = GroupId(0);
const OTHER: GroupId = GroupId(7);

/// Opens the store, again if it can be, for a part of a test.
type Reopen<'a> = dyn FnMut(&dyn Fn(&mut dyn LogStore)) + 'a;

/// Runs a test on a fresh store of every kind.
fn on_every_store(test: fn(&mut Reopen<'_>)) {
    let mut memory = MemoryLogStore::new();
    test(&mut |part| part(&mut memory));
    #[cfg(feature = "rocksdb")]
    {
        let directory = tempfile::tempdir().unwrap();
        test(&mut |part| part(&mut RocksdbLogStore::open(directory.path()).unwrap()));
    }
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
            assert!(matches!(store.write(&batches, true), Err(LogStoreError::Corrupt(_))));
            assert_eq!(store.load(GROUP).unwrap().entries, entries(1..=2, 1));
        });
    });
}

/// The file that holds RocksDB's newest write-ahead log.
#[cfg(feature = "rocksdb")]
fn wal_file(directory: &std::path::Path) -> std::path::PathBuf {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|it| it == "log")).max().unwrap()
}

#[cfg(feature = "rocksdb")]
fn damaged(damage: fn(&mut Vec<u8>)) -> Result<RecoveredLog, LogStoreError> {
    let directory = tempfile::tempdir().unwrap();
    {
        let mut store = RocksdbLogStore::open(directory.path()).unwrap();
        bootstrapped(&mut store);
        for index in 1..=100 {
            store.write(&[batch(GROUP, entries(index..=index, 1))], true).unwrap();
        }
    }
    let wal = wal_file(directory.path());
    let mut bytes = std::fs::read(&wal).unwrap();
    damage(&mut bytes);
    std::fs::write(&wal, bytes).unwrap();
    RocksdbLogStore::open(directory.path())?.load(GROUP)
}

#[cfg(feature = "rocksdb")]
#[test]
fn a_torn_tail_is_repaired() {
    let log = damaged(|bytes| bytes.truncate(bytes.len() - 5)).unwrap();
    assert_eq!(log.entries, entries(1..=99, 1));
}

#[cfg(feature = "rocksdb")]
#[test]
fn a_corrupt_middle_is_refused() {
    let result = damaged(|bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
    });
    assert!(matches!(result, Err(LogStoreError::Corrupt(_))), "{result:?}");
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
