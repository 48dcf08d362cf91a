//! Doors for the fuzzer.

use std::path::Path;

use crate::bug::Bugs;
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::state_machine::{MemoryStateStore, SnapshotStore, StateMachine, StateMachineConfig};
use crate::types::{LogIndex, Term};

use super::sealed::{Kind, seal_behind_header, unseal};
use super::{FilePosition, SnapshotFile, SnapshotLimits, SnapshotMeta};

/// Reads bytes as a snapshot's description: as they are, and with the header that they should have.
pub fn description(bytes: &[u8]) {
    let path = Path::new("META");
    let _ = SnapshotMeta::from_file(path, bytes);
    let Ok(meta) = SnapshotMeta::from_file(path, &sealed(Kind::Meta, bytes)) else { return };
    if meta.check(&SnapshotLimits::STANDARD).is_ok() {
        let mut at = meta.next_byte(FilePosition::default());
        while at != meta.end() {
            at.offset += meta.bytes_left_in_file(at);
            at = meta.next_byte(at);
        }
    }
    assert_eq!(SnapshotMeta::from_file(path, &meta.to_file()).ok(), Some(meta));
}

/// Installs bytes as the image of a state in memory, which a peer has sent.
pub fn image(bytes: &[u8]) {
    let image = sealed(Kind::Image, bytes);
    // Its own position, so that most images that can be read are of the right one.
    let Ok(position) = unseal::<Position>(Kind::Image, Path::new("image"), &image) else { return };
    let position = LogPosition { index: LogIndex(position.index), term: Term(position.term) };
    let file = SnapshotFile {
        name: "image".to_owned(),
        bytes: image.len() as u64,
        crc32c: crc32c::crc32c(&image),
    };
    let meta =
        SnapshotMeta { position, configuration: Configuration::default(), files: vec![file] };
    let store = MemoryStateStore::default();
    let Ok(mut sink) = store.staging().begin(meta) else { return };
    let received = sink.write(FilePosition::default(), &image).and_then(|()| sink.finish());
    let config = StateMachineConfig { sessions_max: 10, bugs: Bugs::NONE };
    let (Ok(received), Ok(mut machine)) = (received, StateMachine::new(store, config)) else {
        return;
    };
    if machine.install(received).is_ok() {
        let _ = machine.living_leases();
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Position {
    #[prost(uint64, tag = "1")]
    index: u64,
    #[prost(uint64, tag = "2")]
    term: u64,
}

fn sealed(kind: Kind, payload: &[u8]) -> Vec<u8> {
    seal_behind_header(kind, [&[0; 12], payload].concat())
}
