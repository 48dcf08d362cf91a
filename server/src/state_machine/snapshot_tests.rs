//! Snapshots of every state store.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::bug::Bugs;
use crate::command::{LockHolder, Versioned};
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::shard::{Ownership, Sharding};
use crate::snapshot::{
    MemorySnapshot, ReceivedSnapshot, SnapshotError, SnapshotSource, SnapshotStaging,
};
use crate::types::{LogIndex, Term};

/// Stores of a kind, by name; opened again if they can be.
type Open<'a> = dyn Fn(&str) -> Box<dyn SnapshotStore> + 'a;

fn on_every_kind(test: impl Fn(&Open<'_>)) {
    test(&|_| Box::new(MemoryStateStore::default()));
    #[cfg(feature = "rocksdb")]
    {
        let directory = tempfile::tempdir().unwrap();
        test(&|name| {
            Box::new(
                RocksdbStateStore::open(
                    &directory.path().join(name),
                    &crate::config::RocksdbConfig::STANDARD,
                )
                .unwrap(),
            )
        });
    }
}

fn at(index: u64) -> LogPosition {
    LogPosition { index: LogIndex(index), term: Term(index + 100) }
}

fn first() -> Configuration {
    Configuration { voters: vec![1, 2, 3], ..Configuration::default() }
}

fn value(text: &str, revision: u64) -> Option<Versioned> {
    let value = Bytes::copy_from_slice(text.as_bytes());
    Some(Versioned { value, revision, version: 1, lease: 0 })
}

fn put(store: &mut dyn SnapshotStore, index: u64, key: &str, to: Option<Versioned>) {
    let mut changes = Changes { applied: at(index), ..Changes::default() };
    changes.keys.insert(Bytes::copy_from_slice(key.as_bytes()), to);
    store.write(changes).unwrap();
}

/// A state with something of everything.
fn fill(store: &mut dyn SnapshotStore) {
    let mut changes = Changes { applied: at(7), ..Changes::default() };
    changes.keys.insert(Bytes::from_static(b""), value("empty key", 3));
    changes.keys.insert(Bytes::from_static(b"k"), value("", 4));
    changes.keys.insert(Bytes::from_static(&[255, 0]), value("bytes", 5));
    changes.sessions.insert(5, Some(Session { sequence: 2, outcome: None, last_used: 6 }));
    changes.leases.insert(6, Some(Lease { ttl_ticks: 30 }));
    changes.locks.insert(Bytes::from_static(b"n"), Some(LockHolder::default()));
    changes.lease_keys.insert((6, Bytes::from_static(b"k")), true);
    changes.lease_locks.insert((6, Bytes::from_static(b"n")), true);
    let ownership = Some(Ownership { migration: 4, revision_base: 9, ..Ownership::default() });
    changes.sharding = Some(Sharding { ownership, map_version: 3, map: Bytes::from_static(b"m") });
    store.write(changes).unwrap();
}

fn assert_same(one: &dyn SnapshotStore, other: &dyn SnapshotStore) {
    let all = |store: &dyn SnapshotStore| store.scan(&KeyRange::all(), 1000, 1 << 20).unwrap();
    assert_eq!(one.applied(), other.applied());
    assert_eq!(one.sharding(), other.sharding());
    assert_eq!(all(one), all(other));
    assert_eq!(one.sessions().unwrap(), other.sessions().unwrap());
    assert_eq!(one.leases().unwrap(), other.leases().unwrap());
    for (lease, _) in one.leases().unwrap() {
        assert_eq!(one.lease_keys(lease).unwrap(), other.lease_keys(lease).unwrap());
        assert_eq!(one.lease_locks(lease).unwrap(), other.lease_locks(lease).unwrap());
    }
    assert_eq!(one.lock(b"n").unwrap(), other.lock(b"n").unwrap());
}

fn transfer(
    source: &dyn SnapshotSource,
    staging: &dyn SnapshotStaging,
) -> Result<ReceivedSnapshot, SnapshotError> {
    let meta = source.describe()?;
    let mut sink = staging.begin((*meta).clone())?;
    while sink.position() != meta.end() {
        let at = sink.position();
        sink.write(at, &source.read(at, 1000)?)?;
    }
    sink.finish()
}

#[test]
fn a_copied_state_is_the_same_and_goes_on() {
    on_every_kind(|open| {
        let (mut from, mut to) = (open("from"), open("to"));
        fill(&mut *from);
        let source = from.take_snapshot(&first()).unwrap();
        assert_eq!((source.position(), source.configuration()), (at(7), &first()));
        // What comes later is not in it.
        put(&mut *from, 8, "k", value("later", 8));
        to.install(transfer(&*source, &*to.staging()).unwrap()).unwrap();
        assert_eq!(to.get(b"k").unwrap(), value("", 4));
        assert_eq!((to.applied(), to.configuration()), (at(7), Some(&first())));
        assert_eq!(to.installed_position(), Some(at(7)));
        put(&mut *to, 8, "k", value("later", 8));
        assert_same(&*from, &*to);
    });
}

#[test]
fn deleted_keys_stay_deleted() {
    on_every_kind(|open| {
        let (mut from, mut to) = (open("from"), open("to"));
        for store in [&mut from, &mut to] {
            put(&mut **store, 1, "deleted", value("old", 1));
            put(&mut **store, 2, "kept", value("old", 2));
        }
        to.take_snapshot(&first()).unwrap();
        put(&mut *from, 3, "deleted", None);
        put(&mut *from, 4, "kept", value("new", 4));
        let source = from.take_snapshot(&first()).unwrap();
        to.install(transfer(&*source, &*to.staging()).unwrap()).unwrap();
        assert_eq!(to.get(b"deleted").unwrap(), None);
        assert_same(&*from, &*to);
        assert!(to.snapshots().is_empty(), "older snapshots are of no use");
    });
}

#[test]
fn two_snapshots_are_kept_and_one_of_a_position_is_taken_once() {
    on_every_kind(|open| {
        let mut store = open("store");
        assert!(store.take_snapshot(&first()).is_err(), "there is nothing in it");
        let mut held = Vec::new();
        for index in 1..5 {
            put(&mut *store, index, "k", value(&index.to_string(), index));
            held.push(store.take_snapshot(&first()).unwrap());
        }
        let again = store.take_snapshot(&first()).unwrap();
        assert!(Arc::ptr_eq(&again, &held[3]));
        let kept: Vec<LogPosition> = store.snapshots().iter().map(|it| it.position()).collect();
        assert_eq!(kept, [at(4), at(3)]);
        // Those that are held can still be read.
        for (source, index) in held.iter().zip(1..) {
            let mut copy = open(&format!("copy {index}"));
            copy.install(transfer(&**source, &*copy.staging()).unwrap()).unwrap();
            assert_eq!(copy.get(b"k").unwrap(), value(&index.to_string(), index));
        }
    });
}

#[test]
fn a_snapshot_of_another_state_than_it_says_is_refused() {
    on_every_kind(|open| {
        let (mut from, mut to) = (open("from"), open("to"));
        fill(&mut *from);
        put(&mut *to, 1, "k", value("old", 1));
        let source = from.take_snapshot(&first()).unwrap();
        let mut meta = (*source.describe().unwrap()).clone();
        meta.position = at(9);
        let mut sink = to.staging().begin(meta.clone()).unwrap();
        while sink.position() != meta.end() {
            let at = sink.position();
            sink.write(at, &source.read(at, 1000).unwrap()).unwrap();
        }
        let installed = to.install(sink.finish().unwrap());
        let refused = Err(StateStoreError::Snapshot(SnapshotError::Refused(String::new())));
        assert_eq!(std::mem::discriminant(&installed), std::mem::discriminant(&refused));
        assert_eq!((to.applied(), to.installed_position()), (at(1), None));
        assert_eq!(to.get(b"k").unwrap(), value("old", 1));
    });
}

#[test]
fn sessions_are_exactly_once_over_an_installation() {
    let (mut from, to) = (MemoryStateStore::default(), MemoryStateStore::default());
    fill(&mut from);
    let source = from.take_snapshot(&first()).unwrap();
    let received = transfer(&*source, &*to.staging()).unwrap();
    let config = StateMachineConfig { sessions_max: 1, bugs: Bugs::NONE };
    let mut machine = StateMachine::new(to, config.clone()).unwrap();
    machine.install(received).unwrap();
    let expected = StateMachine::new(machine.store().clone(), config).unwrap();
    assert_eq!(format!("{machine:?}"), format!("{expected:?}"), "as if it had been started on it");
    assert_eq!(machine.applied(), at(7));
}

#[test]
fn garbage_is_not_taken_for_a_state() {
    let mut store = MemoryStateStore::default();
    let garbage = MemorySnapshot::new(at(1), first(), Lease { ttl_ticks: 2 });
    let received = transfer(&garbage, &*store.staging()).unwrap();
    assert!(store.install(received).is_err());
    assert_eq!(store, MemoryStateStore::default());
}

#[cfg(feature = "rocksdb")]
mod on_disk {
    use super::*;

    #[test]
    fn an_installed_state_and_the_snapshots_survive_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let open = |name| {
            RocksdbStateStore::open(
                &directory.path().join(name),
                &crate::config::RocksdbConfig::STANDARD,
            )
            .unwrap()
        };
        let (mut from, mut to) = (open("from"), open("to"));
        fill(&mut from);
        put(&mut to, 1, "deleted", value("old", 1));
        let source = from.take_snapshot(&first()).unwrap();
        to.install(transfer(&*source, &*to.staging()).unwrap()).unwrap();
        drop((source, to));
        let to = open("to");
        assert_same(&from, &to);
        assert_eq!((to.configuration(), to.installed_position()), (Some(&first()), Some(at(7))));
        drop(from);
        let from = open("from");
        let kept: Vec<LogPosition> = from.snapshots().iter().map(|it| it.position()).collect();
        assert_eq!((kept, from.installed_position()), (vec![at(7)], None));
        let mut copy = open("copy");
        copy.install(transfer(&*from.snapshots()[0], &*copy.staging()).unwrap()).unwrap();
        assert_same(&from, &copy);
    }

    #[test]
    fn a_snapshot_makes_the_state_durable() {
        let directory = tempfile::tempdir().unwrap();
        let (path, copied) = (directory.path().join("a"), directory.path().join("b"));
        let mut store =
            RocksdbStateStore::open(&path, &crate::config::RocksdbConfig::STANDARD).unwrap();
        fill(&mut store);
        store.take_snapshot(&first()).unwrap();
        put(&mut store, 8, "k", value("later", 8));
        // The files as they are now are what a process that ends here leaves.
        copy_directory(&path, &copied);
        let found =
            RocksdbStateStore::open(&copied, &crate::config::RocksdbConfig::STANDARD).unwrap();
        assert_eq!(found.applied(), at(7));
        assert_eq!(found.get(b"k").unwrap(), value("", 4));
    }

    #[test]
    fn the_two_kinds_refuse_each_others_snapshots() {
        let directory = tempfile::tempdir().unwrap();
        let mut on_disk =
            RocksdbStateStore::open(directory.path(), &crate::config::RocksdbConfig::STANDARD)
                .unwrap();
        let mut in_memory = MemoryStateStore::default();
        fill(&mut on_disk);
        fill(&mut in_memory);
        let from_disk = on_disk.take_snapshot(&first()).unwrap();
        let from_memory = in_memory.take_snapshot(&first()).unwrap();
        for refused in [
            transfer(&*from_disk, &*in_memory.staging()),
            transfer(&*from_memory, &*on_disk.staging()),
        ] {
            assert!(matches!(refused, Err(SnapshotError::Refused(_))), "{refused:?}");
        }
    }

    fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
        std::fs::create_dir(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy_directory(&entry.path(), &to);
            } else {
                std::fs::copy(entry.path(), to).unwrap();
            }
        }
    }
}
