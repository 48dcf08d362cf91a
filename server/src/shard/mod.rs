//! Which group a key belongs to, and which nodes have a replica of which group. Pure.
//!
//! ```text
//! key ──position──> Ring ──> group ──> ShardMap ──> members        (who answers for this key?)
//! nodes, groups ──place──> Placement                               (who should be a member?)
//! old Ring, new Ring ──moves──> segments that change hands         (what must be migrated?)
//! ShardMap ──begin, moved, complete──> ShardMap with a Migration   (how far is it?)
//! Ownership: in the state of each group                            (what does it serve?)
//! ```
//!
//! Invariants:
//! - every node computes the same from the same map: no seed, no clock, no hash order;
//! - the position of a key never changes, because data lies where it says; golden values in the
//!   tests see to that;
//! - a new group takes segments from others, and no other segment changes hands.

mod leaders;
mod map;
mod migration;
mod ownership;
mod placement;
mod ring;
mod shards;

pub use leaders::{LedGroup, handover};
pub use map::{SHARD_MAP_FORMAT, SHARDS_MAX, ShardGroup, ShardMap, ShardMapError};
pub use migration::{AddGroupError, Migration, MigrationStage, Source};
pub use ownership::{Ownership, Sharding, intersection, union};
pub use placement::{Placement, REPLICAS_MAX, first_leader, place};
pub(crate) use ring::mix;
pub use ring::{Move, NoGroups, Ring, Segment, VNODES, position};
pub use shards::{Shards, SpansGroups};
