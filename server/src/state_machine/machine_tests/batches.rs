//! Runs of entries: positions, configurations, and what must not be seen of where they are cut.

use std::collections::BTreeMap;

use super::super::*;
use super::fixture::*;
use crate::bug::Bugs;
use crate::command::LogCommand;
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::replica::CommittedEntry;
use crate::types::{LogIndex, NodeId, Term};

fn empty(index: u64, term: u64) -> CommittedEntry {
    CommittedEntry {
        index: LogIndex(index),
        term: Term(term),
        data: bytes::Bytes::new(),
        configuration: None,
    }
}

#[test]
fn entries_without_a_command_move_the_position() {
    on_every_store(|machine| {
        assert_eq!(machine.apply(&[]), Applied::default());
        assert_eq!(machine.applied(), LogPosition::default());
        assert_eq!(machine.apply(&[empty(1, 3), empty(2, 4)]), Applied::default());
        machine.restart();
        assert_eq!(machine.applied(), LogPosition { index: LogIndex(2), term: Term(4) });
    });
}

#[test]
fn the_configuration_is_that_of_the_last_entry_which_changed_it() {
    on_every_store(|machine| {
        assert_eq!(machine.dump().configuration, None);
        let configuration =
            |id: u64| Configuration::first(&BTreeMap::from([(NodeId(id), format!("host:{id}"))]));
        let change = |index, id| CommittedEntry {
            configuration: Some(configuration(id)),
            ..empty(index, 1)
        };
        let put = entry(3, &in_no_session(put("k", "v")));
        machine.apply(&[change(1, 1), change(2, 2), put]);
        machine.apply(&[empty(4, 1)]);
        machine.restart();
        assert_eq!(machine.dump().configuration, Some(configuration(2)));
    });
}

#[test]
fn a_gap_is_refused() {
    let config = StateMachineConfig { sessions_max: 1, bugs: Bugs::NONE };
    let mut machine = StateMachine::new(MemoryStateStore::default(), config).unwrap();
    let gap = machine.apply(&[empty(1, 1), empty(3, 1)]);
    let (applied, found) = (LogIndex(1), LogIndex(3));
    assert!(
        matches!(gap, Err(StateMachineError::Gap { applied: a, found: f }) if (a, f) == (applied, found)),
        "{gap:?}"
    );
}

#[test]
fn an_entry_that_cannot_be_read_stops_the_machine() {
    let config = StateMachineConfig { sessions_max: 1, bugs: Bugs::NONE };
    let mut machine = StateMachine::new(MemoryStateStore::default(), config).unwrap();
    let foreign = LogCommand { format: 99, ..in_no_session(put("k", "v")) };
    let refused = machine.apply(&[entry(1, &foreign)]);
    assert!(matches!(refused, Err(StateMachineError::Command { .. })), "{refused:?}");
    assert_eq!(machine.applied(), LogPosition::default());
}

#[test]
fn events_are_reported_only_when_asked_for() {
    let config = StateMachineConfig { sessions_max: 1, bugs: Bugs::NONE };
    let mut machine = StateMachine::new(MemoryStateStore::default(), config).unwrap();
    assert_eq!(machine.apply(&[entry(1, &in_no_session(put("k", "v")))]).unwrap().events, []);
}
