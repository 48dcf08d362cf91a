//! What every state store must do, run on each of them.

use bytes::Bytes;

use super::*;
use crate::command::Versioned;
use crate::types::LogIndex;

/// Opens the store, again if it can be, for a part of a test.
type Reopen<'a> = dyn FnMut(&dyn Fn(&mut dyn StateStore)) + 'a;

/// Runs a test on a fresh store of every kind.
fn on_every_store(test: fn(&mut Reopen<'_>)) {
    let mut memory = MemoryStateStore::default();
    test(&mut |part| part(&mut memory));
    #[cfg(feature = "rocksdb")]
    {
        let directory = tempfile::tempdir().unwrap();
        test(&mut |part| part(&mut RocksdbStateStore::open(directory.path()).unwrap()));
    }
}

fn versioned(value: &'static str, revision: u64) -> Versioned {
    Versioned { value: Bytes::from_static(value.as_bytes()), revision, version: 1, lease: 0 }
}

fn session(sequence: u64) -> Session {
    Session { sequence, outcome: None, last_used: sequence + 10 }
}

#[test]
fn a_fresh_state_is_empty() {
    on_every_store(|with| {
        with(&|store| {
            assert_eq!(store.applied(), LogIndex(0));
            assert_eq!(store.get(b"").unwrap(), None);
            assert_eq!(store.session(1).unwrap(), None);
            assert_eq!(store.sessions().unwrap(), vec![]);
        });
    });
}

#[test]
fn changes_and_applied_index_survive() {
    on_every_store(|with| {
        with(&|store| {
            let mut changes = Changes { applied: LogIndex(5), ..Changes::default() };
            changes.keys.insert(Bytes::from_static(b""), Some(versioned("empty key", 3)));
            changes.keys.insert(Bytes::from_static(b"s"), Some(versioned("", 4)));
            changes.keys.insert(Bytes::from_static(&[0, 255]), Some(versioned("bytes", 5)));
            changes.sessions.insert(300, Some(session(1)));
            changes.sessions.insert(2, Some(session(9)));
            store.write(changes).unwrap();
        });
        with(&|store| {
            assert_eq!(store.applied(), LogIndex(5));
            assert_eq!(store.get(b"").unwrap(), Some(versioned("empty key", 3)));
            assert_eq!(store.get(b"s").unwrap(), Some(versioned("", 4)));
            assert_eq!(store.get(&[0, 255]).unwrap(), Some(versioned("bytes", 5)));
            assert_eq!(store.sessions().unwrap(), vec![(2, session(9)), (300, session(1))]);
            assert_eq!(store.session(300).unwrap(), Some(session(1)));
        });
    });
}

#[test]
fn what_is_removed_stays_removed() {
    on_every_store(|with| {
        with(&|store| {
            let mut changes = Changes { applied: LogIndex(1), ..Changes::default() };
            changes.keys.insert(Bytes::from_static(b"k"), Some(versioned("v", 1)));
            changes.sessions.insert(1, Some(session(1)));
            store.write(changes).unwrap();
            let mut changes = Changes { applied: LogIndex(2), ..Changes::default() };
            changes.keys.insert(Bytes::from_static(b"k"), None);
            changes.sessions.insert(1, None);
            store.write(changes).unwrap();
        });
        with(&|store| {
            assert_eq!(store.get(b"k").unwrap(), None);
            assert_eq!(store.sessions().unwrap(), vec![]);
            assert_eq!(store.applied(), LogIndex(2));
        });
    });
}
