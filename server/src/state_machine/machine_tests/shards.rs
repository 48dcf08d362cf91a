//! Keys that move from one group to another: a state machine for each of them.

use std::collections::BTreeSet;

use super::fixture::*;
use crate::command::*;
use crate::shard::{Placement, ShardMap, Source, position};
use crate::state_machine::{KeyRange, Query, QueryReply};
use crate::types::NodeId;

const NAMES: [&str; 26] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x", "y", "z",
];
/// The migration; the version of the map with which it began.
const MIGRATION: u64 = 2;

/// What the only group gives to a second one.
fn source() -> Source {
    let nodes: BTreeSet<NodeId> = [NodeId(1)].into();
    let map = ShardMap::first(&nodes, 1);
    let begun = map.begin(&Placement::new(), &nodes, |_| String::new()).unwrap();
    begun.sources().unwrap().remove(0)
}

fn leaves(key: &str) -> bool {
    source().leaving.iter().any(|it| (it.first..=it.last).contains(&position(key.as_bytes())))
}

/// Two keys that leave, and one that stays.
fn keys() -> (&'static str, &'static str, &'static str) {
    let mut leaving = NAMES.iter().filter(|name| leaves(name));
    let stays = NAMES.iter().find(|name| !leaves(name)).unwrap();
    (leaving.next().unwrap(), leaving.next().unwrap(), stays)
}

fn freeze() -> Command {
    ShardStep::Freeze(Freeze { migration: MIGRATION, keep: source().keep }).into()
}

fn reserve() -> Command {
    ShardStep::Reserve(Reserve { migration: MIGRATION }).into()
}

fn ingest(keys: Vec<MovedKey>, sessions: Vec<MovedSession>) -> Command {
    ShardStep::Ingest(Ingest { migration: MIGRATION, keys, sessions }).into()
}

fn activate(revision_floor: u64) -> Command {
    let segments = source().leaving;
    ShardStep::Activate(Activate { migration: MIGRATION, segments, revision_floor }).into()
}

fn forget(migration: u64, keys: &[&'static str]) -> Command {
    let keys = keys.iter().map(|key| bytes(key)).collect();
    ShardStep::Forget(Forget { migration, keys }).into()
}

fn ask(machine: &dyn Machine, question: ShardQuestion) -> Option<ShardAnswer> {
    match machine.query(&Query::Shards(ShardQuery { question: Some(question) })) {
        QueryReply::Shards(reply) => reply.answer,
        other => panic!("{other:?}"),
    }
}

fn leaving(machine: &dyn Machine, migration: u64) -> Option<Vec<MovedKey>> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let question = ShardQuestion::Leaving(LeavingQuestion { migration, after });
        match ask(machine, question)? {
            ShardAnswer::Leaving(page) => {
                all.extend(page.keys);
                after = page.next;
            }
            other => panic!("{other:?}"),
        }
        if after.is_none() {
            return Some(all);
        }
    }
}

fn sessions(machine: &dyn Machine) -> Vec<MovedSession> {
    let question = SessionsQuestion { migration: MIGRATION, after: 0 };
    match ask(machine, ShardQuestion::Sessions(question)) {
        Some(ShardAnswer::Sessions(page)) => page.sessions,
        other => panic!("{other:?}"),
    }
}

/// Brings everything that leaves to the other group, which serves it from then on.
fn migrate(from: &mut dyn Machine, to: &mut dyn Machine) {
    assert_eq!(to.run(reserve()).kind(), OutcomeKind::Done);
    let frozen = from.run(freeze());
    assert_eq!(frozen.kind(), OutcomeKind::Done);
    let moved = ingest(leaving(from, MIGRATION).unwrap(), sessions(from));
    assert_eq!(to.run(moved).kind(), OutcomeKind::Done);
    assert_eq!(to.run(activate(frozen.revision)).kind(), OutcomeKind::Done);
}

fn kind(outcome: &Outcome) -> OutcomeKind {
    outcome.kind()
}

