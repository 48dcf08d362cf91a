//! A shard map with its ring: what the API asks.

use crate::types::{GroupId, NodeId};

use super::map::{ShardGroup, ShardMap};
use super::migration::{Migration, MigrationStage};
use super::ring::{NoGroups, Ring, Segment};

/// Keys of one request belong to several groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys belong to several groups, such as {} and {}", .first.0, .other.0)]
pub struct SpansGroups {
    /// The first key's group.
    pub first: GroupId,
    /// The group of the first key that lies elsewhere.
    pub other: GroupId,
}

/// Answers which group a key belongs to, and who its members are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shards {
    map: ShardMap,
    ring: Ring,
    /// While keys are moving to a new group.
    moving: Option<Moving>,
}

/// Keys are moving to a new group.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Moving {
    to: GroupId,
    /// The ring with the new group.
    ring: Ring,
}

impl Shards {
    /// From a map that has groups.
    pub fn new(map: ShardMap) -> Result<Shards, NoGroups> {
        let ring = map.ring()?;
        let moving = match &map.migration {
            Some(migration) if migration.stage() != MigrationStage::Creating => {
                Some(Moving { to: migration.group_id(), ring: map.next_ring()? })
            }
            Some(_) | None => None,
        };
        Ok(Shards { map, ring, moving })
    }

    /// The group that a key belongs to.
    pub fn group_of(&self, key: &[u8]) -> GroupId {
        let group = match &self.map.groups[..] {
            // The usual case, without hashing.
            [only] => GroupId(only.id),
            _ => self.ring.group_of(key),
        };
        match &self.moving {
            Some(moving) if self.has_moved(group) && moving.ring.group_of(key) == moving.to => {
                moving.to
            }
            Some(_) | None => group,
        }
    }

    /// Has a group given its keys to the one that is being added?
    fn has_moved(&self, group: GroupId) -> bool {
        self.map.migration.as_ref().is_some_and(|it| it.moved.contains(&group.0))
    }

    /// The one group that all keys belong to; the first group if there are no keys.
    pub fn group_of_all<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<GroupId, SpansGroups> {
        let mut groups = keys.into_iter().map(|key| self.group_of(key));
        let Some(first) = groups.next() else { return Ok(self.first()) };
        match groups.find(|group| *group != first) {
            None => Ok(first),
            Some(other) => Err(SpansGroups { first, other }),
        }
    }

    /// The nodes with a replica of a group; none if there is no such group.
    pub fn members(&self, group: GroupId) -> Vec<NodeId> {
        self.group(group).map_or(Vec::new(), ShardGroup::nodes)
    }

    /// What the map says of a group, also if it is just being added.
    pub fn group(&self, group: GroupId) -> Option<&ShardGroup> {
        let new = self.map.migration.as_ref().and_then(|it| it.group.as_ref());
        self.map.groups.iter().chain(new).find(|it| it.id == group.0)
    }

    /// All groups that have keys or are about to, ascending. A session is opened in each of them.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> {
        let old = self.map.groups.iter().map(|group| GroupId(group.id));
        old.chain(self.moving.as_ref().map(|moving| moving.to))
    }

    /// The group that is being created, and has no part in anything yet.
    pub fn creating(&self) -> Option<GroupId> {
        let migration = self.map.migration.as_ref().filter(|_| self.moving.is_none());
        migration.map(Migration::group_id)
    }

    /// Is there one group only?
    pub fn is_one(&self) -> bool {
        self.map.groups.len() == 1 && self.moving.is_none()
    }

    /// The part of all positions that a group has, in millionths. One that is being added has those of
    /// the groups that gave them.
    pub fn share(&self, group: GroupId) -> u32 {
        let length = |segments: Vec<Segment>| -> u128 {
            segments.iter().map(|it| u128::from(it.last - it.first) + 1).sum()
        };
        let moved: u128 = match &self.moving {
            Some(moving) => {
                let gone = self.ring.moves(&moving.ring).into_iter();
                let gone = gone.filter(|it| self.has_moved(it.from));
                let from = gone.clone().filter(|it| it.from == group).map(|it| it.segment);
                let to = gone.filter(|it| it.to == group).map(|it| it.segment);
                // A new group has nothing else, and an old one gets nothing.
                let own = length(self.ring.segments(group)) - length(from.collect());
                own + length(to.collect())
            }
            None => length(self.ring.segments(group)),
        };
        // At most a million.
        u32::try_from((moved * 1_000_000) >> 64).unwrap_or(1_000_000)
    }

    /// The group with the least id.
    pub fn first(&self) -> GroupId {
        // A ring is not made without groups.
        GroupId(self.map.groups[0].id)
    }

    /// The map.
    pub fn map(&self) -> &ShardMap {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::super::placement::Placement;
    use super::*;

    fn shards(count: u32) -> Shards {
        Shards::new(ShardMap::first(&(1..=3).map(NodeId).collect(), count)).unwrap()
    }

    #[test]
    fn keys_of_one_request_must_lie_together() {
        let shards = shards(8);
        let keys: Vec<String> = (0..100).map(|index| index.to_string()).collect();
        let in_group = |group| -> Vec<&[u8]> {
            let keys = keys.iter().map(|key| key.as_bytes());
            keys.filter(|key| shards.group_of(key) == GroupId(group)).collect()
        };
        let (three, four) = (in_group(3), in_group(4));
        assert!(three.len() > 1 && four.len() > 1);
        assert_eq!(shards.group_of_all(three.iter().copied()), Ok(GroupId(3)));
        assert_eq!(shards.group_of_all([]), Ok(GroupId(0)));
        let both = three.into_iter().chain(four);
        let error = SpansGroups { first: GroupId(3), other: GroupId(4) };
        assert_eq!(shards.group_of_all(both), Err(error));
    }

    #[test]
    fn keys_go_to_the_new_group_once_their_old_one_gave_them_away() {
        let nodes = (1..=3).map(NodeId).collect();
        let map = ShardMap::first(&nodes, 2);
        let begun = map.begin(&Placement::new(), &nodes, |_| String::new()).unwrap();
        let keys: Vec<String> = (0..300).map(|index| index.to_string()).collect();
        let route = |map: &ShardMap| -> Vec<u32> {
            let shards = Shards::new(map.clone()).unwrap();
            keys.iter().map(|key| shards.group_of(key.as_bytes()).0).collect()
        };
        let (old, moving) = (route(&map), begun.at(MigrationStage::Moving));
        assert_eq!(route(&begun), old);
        assert_eq!(route(&moving), old);
        let all = |map: &ShardMap| Shards::new(map.clone()).unwrap().groups().count();
        assert_eq!((all(&begun), all(&moving)), (2, 3));
        let half = route(&moving.moved(GroupId(1), 0));
        let whole = route(&moving.moved(GroupId(1), 0).moved(GroupId(0), 0).complete());
        assert!(whole.contains(&2));
        for ((old, half), whole) in old.iter().zip(&half).zip(&whole) {
            let expected = if *old == 1 { whole } else { old };
            assert_eq!(half, expected);
        }
    }

    #[test]
    fn one_group_has_all_keys() {
        let shards = shards(1);
        assert_eq!(shards.group_of_all([&b"a"[..], b"b", b""]), Ok(GroupId(0)));
        assert_eq!(shards.members(GroupId(0)), [1, 2, 3].map(NodeId));
        assert_eq!(shards.members(GroupId(1)), []);
    }
}
