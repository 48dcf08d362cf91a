//! Consistent hashing: keys and groups on a ring of 2^64 positions.
//!
//! Each group has several points on the ring, its virtual nodes. A key belongs to the group of the
//! first point at or behind the key's position; behind the last point comes the first one.

use std::collections::BTreeSet;

use prost::Message;

use crate::types::GroupId;

/// Points of a group. With 64 of them the largest of 8 groups has 1.10 times its fair share, with one
/// 2.60 times; of up to 64 groups it has 1.43 times at most (see the test). The ring of 64 groups,
/// 4,096 points, still fits into a core's cache.
pub const VNODES: u32 = 64;

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// Where bytes lie on the ring: FNV-1a of 64 bits, finished with the mixer of MurmurHash3 (fmix64).
///
/// FNV-1a alone leaves keys that differ in their last byte close together; the mixer spreads them.
/// There is no seed: the position is part of the format of the data.
pub fn position(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME);
    mix(bytes.iter().fold(FNV_OFFSET, step))
}

/// A bijection in which each bit of the input changes about half of the output; 0 stays 0.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits ^= bits >> 33;
    bits = bits.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ (bits >> 33)
}

/// A run of positions, both ends included. It never goes over the end of the ring.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Message)]
pub struct Segment {
    /// The first position.
    #[prost(fixed64, tag = "1")]
    pub first: u64,
    /// The last position.
    #[prost(fixed64, tag = "2")]
    pub last: u64,
}

impl Segment {
    /// Does the key lie in it?
    pub fn contains(&self, key: &[u8]) -> bool {
        (self.first..=self.last).contains(&position(key))
    }
}

/// A segment changes hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Which positions.
    pub segment: Segment,
    /// The group that has them.
    pub from: GroupId,
    /// The group that gets them.
    pub to: GroupId,
}

/// A ring needs a group, because each key belongs to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a ring without groups")]
pub struct NoGroups;

/// Who owns which positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Ascending, not empty. Of two groups at one position the first one counts.
    points: Vec<(u64, GroupId)>,
}

impl Ring {
    /// A ring of these groups with so many points each.
    pub fn new(groups: &BTreeSet<GroupId>, vnodes: u32) -> Result<Ring, NoGroups> {
        let points_of = |group: &GroupId| {
            let group = *group;
            (0..vnodes).map(move |vnode| (point(group, vnode), group))
        };
        let mut points: Vec<(u64, GroupId)> = groups.iter().flat_map(points_of).collect();
        points.sort_unstable();
        points.dedup_by_key(|(position, _)| *position);
        if points.is_empty() { Err(NoGroups) } else { Ok(Ring { points }) }
    }

    /// The group that a key belongs to.
    pub fn group_of(&self, key: &[u8]) -> GroupId {
        let position = position(key);
        let next = self.points.partition_point(|(point, _)| *point < position);
        self.points.get(next).unwrap_or(&self.points[0]).1
    }

    /// What a group owns, ascending.
    pub fn segments(&self, group: GroupId) -> Vec<Segment> {
        let own = self.arcs().filter(|(_, owner)| *owner == group);
        let mut segments: Vec<Segment> = Vec::new();
        for (arc, _) in own {
            match segments.last_mut() {
                Some(before) if before.last.checked_add(1) == Some(arc.first) => {
                    before.last = arc.last;
                }
                Some(_) | None => segments.push(arc),
            }
        }
        segments
    }

    /// What changes hands when this ring is replaced by another one, ascending.
    pub fn moves(&self, to: &Ring) -> Vec<Move> {
        let (mut old, mut new) = (self.arcs().peekable(), to.arcs().peekable());
        let mut moves: Vec<Move> = Vec::new();
        let mut first = 0;
        while let (Some((old_arc, from)), Some((new_arc, to))) = (old.peek(), new.peek()) {
            let (from, to) = (*from, *to);
            let last = old_arc.last.min(new_arc.last);
            let (old_ends, new_ends) = (old_arc.last == last, new_arc.last == last);
            match moves.last_mut() {
                _ if from == to => {}
                Some(before)
                    if (before.from, before.to) == (from, to)
                        && before.segment.last.checked_add(1) == Some(first) =>
                {
                    before.segment.last = last;
                }
                Some(_) | None => {
                    moves.push(Move { segment: Segment { first, last }, from, to });
                }
            }
            if old_ends {
                old.next();
            }
            if new_ends {
                new.next();
            }
            first = last.wrapping_add(1);
        }
        moves
    }

    /// The whole ring from position 0 on, cut at the points.
    fn arcs(&self) -> impl Iterator<Item = (Segment, GroupId)> {
        let (end, _) = self.points[self.points.len() - 1];
        let starts = std::iter::once(0).chain(self.points.iter().map(|(point, _)| point + 1));
        let inner = self.points.iter().zip(starts);
        let inner = inner.map(|((last, group), first)| (Segment { first, last: *last }, *group));
        let behind = end.checked_add(1).map(|first| Segment { first, last: u64::MAX });
        inner.chain(behind.map(|segment| (segment, self.points[0].1)))
    }
}

