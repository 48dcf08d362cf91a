//! Which nodes have a replica of which group.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{GroupId, NodeId};

/// Replicas of a group, if there are so many nodes: two of five may fail.
pub const REPLICAS_MAX: usize = 5;

/// The members of each group, ascending.
pub type Placement = BTreeMap<GroupId, Vec<NodeId>>;

/// Spreads the replicas of the groups over the nodes, starting from where they are.
///
/// Each group gets `replicas_max` members, or as many as there are nodes. The numbers of replicas
/// of two nodes differ by one at most. A member stays where it is unless its node is gone, its group
/// has too many, or its node has at least two replicas more than another one.
pub fn place(
    previous: &Placement,
    nodes: &BTreeSet<NodeId>,
    groups: &BTreeSet<GroupId>,
    replicas_max: usize,
) -> Placement {
    let mut plan = Plan::new(nodes);
    for group in groups {
        let stay = previous.get(group).into_iter().flatten().filter(|node| nodes.contains(node));
        plan.members.insert(*group, BTreeSet::new());
        stay.for_each(|node| plan.add(*group, *node));
    }
    let replicas = replicas_max.min(nodes.len());
    for group in groups {
        plan.resize(*group, replicas);
    }
    plan.balance();
    plan.members.into_iter().map(|(group, nodes)| (group, nodes.into_iter().collect())).collect()
}

/// The member that should lead a group first, so that leaders are spread. None without members.
pub fn first_leader(group: GroupId, members: &[NodeId]) -> Option<NodeId> {
    members.get(group.0 as usize % members.len().max(1)).copied()
}

struct Plan {
    members: BTreeMap<GroupId, BTreeSet<NodeId>>,
    /// Replicas of each node.
    load: BTreeMap<NodeId, usize>,
}

impl Plan {
    fn new(nodes: &BTreeSet<NodeId>) -> Plan {
        let load = nodes.iter().map(|node| (*node, 0)).collect();
        Plan { members: BTreeMap::new(), load }
    }

    fn add(&mut self, group: GroupId, node: NodeId) {
        if self.members.entry(group).or_default().insert(node) {
            *self.load.entry(node).or_default() += 1;
        }
    }

    fn remove(&mut self, group: GroupId, node: NodeId) {
        if self.members.entry(group).or_default().remove(&node) {
            *self.load.entry(node).or_default() -= 1;
        }
    }

    /// Takes members from the busiest nodes, or adds the least busy ones.
    fn resize(&mut self, group: GroupId, replicas: usize) {
        loop {
            let members = &self.members[&group];
            let load = |node: &NodeId| self.load[node];
            if members.len() > replicas {
                let Some(busiest) = members.iter().copied().max_by_key(load) else { return };
                self.remove(group, busiest);
            } else if members.len() < replicas {
                let others = self.load.keys().filter(|node| !members.contains(node));
                let Some(idle) = others.copied().min_by_key(load) else { return };
                self.add(group, idle);
            } else {
                return;
            }
        }
    }

