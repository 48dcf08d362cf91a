//! What is in log entries: decoded and applied to a state.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use server::bug::Bugs;
use server::command::LogCommand;
use server::replica::CommittedEntry;
use server::state_machine::{MemoryStateStore, StateMachine, StateMachineConfig};
use server::types::{LogIndex, Term};

/// Entries follow each other: a byte for the length of each, then the entry.
fn entries(mut rest: &[u8]) -> Vec<Bytes> {
    let mut entries = Vec::new();
    while let Some((length, behind)) = rest.split_first() {
        let (entry, behind) = behind.split_at((*length as usize).min(behind.len()));
        entries.push(Bytes::copy_from_slice(entry));
        rest = behind;
    }
    entries
}

fuzz_target!(|bytes: &[u8]| {
    let config = StateMachineConfig { sessions_max: 3, bugs: Bugs::NONE };
    let machine = StateMachine::new(MemoryStateStore::default(), config);
    let Ok(mut machine) = machine else { panic!("an empty state can be opened") };
    machine.report_events();
    let mut index = 0;
    for data in entries(bytes) {
        let Ok(command) = LogCommand::decode_entry(data) else { continue };
        let again = LogCommand::decode_entry(command.encode_entry().into());
        assert_eq!(again.as_ref().ok(), Some(&command));
        index += 1;
        let entry = CommittedEntry {
            index: LogIndex(index),
            term: Term(1),
            data: command.encode_entry().into(),
            configuration: None,
        };
        let applied = machine.apply(&[entry]).expect("what can be decoded can be applied");
        assert_eq!(applied.entries.len(), 1);
    }
});
