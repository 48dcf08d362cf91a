//! Which positions of the ring a group serves: part of its state, so that all its replicas agree.

use bytes::Bytes;
use prost::Message;

use super::ring::{Segment, position};

/// What a group's state knows of shards.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Sharding {
    /// What the group serves; none: everything that it is asked for, because it never took part in a
    /// migration.
    #[prost(message, optional, tag = "1")]
    pub ownership: Option<Ownership>,
    /// In the first group: the version of the shard map; 0 if it was never changed.
    #[prost(uint64, tag = "2")]
    pub map_version: u64,
    /// In the first group: the shard map, encoded; empty if it was never changed.
    #[prost(bytes = "bytes", tag = "3")]
    pub map: Bytes,
}

/// What a group serves.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Ownership {
    /// The last migration that the group took part in.
    #[prost(uint64, tag = "1")]
    pub migration: u64,
    /// The positions that it serves: ascending, disjoint.
    #[prost(message, repeated, tag = "2")]
    pub segments: Vec<Segment>,
    /// What is added to a log index to make a revision.
    #[prost(uint64, tag = "3")]
    pub revision_base: u64,
    /// The revision since which it does not serve everything.
    #[prost(uint64, tag = "4")]
    pub since: u64,
}

impl Sharding {
    /// Does the group serve this key?
    pub fn owns(&self, key: &[u8]) -> bool {
        self.ownership.as_ref().is_none_or(|it| it.owns(key))
    }

    /// The revision of a log index.
    pub fn revision(&self, index: u64) -> u64 {
        index + self.ownership.as_ref().map_or(0, |it| it.revision_base)
    }
}

impl Ownership {
    /// Does the group serve this key?
    pub fn owns(&self, key: &[u8]) -> bool {
        let position = position(key);
        let behind = self.segments.partition_point(|it| it.first <= position);
        behind > 0 && self.segments[behind - 1].last >= position
    }
}

/// What lies in both of two lists of segments.
pub fn intersection(one: &[Segment], other: &[Segment]) -> Vec<Segment> {
    let overlap = |a: &Segment| {
        let a = *a;
        other.iter().filter_map(move |b| {
            let (first, last) = (a.first.max(b.first), a.last.min(b.last));
            (first <= last).then_some(Segment { first, last })
        })
    };
    normal(one.iter().flat_map(overlap).collect())
}

/// What lies in one of two lists of segments.
pub fn union(one: &[Segment], other: &[Segment]) -> Vec<Segment> {
    normal(one.iter().chain(other).copied().collect())
}

/// The same positions, in segments that are ascending, disjoint and as few as possible.
fn normal(mut segments: Vec<Segment>) -> Vec<Segment> {
    segments.sort_unstable();
    let mut merged: Vec<Segment> = Vec::with_capacity(segments.len());
    for next in segments {
        match merged.last_mut() {
            Some(before) if next.first <= before.last.saturating_add(1) => {
                before.last = before.last.max(next.last);
            }
            Some(_) | None => merged.push(next),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn segment(first: u64, last: u64) -> Segment {
        Segment { first, last }
    }

    #[test]
    fn neighbours_become_one_and_ends_count() {
        assert_eq!(union(&[segment(5, 9)], &[segment(0, 4)]), [segment(0, 9)]);
        assert_eq!(union(&[segment(6, 9)], &[segment(0, 4)]), [segment(0, 4), segment(6, 9)]);
        let whole = [segment(0, u64::MAX)];
        assert_eq!(union(&whole, &whole), whole);
        assert_eq!(intersection(&whole, &[segment(7, 7)]), [segment(7, 7)]);
        assert_eq!(intersection(&[segment(0, 6)], &[segment(7, 7)]), []);
    }

    #[test]
    fn a_group_without_ownership_serves_everything() {
        let mut sharding = Sharding::default();
        assert!(sharding.owns(b"k") && sharding.revision(7) == 7);
        let at = position(b"k");
        let ownership =
            |segments| Some(Ownership { segments, revision_base: 100, ..Ownership::default() });
        sharding.ownership = ownership(vec![]);
        assert!(!sharding.owns(b"k") && sharding.revision(7) == 107);
        sharding.ownership = ownership(vec![segment(0, at - 1), segment(at + 1, u64::MAX)]);
        assert!(!sharding.owns(b"k"));
        sharding.ownership = ownership(vec![segment(0, 0), segment(at, at)]);
        assert!(sharding.owns(b"k"));
    }

    fn segments() -> impl Strategy<Value = Vec<Segment>> {
        let one = (0..60_u64, 0..8_u64).prop_map(|(first, length)| segment(first, first + length));
        prop::collection::vec(one, 0..8)
    }

    proptest! {
        #[test]
        fn lists_are_sets_of_positions(one in segments(), other in segments()) {
            let lies = |list: &[Segment], at| list.iter().any(|it| it.first <= at && at <= it.last);
            let (both, either) = (intersection(&one, &other), union(&one, &other));
            for at in 0..80 {
                prop_assert_eq!(lies(&both, at), lies(&one, at) && lies(&other, at));
                prop_assert_eq!(lies(&either, at), lies(&one, at) || lies(&other, at));
            }
            for list in [both, either] {
                prop_assert!(list.windows(2).all(|it| it[0].last + 1 < it[1].first));
            }
        }
    }
}