fn point(group: GroupId, vnode: u32) -> u64 {
    let mut name = [0; 8];
    name[..4].copy_from_slice(&group.0.to_be_bytes());
    name[4..].copy_from_slice(&vnode.to_be_bytes());
    position(&name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn groups(ids: impl IntoIterator<Item = u32>) -> BTreeSet<GroupId> {
        ids.into_iter().map(GroupId).collect()
    }

    fn ring(ids: impl IntoIterator<Item = u32>) -> Ring {
        Ring::new(&groups(ids), VNODES).unwrap()
    }

    fn length(segment: &Segment) -> f64 {
        (segment.last - segment.first) as f64 + 1.0
    }

    /// The largest share of a group, in fair shares.
    fn largest_share(ring: &Ring, groups: u32) -> f64 {
        let share = |id| ring.segments(GroupId(id)).iter().map(length).sum::<f64>();
        (0..groups).map(share).fold(0.0, f64::max) * f64::from(groups) / 2.0_f64.powi(64)
    }

    #[test]
    fn positions_never_change() {
        assert_eq!(position(b""), 0xefd0_1f60_ba99_2926);
        assert_eq!(position(b"a"), 0x82a2_a958_a9be_ce5b);
        assert_eq!(position(b"breakwater"), 0x1fb6_6e51_32f4_8033);
        assert_eq!(position(&[0; 8]), 0x7bd3_144f_29c0_cc9e);
        let of = |key: &str| ring(0..8).group_of(key.as_bytes()).0;
        assert_eq!(["", "a", "k1", "k2", "users/7"].map(of), [1, 7, 6, 6, 2]);
    }

    #[test]
    fn shares_are_nearly_fair() {
        for (vnodes, bound) in [(1, 2.7), (16, 1.6), (VNODES, 1.1), (256, 1.05)] {
            let ring = Ring::new(&groups(0..8), vnodes).unwrap();
            let share = largest_share(&ring, 8);
            assert!(share < bound, "{vnodes} points: {share} fair shares");
        }
        for count in 1..=64 {
            let share = largest_share(&ring(0..count), count);
            assert!(share < 1.43, "{count} groups: {share} fair shares");
        }
    }

    #[test]
    fn keys_are_spread_like_positions() {
        let ring = ring(0..8);
        let mut counts = [0_u32; 8];
        for index in 0..8_000 {
            counts[ring.group_of(format!("key-{index}").as_bytes()).0 as usize] += 1;
        }
        assert!(counts.iter().all(|count| (600..1_400).contains(count)), "{counts:?}");
    }

    #[test]
    fn one_group_owns_everything() {
        let whole = Segment { first: 0, last: u64::MAX };
        assert_eq!(ring([5]).segments(GroupId(5)), [whole]);
        assert_eq!(ring([5]).segments(GroupId(6)), []);
        assert_eq!(Ring::new(&groups([]), VNODES), Err(NoGroups));
    }

    proptest! {
        #[test]
        fn segments_partition_the_ring(ids in prop::collection::btree_set(0..1_000_u32, 1..12)) {
            let ring = ring(ids.iter().copied());
            let all = ids.iter().flat_map(|id| ring.segments(GroupId(*id)));
            let mut all: Vec<Segment> = all.collect();
            all.sort_unstable();
            prop_assert_eq!(all[0].first, 0);
            prop_assert_eq!(all[all.len() - 1].last, u64::MAX);
            for pair in all.windows(2) {
                prop_assert_eq!(pair[0].last + 1, pair[1].first);
            }
        }

        #[test]
        fn only_segments_of_the_new_group_move(
            ids in prop::collection::btree_set(0..1_000_u32, 1..12),
            new in 1_000..2_000_u32,
            keys in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 50),
        ) {
            let old = ring(ids.iter().copied());
            let grown = ring(ids.iter().copied().chain([new]));
            let moves = old.moves(&grown);
            prop_assert!(moves.iter().all(|it| it.to == GroupId(new) && it.from != it.to));
            // What moves is exactly what the new group owns, and came from its owners.
            let moved: f64 = moves.iter().map(|it| length(&it.segment)).sum();
            let owned: f64 = grown.segments(GroupId(new)).iter().map(length).sum();
            prop_assert!((moved - owned).abs() <= owned * 1e-9);
            for key in &keys {
                let (before, after) = (old.group_of(key), grown.group_of(key));
                let crossed = moves.iter().find(|it| it.segment.contains(key));
                match crossed {
                    Some(it) => prop_assert_eq!((it.from, it.to), (before, after)),
                    None => prop_assert_eq!(before, after),
                }
                let own = grown.segments(after);
                prop_assert!(own.iter().any(|segment| segment.contains(key)));
            }
            // And back: only what the group had moves, when it leaves.
            let back = grown.moves(&old);
            prop_assert!(back.iter().all(|it| it.from == GroupId(new)));
        }
    }
}
