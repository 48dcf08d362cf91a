//! The shard map: all groups and their members, as it is stored and sent.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use crate::types::{GroupId, NodeId};

use super::migration::{Migration, MigrationStage};
use super::placement::{Placement, REPLICAS_MAX, place};
use super::ring::VNODES;

/// Version of the encoding.
pub const SHARD_MAP_FORMAT: u32 = 1;
/// Groups of a cluster. Each costs memory, heartbeats and a column of files at every member.
pub const SHARDS_MAX: u32 = 64;
/// Points of a group that a map may ask for; more would only cost memory.
const VNODES_MAX: u32 = 4_096;

/// All groups and their members.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ShardMap {
    /// [`SHARD_MAP_FORMAT`].
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// Grows with each change; the greater one of two maps is the newer.
    #[prost(uint64, tag = "2")]
    pub version: u64,
    /// Points of each group on the ring.
    #[prost(uint32, tag = "3")]
    pub vnodes: u32,
    /// The groups, by id.
    #[prost(message, repeated, tag = "4")]
    pub groups: Vec<ShardGroup>,
    /// The group that is being added, if there is one.
    #[prost(message, optional, tag = "5")]
    pub migration: Option<Migration>,
}

/// A group of a [`ShardMap`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct ShardGroup {
    /// The group.
    #[prost(uint32, tag = "1")]
    pub id: u32,
    /// The nodes with a replica, ascending. As of the map's version: what the group's own
    /// configuration says counts.
    #[prost(uint64, repeated, tag = "2")]
    pub members: Vec<u64>,
    /// Its founders and where they were, `host:port`; empty for a group of the first map.
    #[prost(btree_map = "uint64, string", tag = "3")]
    pub addresses: BTreeMap<u64, String>,
    /// Nodes that were members and left. One that comes back is no founder any more.
    #[prost(uint64, repeated, tag = "4")]
    pub left: Vec<u64>,
}

/// A shard map cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ShardMapError {
    /// It is not protobuf of the expected shape.
    #[error("malformed shard map: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// It was written by another version of the store.
    #[error("shard map format {found}, but this build reads format {SHARD_MAP_FORMAT}")]
    Format {
        /// The version in the map.
        found: u32,
    },
    /// It makes no sense.
    #[error("the shard map makes no sense: {0}")]
    Invalid(&'static str),
}

impl ShardMap {
    /// The map of a new cluster: so many groups, from 0, over all nodes.
    pub fn first(nodes: &BTreeSet<NodeId>, shards: u32) -> ShardMap {
        let groups = (0..shards).map(GroupId).collect();
        let placement = place(&Placement::new(), nodes, &groups, REPLICAS_MAX);
        let group = |(id, members): (GroupId, Vec<NodeId>)| ShardGroup {
            id: id.0,
            members: members.into_iter().map(|node| node.0).collect(),
            ..ShardGroup::default()
        };
        ShardMap {
            format: SHARD_MAP_FORMAT,
            version: 1,
            vnodes: VNODES,
            groups: placement.into_iter().map(group).collect(),
            migration: None,
        }
    }

    /// The map with other members of a group; none if that changes nothing.
    pub fn with_members(
        &self,
        group: GroupId,
        add: &[NodeId],
        remove: &[NodeId],
    ) -> Option<ShardMap> {
        let mut next = ShardMap { version: self.version + 1, ..self.clone() };
        let changed = next.groups.iter_mut().find(|it| it.id == group.0)?;
        let before = changed.members.clone();
        changed.members.extend(add.iter().map(|node| node.0));
        changed.members.retain(|node| !remove.contains(&NodeId(*node)));
        changed.members.sort_unstable();
        changed.members.dedup();
        changed.left.extend(before.iter().filter(|node| !changed.members.contains(node)));
        changed.left.sort_unstable();
        changed.left.dedup();
        let is_other = changed.members != before && !changed.members.is_empty();
        is_other.then_some(next)
    }

