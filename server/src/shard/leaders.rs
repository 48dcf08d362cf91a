//! Spreads the leaders of groups over the nodes.

use std::collections::BTreeMap;

use crate::types::{GroupId, NodeId};

/// A group as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedGroup {
    /// The group.
    pub group: GroupId,
    /// Who leads it, if anyone is known to.
    pub leader: Option<NodeId>,
    /// Who could.
    pub voters: Vec<NodeId>,
}

/// The group that a node should hand over, and to whom, so that no node leads two groups more than
/// another one that could lead one of them. None if a group has no leader: then there are worse
/// troubles.
///
/// Of all nodes that see the same, one at most should do something.
pub fn handover(node: NodeId, groups: &[LedGroup]) -> Option<(GroupId, NodeId)> {
    let mut leads: BTreeMap<NodeId, usize> = BTreeMap::new();
    for group in groups {
        for voter in &group.voters {
            leads.entry(*voter).or_default();
        }
        *leads.entry(group.leader?).or_default() += 1;
    }
    let own = *leads.get(&node)?;
    // Of several that lead as many, the first one acts.
    if leads.iter().any(|(other, count)| *count > own || (*count == own && *other < node)) {
        return None;
    }
    let led = groups.iter().filter(|it| it.leader == Some(node));
    let options = led.flat_map(|it| it.voters.iter().map(|voter| (it.group, *voter)));
    let fair = options.filter(|(_, voter)| leads.get(voter).is_some_and(|count| count + 2 <= own));
    fair.min_by_key(|(group, voter)| (leads.get(voter).copied(), *voter, *group))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn groups(leaders: &[u64], nodes: u64) -> Vec<LedGroup> {
        let led = |(id, leader): (u32, &u64)| LedGroup {
            group: GroupId(id),
            leader: Some(*leader).filter(|it| *it != 0).map(NodeId),
            voters: (1..=nodes).map(NodeId).collect(),
        };
        (0..).zip(leaders).map(led).collect()
    }

    fn of(node: u64, leaders: &[u64]) -> Option<(u32, u64)> {
        handover(NodeId(node), &groups(leaders, 3)).map(|(group, to)| (group.0, to.0))
    }

    #[test]
    fn who_leads_most_gives_to_who_leads_least() {
        assert_eq!(of(1, &[1, 1, 1, 2]), Some((0, 3)));
        assert_eq!(of(2, &[1, 1, 1, 2]), None);
        assert_eq!(of(1, &[1, 1, 2, 2]), Some((0, 3)));
        assert_eq!(of(2, &[1, 1, 2, 2]), None);
        assert_eq!(of(1, &[1]), None);
        assert_eq!(of(1, &[1, 2]), None);
        assert_eq!(of(1, &[1, 1, 1, 0]), None, "a group without a leader");
    }

    #[test]
    fn only_voters_of_a_group_can_lead_it() {
        let mut groups = groups(&[1, 1, 1], 3);
        groups[0].voters.truncate(1);
        groups[1].voters.truncate(2);
        groups[2].voters.truncate(1);
        assert_eq!(handover(NodeId(1), &groups), Some((GroupId(1), NodeId(2))));
    }

    proptest! {
        #[test]
        fn a_few_handovers_make_it_even(mut leaders in prop::collection::vec(1..=5_u64, 1..40)) {
            for _ in 0..leaders.len() {
                let all = groups(&leaders, 5);
                let acts: Vec<_> =
                    (1..=5).filter_map(|node| handover(NodeId(node), &all)).collect();
                prop_assert!(acts.len() <= 1);
                for (group, to) in acts {
                    leaders[group.0 as usize] = to.0;
                }
            }
            let count = |node| leaders.iter().filter(|leader| **leader == node).count();
            let counts: Vec<usize> = (1..=5).map(count).collect();
            prop_assert!(counts.iter().max() <= counts.iter().min().map(|it| it + 1).as_ref());
        }
    }
}
