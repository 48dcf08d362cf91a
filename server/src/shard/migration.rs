//! How a group is added to a shard map: the stages, and what moves.
//!
//! ```text
//! begin ──> Creating ──> Moving ──moved, once for each source──> Forgetting ──> complete
//! ```
//!
//! Each arrow is a new version of the map. The stages say how far it is, so that whoever leads the
//! first group can go on where another one stopped.

use std::collections::BTreeSet;

use prost::Message;

use super::map::{SHARDS_MAX, ShardGroup, ShardMap};
use super::placement::{Placement, REPLICAS_MAX, place};
use super::ring::{NoGroups, Ring, Segment};
use crate::types::{GroupId, NodeId};

/// A group is being added.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Migration {
    /// Names it: the version of the map with which it began.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The new group.
    #[prost(message, optional, tag = "2")]
    pub group: Option<ShardGroup>,
    /// How far it is.
    #[prost(enumeration = "MigrationStage", tag = "3")]
    pub stage: i32,
    /// The groups whose keys are there already.
    #[prost(uint32, repeated, tag = "4")]
    pub moved: Vec<u32>,
    /// So many keys.
    #[prost(uint64, tag = "5")]
    pub keys: u64,
}

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum MigrationStage {
    /// The members of the new group make room for it. It has no keys.
    Creating = 0,
    /// Its keys are brought to it, from one group after the other. Sessions are opened in it too.
    Moving = 1,
    /// It has all its keys; the others delete them.
    Forgetting = 2,
}

/// A group that gives keys away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Which one.
    pub group: GroupId,
    /// What it gives away, ascending.
    pub leaving: Vec<Segment>,
    /// What it has afterwards, ascending.
    pub keep: Vec<Segment>,
}

/// No group can be added now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddGroupError {
    /// Another one is being added.
    #[error(
        "group {group} is just being added\nhint: wait until it is done; `ctl group list` shows it"
    )]
    UnderWay {
        /// Which one.
        group: u32,
    },
    /// There are too many.
    #[error("a cluster has at most {SHARDS_MAX} groups")]
    TooMany,
}

impl ShardMap {
    /// The map with which the addition of a group begins, on these nodes. The members of the other
    /// groups are where `placement` says.
    pub fn begin(
        &self,
        placement: &Placement,
        nodes: &BTreeSet<NodeId>,
        address: impl Fn(NodeId) -> String,
    ) -> Result<ShardMap, AddGroupError> {
        if let Some(migration) = &self.migration {
            return Err(AddGroupError::UnderWay { group: migration.group_id().0 });
        }
        if self.groups.len() >= SHARDS_MAX as usize {
            return Err(AddGroupError::TooMany);
        }
        let id = self.groups.iter().map(|group| group.id).max().map_or(0, |last| last + 1);
        let groups = self.groups.iter().map(|it| it.id).chain([id]).map(GroupId).collect();
        let mut placed = place(placement, nodes, &groups, REPLICAS_MAX);
        let members = placed.remove(&GroupId(id)).unwrap_or_default();
        let group = ShardGroup {
            id,
            addresses: members.iter().map(|node| (node.0, address(*node))).collect(),
            members: members.into_iter().map(|node| node.0).collect(),
            left: Vec::new(),
        };
        let migration = Migration {
            id: self.version + 1,
            group: Some(group),
            stage: MigrationStage::Creating as i32,
            moved: Vec::new(),
            keys: 0,
        };
        Ok(ShardMap { migration: Some(migration), ..self.next() })
    }

    /// The map of another stage.
    pub fn at(&self, stage: MigrationStage) -> ShardMap {
        let mut next = self.next();
        if let Some(migration) = &mut next.migration {
            migration.stage = stage as i32;
        }
        next
    }

    /// The map after all keys of a group that move have moved.
    pub fn moved(&self, from: GroupId, keys: u64) -> ShardMap {
        let mut next = self.next();
        if let Some(migration) = &mut next.migration {
            migration.moved.push(from.0);
            migration.keys += keys;
        }
        next
    }

    /// The map after the migration.
    pub fn complete(&self) -> ShardMap {
        let mut next = self.next();
        if let Some(migration) = next.migration.take() {
            next.groups.extend(migration.group);
        }
        next
    }

    fn next(&self) -> ShardMap {
        ShardMap { version: self.version + 1, ..self.clone() }
    }

    /// The ring of its groups, without the one that is being added.
    pub fn ring(&self) -> Result<Ring, NoGroups> {
        Ring::new(&self.group_ids(), self.vnodes)
    }

