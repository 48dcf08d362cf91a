//! Whom to ask for groups that have no replica here.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::types::{GroupId, NodeId};

/// The node that was found to lead a group, or the member to be tried next. One per group of the map,
/// so that it cannot grow.
#[derive(Debug, Default)]
pub(super) struct LeaderHints(Mutex<BTreeMap<GroupId, NodeId>>);

impl LeaderHints {
    /// The node to ask, if there is one.
    pub(super) fn guess(&self, group: GroupId, members: &[NodeId]) -> Option<NodeId> {
        let hints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hints.get(&group).or(members.first()).copied()
    }

    /// This node leads the group, or knows who does.
    pub(super) fn learn(&self, group: GroupId, node: NodeId) {
        let mut hints = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if hints.get(&group) != Some(&node) {
            hints.insert(group, node);
        }
    }

    /// This node is of no help: the next one of the members comes next.
    pub(super) fn avoid(&self, group: GroupId, node: NodeId, members: &[NodeId]) {
        let position = members.iter().position(|member| *member == node);
        let next = position.map_or(0, |position| position + 1) % members.len().max(1);
        if let Some(next) = members.get(next) {
            self.learn(group, *next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_tried_in_turn_until_one_helps() {
        let (hints, group) = (LeaderHints::default(), GroupId(3));
        let members = [2, 4, 7].map(NodeId);
        let mut asked = Vec::new();
        for _ in 0..4 {
            let node = hints.guess(group, &members).unwrap();
            hints.avoid(group, node, &members);
            asked.push(node.0);
        }
        assert_eq!(asked, [2, 4, 7, 2]);
        hints.learn(group, NodeId(7));
        assert_eq!(hints.guess(group, &members), Some(NodeId(7)));
        // A leader that is no member any more.
        hints.learn(group, NodeId(9));
        hints.avoid(group, NodeId(9), &members);
        assert_eq!(hints.guess(group, &members), Some(NodeId(2)));
        assert_eq!(hints.guess(GroupId(4), &[]), None);
    }
}
