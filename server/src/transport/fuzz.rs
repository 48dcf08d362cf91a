//! Doors for the fuzzer.

use prost::Message as _;
use proto::raft::SnapshotOffer;

use crate::snapshot::SnapshotLimits;
use crate::types::NodeId;

use super::message::read_message;
use super::snapshot_offer::read_offer;

/// Reads bytes as a peer's Raft message, and as its offer of a snapshot.
pub fn peer(bytes: &[u8]) {
    let (from, to) = (NodeId(2), NodeId(1));
    let _ = read_message(from, to, bytes);
    if let Ok(offer) = SnapshotOffer::decode(bytes)
        && let Ok((meta, _)) = read_offer(from, to, offer)
    {
        let _ = meta.check(&SnapshotLimits::STANDARD);
    }
}
