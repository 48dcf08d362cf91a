//! A shard map with its ring: what the API asks.

use crate::types::{GroupId, NodeId};

use super::map::ShardMap;
use super::ring::{NoGroups, Ring};

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
}

impl Shards {
    /// From a map that has groups.
    pub fn new(map: ShardMap) -> Result<Shards, NoGroups> {
        let groups = map.groups.iter().map(|group| GroupId(group.id)).collect();
        let ring = Ring::new(&groups, map.vnodes)?;
        Ok(Shards { map, ring })
    }

    /// The group that a key belongs to.
    pub fn group_of(&self, key: &[u8]) -> GroupId {
        match &self.map.groups[..] {
            // The usual case, without hashing.
            [only] => GroupId(only.id),
            _ => self.ring.group_of(key),
        }
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
        let found = self.map.groups.binary_search_by_key(&group.0, |it| it.id);
        found.map_or(Vec::new(), |position| self.map.groups[position].nodes())
    }

    /// All groups, ascending.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = GroupId> {
        self.map.groups.iter().map(|group| GroupId(group.id))
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
    fn one_group_has_all_keys() {
        let shards = shards(1);
        assert_eq!(shards.group_of_all([&b"a"[..], b"b", b""]), Ok(GroupId(0)));
        assert_eq!(shards.members(GroupId(0)), [1, 2, 3].map(NodeId));
        assert_eq!(shards.members(GroupId(1)), []);
    }
}
