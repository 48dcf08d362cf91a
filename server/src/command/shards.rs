//! Commands and questions that move keys between groups. Nodes send them, clients never do.
//!
//! `resharding` says in which order, and why.

use bytes::Bytes;
use prost::Message;

use super::{Outcome, Versioned};
use crate::shard::Segment;

/// A step of a change of the shard map. Each can be repeated: what was done already stays done.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ShardCommand {
    /// Which step.
    #[prost(oneof = "ShardStep", tags = "1, 2, 3, 4, 5, 6")]
    pub step: Option<ShardStep>,
}

/// See [`ShardCommand`].
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum ShardStep {
    /// Replace the shard map, in the first group.
    #[prost(message, tag = "1")]
    ChangeMap(ChangeMap),
    /// Own nothing yet: the first step at a new group.
    #[prost(message, tag = "2")]
    Reserve(Reserve),
    /// Serve no more than some segments, at a group that gives keys away.
    #[prost(message, tag = "3")]
    Freeze(Freeze),
    /// Take keys and sessions in, at the group that gets them.
    #[prost(message, tag = "4")]
    Ingest(Ingest),
    /// Serve segments whose keys are all there.
    #[prost(message, tag = "5")]
    Activate(Activate),
    /// Delete keys that another group serves now.
    #[prost(message, tag = "6")]
    Forget(Forget),
}

/// See [`ShardStep::ChangeMap`]. A mismatch if the map has another version.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ChangeMap {
    /// The version that the map must have; 0: there must be none yet.
    #[prost(uint64, tag = "1")]
    pub expected: u64,
    /// The new map's version.
    #[prost(uint64, tag = "2")]
    pub version: u64,
    /// The new map, encoded.
    #[prost(bytes = "bytes", tag = "3")]
    pub map: Bytes,
}

/// See [`ShardStep::Reserve`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Reserve {
    /// The migration.
    #[prost(uint64, tag = "1")]
    pub migration: u64,
}

/// See [`ShardStep::Freeze`]. A mismatch if keys that would leave belong to leases.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Freeze {
    /// The migration. One that is not newer than the last one changes nothing.
    #[prost(uint64, tag = "1")]
    pub migration: u64,
    /// The segments that stay.
    #[prost(message, repeated, tag = "2")]
    pub keep: Vec<Segment>,
}

/// See [`ShardStep::Ingest`]. A mismatch if the group takes part in another migration. Keys that the
/// group serves already stay as they are.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Ingest {
    /// The migration.
    #[prost(uint64, tag = "1")]
    pub migration: u64,
    /// Keys, which keep their revisions and versions.
    #[prost(message, repeated, tag = "2")]
    pub keys: Vec<MovedKey>,
    /// Sessions. Of two that are one, the one that is further counts.
    #[prost(message, repeated, tag = "3")]
    pub sessions: Vec<MovedSession>,
}

/// A key on its way.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct MovedKey {
    /// The key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// What it holds.
    #[prost(message, required, tag = "2")]
    pub held: Versioned,
}

/// A session on its way.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct MovedSession {
    /// The session.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// Its last sequence number; 0 before the first.
    #[prost(uint64, tag = "2")]
    pub sequence: u64,
    /// What that one answered.
    #[prost(message, optional, tag = "3")]
    pub outcome: Option<Outcome>,
}

/// See [`ShardStep::Activate`]. A mismatch if the group takes part in another migration.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Activate {
    /// The migration.
    #[prost(uint64, tag = "1")]
    pub migration: u64,
    /// The segments.
    #[prost(message, repeated, tag = "2")]
    pub segments: Vec<Segment>,
    /// No revision of the group is less from now on: that of the freezing, so that the revisions of a
    /// key grow also when it moves.
    #[prost(uint64, tag = "3")]
    pub revision_floor: u64,
}

/// See [`ShardStep::Forget`]. A mismatch if the group takes part in another migration. Keys that the
/// group serves stay.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Forget {
    /// The migration.
    #[prost(uint64, tag = "1")]
    pub migration: u64,
    /// The keys.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub keys: Vec<Bytes>,
}

/// A question about shards.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ShardQuery {
    /// Which one.
    #[prost(oneof = "ShardQuestion", tags = "1, 2, 3")]
    pub question: Option<ShardQuestion>,
}

/// See [`ShardQuery`].
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum ShardQuestion {
    /// Which map does the first group have?
    #[prost(message, tag = "1")]
    Map(MapQuestion),
    /// Which keys does the group have, but not serve?
    #[prost(message, tag = "2")]
    Leaving(LeavingQuestion),
    /// Which sessions does it know?
    #[prost(message, tag = "3")]
    Sessions(SessionsQuestion),
}

/// See [`ShardQuestion::Map`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct MapQuestion {}

/// See [`ShardQuestion::Leaving`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct LeavingQuestion {
    /// The migration for which the group must be frozen.
    #[prost(uint64, tag = "1")]
    pub migration: u64,
    /// Those behind this one only.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub after: Option<Bytes>,
}

/// See [`ShardQuestion::Sessions`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct SessionsQuestion {
    /// The migration for which the group must be frozen.
    #[prost(uint64, tag = "1")]
    pub migration: u64,
    /// Those with a greater id only.
    #[prost(uint64, tag = "2")]
    pub after: u64,
}

/// The answer to a [`ShardQuery`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ShardReply {
    /// The answer to the question of the same name; none if the group is not frozen for the
    /// migration.
    #[prost(oneof = "ShardAnswer", tags = "1, 2, 3")]
    pub answer: Option<ShardAnswer>,
}

/// See [`ShardReply`].
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum ShardAnswer {
    /// The map.
    #[prost(message, tag = "1")]
    Map(MapAnswer),
    /// Some keys.
    #[prost(message, tag = "2")]
    Leaving(LeavingPage),
    /// Some sessions.
    #[prost(message, tag = "3")]
    Sessions(SessionsPage),
}

/// See [`ShardQuestion::Map`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct MapAnswer {
    /// Its version; 0: no change has been made since the start of the cluster.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// The map, encoded; empty if there is none.
    #[prost(bytes = "bytes", tag = "2")]
    pub map: Bytes,
}

/// See [`ShardQuestion::Leaving`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct LeavingPage {
    /// Keys that the group has and does not serve, in order.
    #[prost(message, repeated, tag = "1")]
    pub keys: Vec<MovedKey>,
    /// Where the next page begins; none: this is the last one.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub next: Option<Bytes>,
}

/// See [`ShardQuestion::Sessions`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct SessionsPage {
    /// Sessions, by id.
    #[prost(message, repeated, tag = "1")]
    pub sessions: Vec<MovedSession>,
    /// Where the next page begins; 0: this is the last one.
    #[prost(uint64, tag = "2")]
    pub next: u64,
}

impl From<ShardStep> for super::Command {
    fn from(step: ShardStep) -> super::Command {
        super::Command::Shards(ShardCommand { step: Some(step) })
    }
}