    /// As bytes.
    pub fn encode_map(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// From bytes. Refuses what no [`ShardMap::encode_map`] of a good map gives.
    pub fn decode_map(bytes: &[u8]) -> Result<ShardMap, ShardMapError> {
        let map = ShardMap::decode(bytes)?;
        if map.format != SHARD_MAP_FORMAT {
            return Err(ShardMapError::Format { found: map.format });
        }
        let ascending = |ids: &[u64]| ids.is_sorted_by(|a, b| a < b);
        let ids: Vec<u64> = map.groups.iter().map(|group| u64::from(group.id)).collect();
        if ids.is_empty() || ids.len() > SHARDS_MAX as usize {
            return Err(ShardMapError::Invalid("too few or too many groups"));
        }
        if !ascending(&ids) {
            return Err(ShardMapError::Invalid("the groups are not in order"));
        }
        if map.groups.iter().any(|it| it.members.is_empty() || !ascending(&it.members)) {
            return Err(ShardMapError::Invalid("a group has no members, or not in order"));
        }
        if !(1..=VNODES_MAX).contains(&map.vnodes) {
            return Err(ShardMapError::Invalid("too few or too many points on the ring"));
        }
        if let Some(migration) = &map.migration {
            let last = ids[ids.len() - 1];
            let Some(group) = migration.group.as_ref().filter(|it| u64::from(it.id) > last) else {
                return Err(ShardMapError::Invalid("the group that is added is not a new one"));
            };
            if group.members.is_empty() || !ascending(&group.members) {
                return Err(ShardMapError::Invalid("a group has no members, or not in order"));
            }
            if MigrationStage::try_from(migration.stage).is_err() {
                return Err(ShardMapError::Invalid("the stage of the migration is unknown"));
            }
        }
        Ok(map)
    }
}

impl ShardGroup {
    /// The members.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.members.iter().copied().map(NodeId).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(group: Option<ShardGroup>, stage: i32) -> Migration {
        Migration { id: 2, group, stage, ..Migration::default() }
    }

    fn new(members: Vec<u64>) -> ShardGroup {
        ShardGroup { id: 7, members, ..ShardGroup::default() }
    }

    fn map() -> ShardMap {
        ShardMap::first(&(1..=3).map(NodeId).collect(), 2)
    }

    #[test]
    fn a_map_survives_its_encoding() {
        let bytes = map().encode_map();
        assert_eq!(ShardMap::decode_map(&bytes).unwrap(), map());
        // The bytes are on disks: they must not change by accident.
        let golden = [8, 1, 16, 1, 24, 64, 34, 5, 18, 3, 1, 2, 3, 34, 7, 8, 1, 18, 3, 1, 2, 3];
        assert_eq!(bytes, golden);
    }

    #[test]
    fn members_come_and_go() {
        let group = ShardGroup { id: 1, members: vec![1, 2], ..ShardGroup::default() };
        let map = ShardMap { groups: vec![group], ..map() };
        let change = |add: &[u64], remove: &[u64]| {
            let nodes = |ids: &[u64]| ids.iter().copied().map(NodeId).collect::<Vec<_>>();
            map.with_members(GroupId(1), &nodes(add), &nodes(remove))
        };
        let changed = change(&[3], &[1]).unwrap();
        assert_eq!((changed.version, &changed.groups[0].members[..]), (2, &[2, 3][..]));
        assert_eq!(changed.groups[0].left, [1]);
        assert_eq!(change(&[2], &[4]), None);
        assert_eq!(change(&[], &[1, 2]), None);
        assert_eq!(map.with_members(GroupId(0), &[NodeId(9)], &[]), None);
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |change: fn(&mut ShardMap), words: &str| {
            let mut map = map();
            change(&mut map);
            let error = ShardMap::decode_map(&map.encode_map()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        refused(|map| map.format = 2, "format 2");
        refused(|map| map.groups.clear(), "too few");
        refused(|map| map.groups = vec![map.groups[0].clone(); 65], "too many");
        refused(|map| map.groups.swap(0, 1), "not in order");
        refused(|map| map.groups[0].members.clear(), "no members");
        refused(|map| map.groups[0].members = vec![2, 2], "not in order");
        refused(|map| map.vnodes = 0, "points");
        refused(|map| map.vnodes = u32::MAX, "points");
        refused(|map| map.migration = Some(added(None, 0)), "not a new one");
        refused(|map| map.migration = Some(added(Some(map.groups[1].clone()), 0)), "not a new one");
        refused(|map| map.migration = Some(added(Some(new(vec![])), 0)), "no members");
        refused(|map| map.migration = Some(added(Some(new(vec![1])), 9)), "stage");
        assert!(ShardMap::decode_map(b"\xff").is_err());
        assert!(ShardMap::decode_map(b"").is_err());
    }
}