#[test]
fn a_group_refuses_what_it_gave_away_and_serves_the_rest() {
    on_every_store(|machine| {
        let (gone, other, stays) = keys();
        for key in [gone, other, stays] {
            machine.run(put(key, "1"));
        }
        assert_eq!(machine.run(freeze()), outcome(4, OutcomeKind::Done));
        let step = |command| step(command);
        let txn = |key, written| {
            let compare = Comparison { key: bytes(key), ..Comparison::default() };
            Command::Txn(Txn {
                compare: vec![compare],
                then: vec![],
                otherwise: vec![step(put(written, "2"))],
            })
        };
        for refused in [
            put(gone, "2"),
            delete(gone),
            cas(gone, Some("1"), "2"),
            Command::Append(append(gone, "2")),
            txn(gone, stays),
            txn(stays, gone),
        ] {
            let outcome = machine.run(refused.clone());
            assert_eq!(kind(&outcome), OutcomeKind::WrongGroup, "{refused:?}");
        }
        assert_eq!(machine.query(&Query::Get { key: bytes(gone) }), QueryReply::WrongGroup);
        let scan = Query::Scan { range: KeyRange::all(), limit: 9, bytes_max: 999 };
        assert_eq!(machine.query(&scan), QueryReply::WrongGroup);
        assert_eq!(machine.value(stays), Some(bytes("1")));
        assert_eq!(kind(&machine.run(txn(stays, stays))), OutcomeKind::Mismatch);
        assert_eq!(machine.value(stays), Some(bytes("2")));
        machine.restart();
        assert_eq!(kind(&machine.run(put(gone, "2"))), OutcomeKind::WrongGroup);
        let left: Vec<_> = leaving(machine, MIGRATION).unwrap();
        let mut left: Vec<_> = left.into_iter().map(|it| (it.key, it.held.value)).collect();
        left.sort();
        let mut expected = vec![(bytes(gone), bytes("1")), (bytes(other), bytes("1"))];
        expected.sort();
        assert_eq!(left, expected);
    });
}

#[test]
fn keys_arrive_as_they_were_and_revisions_go_on_above() {
    on_every_store(|to| {
        let from: &mut dyn Machine = &mut in_memory();
        let (gone, other, stays) = keys();
        for round in 0..5 {
            from.run(put(gone, ["0", "1", "2", "3", "4"][round]));
            from.run(put(stays, "s"));
        }
        from.run(put(other, "o"));
        migrate(from, to);
        assert_eq!(to.get(gone), Some(held("4", 9, 5)));
        assert_eq!(to.get(other), Some(held("o", 11, 1)));
        assert_eq!(to.query(&Query::Get { key: bytes(stays) }), QueryReply::WrongGroup);
        to.restart();
        // Twelve revisions were there, and the fourth entry is here.
        let put = to.run(put(gone, "5"));
        assert_eq!((put.revision, put.previous), (13, Some(held("4", 9, 5))));
        assert_eq!(to.get(gone), Some(held("5", 13, 6)));
    });
}

#[test]
fn what_has_moved_is_deleted_where_it_was_and_nothing_else() {
    on_every_store(|from| {
        let (gone, other, stays) = keys();
        for key in [gone, other, stays] {
            from.run(put(key, "1"));
        }
        migrate(from, &mut in_memory());
        from.run(forget(MIGRATION + 1, &[gone]));
        assert_eq!(from.dump().keys.len(), 3, "another migration's step had an effect");
        let entry = entry(
            from.applied().index.0 + 1,
            &in_no_session(forget(MIGRATION, &[gone, other, stays])),
        );
        let applied = from.apply(&[entry]);
        assert_eq!(applied.events, [], "the keys live on elsewhere");
        assert_eq!(from.dump().keys, [(bytes(stays), held("1", 3, 1))]);
        assert_eq!(leaving(from, MIGRATION), Some(vec![]));
    });
}

#[test]
fn a_repeated_write_gets_its_first_answer_also_where_its_key_is_now() {
    on_every_store(|to| {
        let from: &mut dyn Machine = &mut in_memory();
        let (gone, _, stays) = keys();
        from.run(open_session(7));
        from.run(open_session(8));
        from.run_in(8, 4, put(stays, "x"));
        let first = from.run_in(7, 1, Command::Append(append(gone, "1")));
        migrate(from, to);
        // A late repetition where the key was: it is known there too.
        assert_eq!(from.run_in(7, 1, Command::Append(append(gone, "1"))), first);
        // A new write is refused there, and its number is not used up.
        let second = Command::Append(append(gone, "2"));
        assert_eq!(kind(&from.run_in(7, 2, second.clone())), OutcomeKind::WrongGroup);
        assert_eq!(kind(&from.run_in(7, 2, put(stays, "y"))), OutcomeKind::Done);
        assert_eq!(to.run_in(7, 1, Command::Append(append(gone, "1"))), first);
        assert_eq!(to.value(gone), Some(bytes("1")));
        assert_eq!(kind(&to.run_in(7, 2, second)), OutcomeKind::Done);
        assert_eq!(to.value(gone), Some(bytes("12")));
        assert_eq!(kind(&to.run_in(8, 3, put(gone, "z"))), OutcomeKind::StaleSequence);
        // Of two groups' records of a session the one that is further counts.
        to.run(ingest(vec![], vec![MovedSession { id: 7, sequence: 1, outcome: None }]));
        assert_eq!(kind(&to.run_in(7, 1, put(gone, "z"))), OutcomeKind::StaleSequence);
        to.run(ingest(vec![], vec![MovedSession { id: 7, sequence: 9, outcome: None }]));
        assert_eq!(kind(&to.run_in(7, 8, put(gone, "z"))), OutcomeKind::StaleSequence);
    });
}

