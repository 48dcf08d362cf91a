//! Carries Raft messages between the nodes of a cluster.
//!
//! ```text
//! core thread ──PeerLinks──> queue of a peer ──> PeerLink task ──gRPC stream──> PeerService ──> inbox
//! ```
//!
//! Each node opens one stream to each peer and sends on it; what it receives comes on the streams
//! that the peers opened. Before that the two meet, and each writes down who the other is if it has
//! to (see [`crate::founders`]). The same connection carries the client requests that are forwarded.
//!
//! ```text
//! SnapshotSender ──handshake, offer──>  SnapshotReceiver ──> staging ──> SnapshotInbox
//!                <──resume position──
//!                ──chunks──────────>
//!                <──received────────
//! ```
//!
//! Snapshots travel on connections of their own, so that messages need not wait behind them.
//!
//! Invariants:
//! - messages may be lost, never corrupted or taken from another cluster: the first frame of a
//!   stream names protocol, cluster, sender and receiver, and each message must fit to it;
//! - nothing is sent to a node, or taken from one, whose data is not that of the member it says to be;
//!   what a node sent before it lost its data does not arrive once it has come back without;
//! - the core never waits for the network: a full queue drops the newest message and says so;
//! - while there is no connection nothing is queued: old messages help nobody after a heal;
//! - a connection that is silent for two seconds counts as broken, and a new one is tried at least
//!   twice a second.

mod credentials;
mod directory;
mod doorkeeper;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod introduction;
mod message;
mod peer_link;
mod peer_links;
mod peer_service;
mod snapshot_offer;
mod snapshot_receiver;
mod snapshot_sender;
#[cfg(test)]
mod snapshot_tests;
mod transfer;
mod transfer_counts;

pub use credentials::PeerCredentials;
pub use directory::{Advertised, Directory};
pub use doorkeeper::PeerServiceConfig;
pub use introduction::Introduction;
pub use peer_links::{PeerConnections, PeerLinks, PeersConfig, TransportError};
pub use peer_service::PeerService;
pub use snapshot_receiver::SnapshotInbox;
pub use snapshot_sender::{PeerEndpoints, SnapshotSender};
pub use transfer::{Transfer, TransferError, TransferOptions};
pub use transfer_counts::TransferCounts;

/// Version of the peers' protocol.
pub const PEER_FORMAT: u32 = 2;

/// The longest frame: one message with the longest run of entries that the replica sends, and room.
const FRAME_BYTES_MAX: usize = 64 << 20;

/// How much may be on the way unacknowledged in one stream.
const STREAM_WINDOW_BYTES: u32 = 4 << 20;