    /// The ring of its groups, with the one that is being added.
    pub fn next_ring(&self) -> Result<Ring, NoGroups> {
        let mut groups = self.group_ids();
        groups.extend(self.migration.as_ref().map(Migration::group_id));
        Ring::new(&groups, self.vnodes)
    }

    /// The groups that give keys to the one that is being added, ascending; none if none is.
    pub fn sources(&self) -> Result<Vec<Source>, NoGroups> {
        let (ring, next) = (self.ring()?, self.next_ring()?);
        let mut sources: Vec<Source> = Vec::new();
        for moving in ring.moves(&next) {
            match sources.iter_mut().find(|it| it.group == moving.from) {
                Some(source) => source.leaving.push(moving.segment),
                None => {
                    let (group, leaving) = (moving.from, vec![moving.segment]);
                    sources.push(Source { group, leaving, keep: next.segments(group) });
                }
            }
        }
        sources.sort_by_key(|source| source.group);
        Ok(sources)
    }

    fn group_ids(&self) -> BTreeSet<GroupId> {
        self.groups.iter().map(|group| GroupId(group.id)).collect()
    }
}

impl Migration {
    /// The new group.
    pub fn group_id(&self) -> GroupId {
        // A map without one is not decoded.
        GroupId(self.group.as_ref().map_or(0, |group| group.id))
    }

    /// In words.
    pub fn describe(&self) -> String {
        let group = self.group_id().0;
        let (done, keys) = (self.moved.len(), self.keys);
        match self.stage() {
            MigrationStage::Creating => format!("group {group}: its members make room"),
            MigrationStage::Moving => {
                format!("group {group}: keys are moving, {done} groups gave theirs, {keys} keys")
            }
            MigrationStage::Forgetting => {
                format!("group {group}: {keys} keys have moved and are deleted where they were")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> BTreeSet<NodeId> {
        (1..=3).map(NodeId).collect()
    }

    fn begun(shards: u32) -> ShardMap {
        let map = ShardMap::first(&nodes(), shards);
        map.begin(&Placement::new(), &nodes(), |node| format!("host:{node}")).unwrap()
    }

    #[test]
    fn a_group_is_added_in_stages_each_of_which_is_a_version() {
        let map = begun(2);
        let migration = map.migration.clone().unwrap();
        assert_eq!((map.version, migration.id, migration.group_id()), (2, 2, GroupId(2)));
        let group = migration.group.unwrap();
        assert_eq!(group.members, [1, 2, 3]);
        assert_eq!(group.addresses[&2], "host:2");
        let moving = map.at(MigrationStage::Moving);
        let moved = moving.moved(GroupId(0), 7).moved(GroupId(1), 5);
        assert_eq!(ShardMap::decode_map(&moved.encode_map()).unwrap(), moved);
        let migration = moved.migration.clone().unwrap();
        assert_eq!((migration.moved, migration.keys), (vec![0, 1], 12));
        let complete = moved.at(MigrationStage::Forgetting).complete();
        assert_eq!((complete.version, &complete.migration), (7, &None));
        assert_eq!(complete.ring().unwrap(), map.next_ring().unwrap());
        let ids: Vec<u32> = complete.groups.iter().map(|it| it.id).collect();
        assert_eq!(ids, [0, 1, 2]);
    }

    #[test]
    fn one_group_is_added_at_a_time_and_not_too_many() {
        let begin = |map: &ShardMap| {
            map.begin(&Placement::new(), &nodes(), |_| String::new()).map(|it| it.version)
        };
        assert_eq!(begin(&begun(2)), Err(AddGroupError::UnderWay { group: 2 }));
        assert_eq!(begin(&ShardMap::first(&nodes(), SHARDS_MAX)), Err(AddGroupError::TooMany));
        assert_eq!(begin(&ShardMap::first(&nodes(), SHARDS_MAX - 1)), Ok(2));
    }

    #[test]
    fn what_sources_give_is_what_the_new_group_has() {
        let map = begun(3);
        let sources = map.sources().unwrap();
        let groups: Vec<u32> = sources.iter().map(|it| it.group.0).collect();
        assert_eq!(groups, [0, 1, 2]);
        let given = sources.iter().flat_map(|it| it.leaving.iter().copied()).collect::<Vec<_>>();
        let own = map.next_ring().unwrap().segments(GroupId(3));
        assert_eq!(super::super::union(&given, &[]), super::super::union(&own, &[]));
        for source in &sources {
            let had = map.ring().unwrap().segments(source.group);
            assert_eq!(super::super::union(&source.keep, &source.leaving), had);
            assert_eq!(super::super::intersection(&source.keep, &source.leaving), []);
        }
        assert_eq!(ShardMap::first(&nodes(), 3).sources().unwrap(), []);
    }
}