#[test]
fn steps_that_come_late_change_nothing() {
    on_every_store(|to| {
        let from: &mut dyn Machine = &mut in_memory();
        let (gone, other, stays) = keys();
        from.run(put(gone, "old"));
        from.run(put(other, "old"));
        migrate(from, to);
        let pages = leaving(from, MIGRATION).unwrap();
        to.run(put(gone, "new"));
        to.run(delete(other));
        let before = to.dump().keys;
        assert_eq!(kind(&to.run(reserve())), OutcomeKind::Done);
        assert_eq!(kind(&to.run(ingest(pages, vec![]))), OutcomeKind::Done);
        assert_eq!(kind(&to.run(activate(1))), OutcomeKind::Done);
        assert_eq!(to.dump().keys, before, "a late copy undid a write");
        // The next migration takes all the rest from the first group.
        let next = ShardStep::Freeze(Freeze { migration: MIGRATION + 5, keep: vec![] }).into();
        from.run(put(stays, "old"));
        assert_eq!(kind(&from.run(next)), OutcomeKind::Done);
        assert_eq!(kind(&from.run(freeze())), OutcomeKind::Done);
        assert_eq!(kind(&from.run(forget(MIGRATION, &[stays]))), OutcomeKind::Mismatch);
        assert_eq!(from.dump().keys.len(), 3, "a late step deleted what was not copied yet");
        assert_eq!(leaving(from, MIGRATION), None);
        assert_eq!(leaving(from, MIGRATION + 5).unwrap().len(), 3);
    });
}

#[test]
fn a_group_that_takes_no_part_takes_nothing_in() {
    on_every_store(|machine| {
        let moved = MovedKey { key: bytes("k"), held: held("v", 9, 1) };
        assert_eq!(kind(&machine.run(ingest(vec![moved], vec![]))), OutcomeKind::Mismatch);
        assert_eq!(kind(&machine.run(activate(9))), OutcomeKind::Mismatch);
        assert_eq!(machine.get("k"), None);
        assert_eq!(leaving(machine, MIGRATION), None);
    });
}

#[test]
fn keys_of_leases_do_not_leave() {
    on_every_store(|machine| {
        let (gone, _, stays) = keys();
        machine.run(grant(5));
        machine.run(put_with(stays, "v", 1));
        machine.run(put_with(gone, "v", 1));
        assert_eq!(kind(&machine.run(freeze())), OutcomeKind::Mismatch);
        assert_eq!(kind(&machine.run(put(gone, "w"))), OutcomeKind::Done);
        assert_eq!(kind(&machine.run(freeze())), OutcomeKind::Done);
        assert_eq!(kind(&machine.run(revoke(1))), OutcomeKind::Done);
    });
}

#[test]
fn a_session_is_opened_by_who_knows_all_groups() {
    on_every_store(|machine| {
        machine.run(freeze());
        let open = |map_version| Command::OpenSession(OpenSession { id: 5, map_version });
        assert_eq!(kind(&machine.run(open(MIGRATION))), OutcomeKind::WrongGroup);
        assert_eq!(machine.dump().sessions, []);
        assert_eq!(kind(&machine.run(open(MIGRATION + 1))), OutcomeKind::Done);
    });
}

#[test]
fn the_map_is_replaced_by_who_knew_it() {
    on_every_store(|machine| {
        let mut change = |expected, version| {
            let map = bytes(if version == 2 { "two" } else { "three" });
            kind(&machine.run(ShardStep::ChangeMap(ChangeMap { expected, version, map }).into()))
        };
        assert_eq!(change(0, 2), OutcomeKind::Done);
        assert_eq!(change(0, 2), OutcomeKind::Mismatch);
        assert_eq!(change(2, 3), OutcomeKind::Done);
        assert_eq!(change(2, 3), OutcomeKind::Mismatch);
        machine.restart();
        let map = ask(machine, ShardQuestion::Map(MapQuestion {}));
        assert_eq!(map, Some(ShardAnswer::Map(MapAnswer { version: 3, map: bytes("three") })));
    });
}
