//! Snapshots in the words of the wire.

use prost::Message as _;
use proto::raft::{SnapshotOffer, SnapshotPosition};
use protobuf::Message as _;
use raft::eraftpb;

use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::snapshot::{FilePosition, SnapshotFile, SnapshotMeta};
use crate::types::{GroupId, LogIndex, NodeId, Term};

use super::message::read_message;

/// Bytes of a chunk at most.
pub(super) const CHUNK_BYTES_MAX: usize = 1 << 20;

/// What the sender says first of a snapshot.
pub(super) fn offer(
    group: GroupId,
    meta: &SnapshotMeta,
    message: &eraftpb::Message,
) -> SnapshotOffer {
    let file = |file: &SnapshotFile| proto::raft::SnapshotFile {
        name: file.name.clone(),
        bytes: file.bytes,
        checksum: file.crc32c,
    };
    let message = message.write_to_bytes().expect("raft's messages have no required fields");
    SnapshotOffer {
        group: group.0,
        index: meta.position.index.0,
        term: meta.position.term.0,
        files: meta.files.iter().map(file).collect(),
        message: message.into(),
        configuration: meta.configuration.encode_to_vec().into(),
    }
}

/// What is in an offer from this peer to this node, or what is wrong with it.
pub(super) fn read_offer(
    from: NodeId,
    to: NodeId,
    offer: SnapshotOffer,
) -> Result<(SnapshotMeta, eraftpb::Message), String> {
    let message = read_message(from, to, &offer.message)
        .map_err(|reason| format!("its message is {reason}"))?;
    if message.get_msg_type() != eraftpb::MessageType::MsgSnapshot {
        return Err(format!("its message is a {:?}", message.get_msg_type()));
    }
    let announced = message.get_snapshot().get_metadata();
    if (announced.index, announced.term) != (offer.index, offer.term) {
        let (index, term) = (announced.index, announced.term);
        return Err(format!("its message announces entry {index} of term {term}"));
    }
    let configuration = Configuration::decode(offer.configuration)
        .map_err(|error| format!("its configuration is garbage: {error}"))?;
    let file = |file: proto::raft::SnapshotFile| SnapshotFile {
        name: file.name,
        bytes: file.bytes,
        crc32c: file.checksum,
    };
    let meta = SnapshotMeta {
        position: LogPosition { index: LogIndex(offer.index), term: Term(offer.term) },
        configuration,
        files: offer.files.into_iter().map(file).collect(),
    };
    Ok((meta, message))
}

pub(super) fn to_wire(at: FilePosition) -> SnapshotPosition {
    let file = u32::try_from(at.file).expect("offers have fewer files");
    SnapshotPosition { file, offset: at.offset }
}

pub(super) fn from_wire(at: SnapshotPosition) -> FilePosition {
    FilePosition { file: at.file as usize, offset: at.offset }
}
