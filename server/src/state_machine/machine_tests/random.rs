//! Random commands: how entries are cut into runs, restarts and the kind of store cannot be seen,
//! indexes agree with what they index, and the events tell the whole story.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::LeaseChange;
use super::fixture::*;
use crate::command::*;
use crate::replica::{AppliedEntry, CommittedEntry};

fn name() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["", "a", "b", "bb", "c"]).prop_map(bytes)
}

/// The id of a lease, which may live: they are log indexes.
fn lease() -> impl Strategy<Value = u64> {
    prop_oneof![2 => Just(0), 5 => 1u64..12]
}

fn value() -> impl Strategy<Value = Bytes> {
    prop::sample::select(vec!["", "x", "yy"]).prop_map(bytes)
}

fn puts() -> impl Strategy<Value = Put> {
    (name(), value(), lease()).prop_map(|(key, value, lease)| Put { key, value, lease })
}

fn appends() -> impl Strategy<Value = Append> {
    (name(), value()).prop_map(|(key, suffix)| Append { key, suffix, value_bytes_max: 4 })
}

fn steps() -> impl Strategy<Value = Vec<TxnOperation>> {
    let step = prop_oneof![
        name().prop_map(TxnStep::Get),
        puts().prop_map(TxnStep::Put),
        name().prop_map(|key| TxnStep::Delete(Delete { key })),
        appends().prop_map(TxnStep::Append),
    ];
    prop::collection::vec(step.prop_map(|step| TxnOperation { step: Some(step) }), 0..5)
}

fn txns() -> impl Strategy<Value = Txn> {
    let right = prop_oneof![
        value().prop_map(Operand::Value),
        (0u64..9).prop_map(Operand::Revision),
        (0u64..3).prop_map(Operand::Version),
    ];
    let comparison = (name(), 0..4, right).prop_map(|(key, relation, right)| Comparison {
        key,
        relation,
        right: Some(right),
    });
    (prop::collection::vec(comparison, 0..3), steps(), steps())
        .prop_map(|(compare, then, otherwise)| Txn { compare, then, otherwise })
}

fn commands() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => (0u64..5).prop_map(|id| Command::OpenSession(OpenSession { id, map_version: 0 })),
        1 => puts().prop_map(Command::Put),
        1 => name().prop_map(|key| Command::Delete(Delete { key })),
        1 => (name(), prop::option::of(value()), value()).prop_map(|(key, expected, value)| {
            Command::CompareAndSet(CompareAndSet { key, expected, value })
        }),
        1 => appends().prop_map(Command::Append),
        2 => txns().prop_map(Command::Txn),
        2 => (1u64..9).prop_map(|ttl_ticks| Command::GrantLease(GrantLease { ttl_ticks })),
        1 => lease().prop_map(|lease| Command::RevokeLease(RevokeLease { lease })),
        2 => (name(), lease()).prop_map(|(name, lease)| Command::Lock(Lock { name, lease })),
        1 => (name(), 1u64..20).prop_map(|(name, token)| Command::Unlock(Unlock { name, token })),
    ]
}

fn log() -> impl Strategy<Value = Vec<CommittedEntry>> {
    let command = (prop_oneof![Just(0), 0u64..6], 0u64..4, commands());
    prop::collection::vec(command, 1..60).prop_map(|commands| {
        let logged = commands.into_iter().map(|(id, number, it)| LogCommand::new(id, number, it));
        (1..).zip(logged).map(|(index, it)| entry(index, &it)).collect()
    })
}

/// How the log is cut into runs, and after which of them the process starts anew.
fn runs() -> impl Strategy<Value = Vec<(usize, bool)>> {
    prop::collection::vec((1usize..12, any::<bool>()), 60)
}

/// All that can be seen of a machine that applied a log.
#[derive(Debug, PartialEq)]
struct Seen {
    dump: Dump,
    outcomes: Vec<AppliedEntry>,
    leases: Vec<LeaseChange>,
    events: Vec<super::super::ChangeEvent>,
}

fn apply(machine: &mut dyn Machine, mut log: &[CommittedEntry], runs: &[(usize, bool)]) -> Seen {
    let (mut outcomes, mut leases, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for (length, restart) in runs {
        let (run, rest) = log.split_at((*length).min(log.len()));
        let applied = machine.apply(run);
        outcomes.extend(applied.entries);
        leases.extend(applied.leases);
        events.extend(applied.events);
        log = rest;
        if *restart {
            machine.restart();
        }
    }
    assert!(log.is_empty(), "the runs are long enough");
    Seen { dump: machine.dump(), outcomes, leases, events }
}

fn one_by_one(log: &[CommittedEntry]) -> Seen {
    apply(&mut in_memory(), log, &vec![(1, false); log.len()])
}

/// What is stored twice says the same twice.
fn check_indexes(dump: &Dump) {
    for LeaseDump { id, ttl_ticks: _, keys, locks } in &dump.leases {
        let with_lease = dump.keys.iter().filter(|(_, versioned)| versioned.lease == *id);
        let with_lease: Vec<&Bytes> = with_lease.map(|(key, _)| key).collect();
        assert_eq!(keys.iter().collect::<Vec<_>>(), with_lease, "keys of lease {id}");
        for (name, holder) in locks {
            assert_eq!(holder.map(|holder| holder.lease), Some(*id), "lock {name:?}");
        }
    }
    for (key, versioned) in &dump.keys {
        let lives = dump.leases.iter().any(|lease| lease.id == versioned.lease);
        assert!(versioned.lease == 0 || lives, "{key:?} outlived its lease");
    }
    assert!(dump.sessions.len() <= SESSIONS_MAX);
}

/// Replays the events, and finds the state that is there.
fn check_events(seen: &Seen) {
    let mut keys: BTreeMap<Bytes, Versioned> = BTreeMap::new();
    let mut last = (0, Bytes::new());
    for event in &seen.events {
        let place = (event.revision, event.key.clone());
        assert!(place > last || last.0 == 0, "{place:?} after {last:?}");
        last = place;
        assert_eq!(keys.get(&event.key), event.previous.as_ref(), "{event:?}");
        assert!(event.now.as_ref().is_none_or(|now| now.revision == event.revision));
        match &event.now {
            Some(now) => drop(keys.insert(event.key.clone(), now.clone())),
            None => drop(keys.remove(&event.key)),
        }
    }
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), seen.dump.keys);
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn runs_and_restarts_cannot_be_seen(log in log(), runs in runs()) {
        let expected = one_by_one(&log);
        check_indexes(&expected.dump);
        check_events(&expected);
        prop_assert_eq!(apply(&mut in_memory(), &log, &runs), expected);
    }
}

#[cfg(feature = "rocksdb")]
proptest! {
    // Each case opens a database several times.
    #![proptest_config(config(20))]

    #[test]
    fn rocksdb_does_what_memory_does(log in log(), runs in runs()) {
        let few_restarts: Vec<(usize, bool)> = (0..)
            .zip(runs)
            .map(|(at, (length, restart)): (usize, _)| (length, restart && at % 5 == 0))
            .collect();
        prop_assert_eq!(apply(&mut in_rocksdb(), &log, &few_restarts), one_by_one(&log));
    }
}
