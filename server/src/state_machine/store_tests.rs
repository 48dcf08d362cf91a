//! What every state store must do, run on each of them.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::command::{LockHolder, Versioned};
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::shard::Sharding;
use crate::types::{LogIndex, NodeId, Term};

/// Opens the store, again if it can be, for a part of a test.
type Reopen<'a> = dyn FnMut(&dyn Fn(&mut dyn StateStore)) + 'a;

/// Runs a test on a fresh store of every kind.
fn on_every_store(test: impl Fn(&mut Reopen<'_>)) {
    let mut memory = MemoryStateStore::default();
    test(&mut |part| part(&mut memory));
    #[cfg(feature = "rocksdb")]
    {
        let directory = tempfile::tempdir().unwrap();
        let config = crate::config::RocksdbConfig::STANDARD;
        test(&mut |part| part(&mut RocksdbStateStore::open(directory.path(), &config).unwrap()));
    }
}

fn versioned(value: &'static str, revision: u64) -> Versioned {
    Versioned { value: Bytes::from_static(value.as_bytes()), revision, version: 1, lease: 0 }
}

/// The position of an entry, in a term that is not its index.
fn at(index: u64) -> LogPosition {
    LogPosition { index: LogIndex(index), term: Term(index + 1000) }
}

fn session(sequence: u64) -> Session {
    Session { sequence, outcome: None, last_used: sequence + 10 }
}

#[test]
fn what_is_known_of_shards_stays_until_it_changes() {
    on_every_store(|with| {
        let map = |version| Sharding { map_version: version, ..Sharding::default() };
        with(&|store| {
            for (index, sharding) in [(1, Some(map(2))), (2, Some(map(3))), (3, None)] {
                let applied = at(index);
                store.write(Changes { applied, sharding, ..Changes::default() }).unwrap();
            }
            assert_eq!(*store.sharding(), map(3));
        });
        with(&|store| assert_eq!(*store.sharding(), map(3)));
    });
}

#[test]
fn a_fresh_state_is_empty() {
    on_every_store(|with| {
        with(&|store| {
            assert_eq!(store.applied(), LogPosition::default());
            assert_eq!(store.configuration(), None);
            assert_eq!(*store.sharding(), Sharding::default());
            assert_eq!(store.scan(&KeyRange::all(), 9, 9).unwrap(), Page::default());
            assert_eq!(store.lease(1).unwrap(), None);
            assert_eq!(store.leases().unwrap(), vec![]);
            assert_eq!(store.lock(b"").unwrap(), None);
            assert_eq!(store.get(b"").unwrap(), None);
            assert_eq!(store.session(1).unwrap(), None);
            assert_eq!(store.sessions().unwrap(), vec![]);
        });
    });
}

#[test]
fn changes_and_applied_position_survive() {
    on_every_store(|with| {
        with(&|store| {
            let mut changes = Changes { applied: at(5), ..Changes::default() };
            changes.keys.insert(Bytes::from_static(b""), Some(versioned("empty key", 3)));
            changes.keys.insert(Bytes::from_static(b"s"), Some(versioned("", 4)));
            changes.keys.insert(Bytes::from_static(&[0, 255]), Some(versioned("bytes", 5)));
            changes.sessions.insert(300, Some(session(1)));
            changes.sessions.insert(2, Some(session(9)));
            store.write(changes).unwrap();
        });
        with(&|store| {
            assert_eq!(store.applied(), at(5));
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
            let mut changes = Changes { applied: at(1), ..Changes::default() };
            changes.keys.insert(Bytes::from_static(b"k"), Some(versioned("v", 1)));
            changes.sessions.insert(1, Some(session(1)));
            store.write(changes).unwrap();
            let mut changes = Changes { applied: at(2), ..Changes::default() };
            changes.keys.insert(Bytes::from_static(b"k"), None);
            changes.sessions.insert(1, None);
            store.write(changes).unwrap();
        });
        with(&|store| {
            assert_eq!(store.get(b"k").unwrap(), None);
            assert_eq!(store.sessions().unwrap(), vec![]);
            assert_eq!(store.applied(), at(2));
        });
    });
}

#[test]
fn leases_locks_and_what_belongs_to_them_survive_and_go() {
    let name = |text: &'static str| Bytes::from_static(text.as_bytes());
    let holder = LockHolder { lease: 2, token: 4 };
    on_every_store(|with| {
        with(&|store| {
            let mut changes = Changes { applied: at(1), ..Changes::default() };
            // 0x01ff is followed by 0x0200: the end of a lease's names is not its last byte plus one.
            for (id, ttl_ticks) in [(2, 20), (0x1ff, 30), (u64::MAX, 40)] {
                changes.leases.insert(id, Some(Lease { ttl_ticks }));
                changes.lease_keys.insert((id, name("b")), true);
                changes.lease_keys.insert((id, name("")), true);
                changes.lease_locks.insert((id, name("l")), true);
            }
            changes.locks.insert(name("l"), Some(holder));
            store.write(changes).unwrap();
        });
        with(&|store| {
            assert_eq!(store.lease(0x1ff).unwrap(), Some(Lease { ttl_ticks: 30 }));
            let ids: Vec<u64> = store.leases().unwrap().into_iter().map(|(id, _)| id).collect();
            assert_eq!(ids, [2, 0x1ff, u64::MAX]);
            for id in ids {
                assert_eq!(store.lease_keys(id).unwrap(), [name(""), name("b")]);
                assert_eq!(store.lease_locks(id).unwrap(), [name("l")]);
            }
            assert_eq!(store.lease_keys(1).unwrap(), Vec::<Bytes>::new());
            assert_eq!(store.lock(b"l").unwrap(), Some(holder));
            let mut changes = Changes { applied: at(2), ..Changes::default() };
            changes.leases.insert(2, None);
            changes.lease_keys.insert((2, name("")), false);
            changes.lease_locks.insert((2, name("l")), false);
            changes.locks.insert(name("l"), None);
            store.write(changes).unwrap();
        });
        with(&|store| {
            assert_eq!(store.lease(2).unwrap(), None);
            assert_eq!(store.leases().unwrap().len(), 2);
            assert_eq!(store.lease_keys(2).unwrap(), [name("b")]);
            assert_eq!(store.lease_locks(2).unwrap(), Vec::<Bytes>::new());
            assert_eq!(store.lock(b"l").unwrap(), None);
        });
    });
}

#[test]
fn the_configuration_survives_until_another_takes_its_place() {
    let configuration =
        |id: u64| Configuration::first(&BTreeMap::from([(NodeId(id), format!("host:{id}"))]));
    on_every_store(|with| {
        for id in [1, 2] {
            with(&|store| {
                let configuration = Some(configuration(id));
                let applied = at(2 * id);
                store.write(Changes { applied, configuration, ..Changes::default() }).unwrap();
                store.write(Changes { applied: at(2 * id + 1), ..Changes::default() }).unwrap();
            });
            with(&|store| assert_eq!(store.configuration(), Some(&configuration(id))));
        }
    });
}

#[test]
fn long_keys_and_large_values_are_kept() {
    on_every_store(|with| {
        let key = |length: usize| Bytes::from(vec![b'k'; length]);
        let lengths = [254, 255, 256, 257, 10_000];
        let large = |length| {
            let value = Bytes::from(vec![b'v'; length * 10]);
            Versioned { value, revision: u64::MAX, version: length as u64, lease: 3 }
        };
        with(&|store| {
            let mut changes = Changes { applied: at(1), ..Changes::default() };
            changes.keys.extend(lengths.map(|length| (key(length), Some(large(length)))));
            store.write(changes).unwrap();
        });
        with(&|store| {
            for length in lengths {
                assert_eq!(store.get(&key(length)).unwrap(), Some(large(length)));
            }
            assert_eq!(store.get(&key(258)).unwrap(), None);
        });
    });
}

#[test]
fn a_scan_stops_at_its_limits_and_says_whether_there_is_more() {
    let name = |text: &'static str| Bytes::from_static(text.as_bytes());
    on_every_store(|with| {
        with(&|store| {
            let mut changes = Changes { applied: at(1), ..Changes::default() };
            for key in ["a", "b", "c"] {
                changes.keys.insert(name(key), Some(versioned("1234", 1)));
            }
            // What is stored beside the keys is in no range of them.
            changes.leases.insert(1, Some(Lease { ttl_ticks: 1 }));
            changes.sessions.insert(1, Some(session(1)));
            store.write(changes).unwrap();
            let scan = |range: &KeyRange, limit, bytes_max| {
                let page = store.scan(range, limit, bytes_max).unwrap();
                let keys: Vec<Bytes> = page.found.iter().map(|(key, _)| key.clone()).collect();
                (keys, page.more)
            };
            let (all, big) = (KeyRange::all(), usize::MAX);
            let abc = vec![name("a"), name("b"), name("c")];
            assert_eq!(scan(&all, big, big), (abc.clone(), false));
            assert_eq!(scan(&all, 3, 15), (abc.clone(), false));
            assert_eq!(scan(&all, 2, big), (abc[..2].to_vec(), true));
            assert_eq!(scan(&all, 0, big), (vec![], true));
            assert_eq!(scan(&all, big, 14), (abc[..2].to_vec(), true));
            assert_eq!(scan(&all, big, 0), (abc[..1].to_vec(), true));
            let after = KeyRange { start: Bound::Excluded(name("b")), end: Bound::Unbounded };
            assert_eq!(scan(&after, 1, 0), (abc[2..].to_vec(), false));
            assert_eq!(scan(&KeyRange::prefix(b"d"), 0, 0), (vec![], false));
        });
    });
}

/// Keys over an alphabet in which bounds often meet keys, with the greatest byte in it.
fn key() -> impl Strategy<Value = Bytes> {
    let byte = prop::sample::select(vec![0, 1, b'k', u8::MAX]);
    prop::collection::vec(byte, 0..4).prop_map(Bytes::from)
}

fn bound() -> impl Strategy<Value = Bound<Bytes>> {
    prop_oneof![
        Just(Bound::Unbounded),
        key().prop_map(Bound::Included),
        key().prop_map(Bound::Excluded),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_scan_finds_the_keys_that_lie_in_its_range(
        keys in prop::collection::btree_set(key(), 0..30),
        bounds in prop::collection::vec((bound(), bound()), 20),
        prefixes in prop::collection::vec(key(), 10),
    ) {
        let by_bounds = bounds.into_iter().map(|(start, end)| KeyRange { start, end });
        let by_prefix = prefixes.iter().map(|prefix| (Some(prefix), KeyRange::prefix(prefix)));
        let ranges: Vec<_> = by_bounds.map(|range| (None, range)).chain(by_prefix).collect();
        let check = |with: &mut Reopen<'_>| with(&|store| {
            let mut changes = Changes { applied: at(1), ..Changes::default() };
            changes.keys.extend(keys.iter().map(|key| (key.clone(), Some(versioned("v", 1)))));
            store.write(changes).unwrap();
            for (prefix, range) in &ranges {
                let lies_in = |key: &&Bytes| match prefix {
                    Some(prefix) => key.starts_with(prefix),
                    None => range.contains(key),
                };
                let expected: Vec<&Bytes> = keys.iter().filter(lies_in).collect();
                let page = store.scan(range, usize::MAX, usize::MAX).unwrap();
                let found: Vec<&Bytes> = page.found.iter().map(|(key, _)| key).collect();
                assert_eq!(found, expected, "{range:?}");
            }
        });
        on_every_store(check);
    }
}