    /// Moves replicas from the busiest node to the least busy one until they differ by one at most.
    fn balance(&mut self) {
        loop {
            let load = |node: &NodeId| self.load[node];
            let busiest = self.load.keys().copied().max_by_key(load);
            let idle = self.load.keys().copied().min_by_key(load);
            let (Some(busiest), Some(idle)) = (busiest, idle) else { return };
            if self.load[&busiest] <= self.load[&idle] + 1 {
                return;
            }
            // There is such a group, because the one has more replicas than the other.
            let fits = |(_, members): &(&GroupId, &BTreeSet<NodeId>)| {
                members.contains(&busiest) && !members.contains(&idle)
            };
            let Some((&group, _)) = self.members.iter().find(fits) else { return };
            self.remove(group, busiest);
            self.add(group, idle);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nodes(ids: impl IntoIterator<Item = u64>) -> BTreeSet<NodeId> {
        ids.into_iter().map(NodeId).collect()
    }

    fn groups(count: u32) -> BTreeSet<GroupId> {
        (0..count).map(GroupId).collect()
    }

    fn fresh(nodes: &BTreeSet<NodeId>, count: u32, replicas_max: usize) -> Placement {
        place(&Placement::new(), nodes, &groups(count), replicas_max)
    }

    fn load(placement: &Placement, node: NodeId) -> usize {
        placement.values().filter(|members| members.contains(&node)).count()
    }

    fn replicas(placement: &Placement) -> BTreeSet<(GroupId, NodeId)> {
        let of = |(group, members): (&GroupId, &Vec<NodeId>)| {
            let group = *group;
            members.clone().into_iter().map(move |node| (group, node))
        };
        placement.iter().flat_map(of).collect()
    }

    #[test]
    fn up_to_five_nodes_all_have_all_groups() {
        for count in 1..=5 {
            let all: Vec<NodeId> = (1..=count).map(NodeId).collect();
            let placement = fresh(&nodes(1..=count), 4, REPLICAS_MAX);
            assert!(placement.values().all(|members| *members == all), "{placement:?}");
        }
    }

    #[test]
    fn more_nodes_share_the_groups_evenly() {
        let seven = nodes(1..=7);
        let placement = fresh(&seven, 7, REPLICAS_MAX);
        assert!(seven.iter().all(|node| load(&placement, *node) == 5), "{placement:?}");
        assert!(placement.values().all(|members| members.len() == 5));
    }

    #[test]
    fn first_leaders_go_round() {
        let members = [NodeId(2), NodeId(4), NodeId(9)];
        let leaders: Vec<_> = (0..5).map(|id| first_leader(GroupId(id), &members)).collect();
        assert_eq!(leaders, [2, 4, 9, 2, 4].map(|node| Some(NodeId(node))));
        assert_eq!(first_leader(GroupId(3), &[]), None);
    }

    proptest! {
        #[test]
        fn a_placement_is_even_whole_and_stable(
            ids in prop::collection::btree_set(1..40_u64, 1..12),
            count in 1..40_u32,
            replicas_max in 1..7_usize,
        ) {
            let nodes = nodes(ids);
            let placement = fresh(&nodes, count, replicas_max);
            prop_assert_eq!(placement.len(), count as usize);
            for members in placement.values() {
                prop_assert_eq!(members.len(), replicas_max.min(nodes.len()));
                prop_assert!(members.is_sorted_by(|a, b| a < b));
            }
            let loads = || nodes.iter().map(|node| load(&placement, *node));
            prop_assert!(loads().max() <= loads().min().map(|least| least + 1));
            prop_assert_eq!(&place(&placement, &nodes, &groups(count), replicas_max), &placement);
        }

        #[test]
        fn a_new_node_takes_its_share_and_nothing_else_moves(
            ids in prop::collection::btree_set(1..40_u64, 5..12),
            count in 1..40_u32,
        ) {
            let old_nodes = nodes(ids.iter().copied());
            let old = fresh(&old_nodes, count, REPLICAS_MAX);
            let grown = nodes(ids.iter().copied().chain([100]));
            let new = place(&old, &grown, &groups(count), REPLICAS_MAX);
            let new_replicas: Vec<_> =
                replicas(&new).difference(&replicas(&old)).copied().collect();
            prop_assert!(new_replicas.iter().all(|(_, node)| *node == NodeId(100)));
            let fair = count as usize * REPLICAS_MAX / grown.len();
            prop_assert!(new_replicas.len() <= fair, "{} of {fair}", new_replicas.len());
        }

        #[test]
        fn what_a_lost_node_had_goes_to_others(
            ids in prop::collection::btree_set(1..40_u64, 6..12),
            count in 1..40_u32,
        ) {
            let old_nodes = nodes(ids.iter().copied());
            let old = fresh(&old_nodes, count, REPLICAS_MAX);
            let lost = NodeId(*ids.first().unwrap());
            let left = nodes(ids.iter().copied().skip(1));
            let new = place(&old, &left, &groups(count), REPLICAS_MAX);
            let (before, after) = (replicas(&old), replicas(&new));
            let moved = after.difference(&before).count();
            let had = load(&old, lost);
            // A few more may move to make the nodes even again.
            prop_assert!(moved >= had && moved <= had + left.len(), "{moved} for {had}");
            prop_assert!(!after.iter().any(|(_, node)| *node == lost));
        }
    }
}
