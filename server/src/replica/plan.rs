//! Changes of members as steps of joint consensus (Raft thesis §4.3), without any state.
//!
//! ```text
//! add      [learner n]                     one entry
//! promote  [voter n, and old leaves] joint ── leave
//! demote   [learner n]               joint ── leave
//! remove   [n leaves]                joint ── leave     (a learner: one entry)
//! ```
//!
//! Every change of voters goes through a joint configuration, which is left by an entry of its own:
//! any leader that finds itself in a joint configuration proposes to leave it, so a change is
//! completed whoever started it. What a change leads to after that (a learner becomes a voter when
//! it has caught up, and another member leaves) is part of the configuration:
//! [`Configuration::joining`].

use std::collections::BTreeSet;

use raft::eraftpb::{ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2};

use super::change::{MemberChange, MemberError};
use crate::membership::Configuration;
use crate::types::NodeId;

/// Members of a group, at most.
pub(super) const MEMBERS_MAX: usize = 32;

/// One entry that changes the configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) change: ConfChangeV2,
    /// The addresses and intents as of it; who votes follows from `change`.
    pub(super) result: Configuration,
}

/// When a change is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Goal {
    Voter(NodeId),
    Learner(NodeId),
    Gone(NodeId),
    Replaced { old: NodeId, new: NodeId },
}

impl Goal {
    pub(super) fn is_reached(self, configuration: &Configuration) -> bool {
        let votes = |node: NodeId| configuration.voters.contains(&node.0);
        let is_member = |node: NodeId| configuration.members().contains(&node);
        !configuration.is_joint()
            && match self {
                Goal::Voter(node) => votes(node),
                Goal::Learner(node) => configuration.learners.contains(&node.0),
                Goal::Gone(node) => !is_member(node),
                Goal::Replaced { old, new } => votes(new) && !is_member(old),
            }
    }
}

/// The first step of a change, in a configuration that is not joint.
pub(super) fn first_step(
    configuration: &Configuration,
    change: &MemberChange,
) -> Result<(Step, Goal), MemberError> {
    let members = configuration.members();
    let must_be = |node: NodeId| match members.contains(&node) {
        true => Ok(()),
        false => Err(MemberError::NotAMember(node)),
    };
    match change {
        MemberChange::Add { node, address, stay_learner: true } => {
            Ok((add(configuration, *node, address, None)?, Goal::Learner(*node)))
        }
        MemberChange::Add { node, address, stay_learner: false } => {
            Ok((add(configuration, *node, address, Some(0))?, Goal::Voter(*node)))
        }
        MemberChange::Promote { node } => {
            must_be(*node)?;
            match configuration.voters.contains(&node.0) {
                true => Err(MemberError::AlreadyVoter(*node)),
                false => Ok((promote(configuration, *node, None), Goal::Voter(*node))),
            }
        }
        MemberChange::Demote { node } => {
            must_be(*node)?;
            if !configuration.voters.contains(&node.0) {
                return Err(MemberError::AlreadyLearner(*node));
            }
            not_the_last(configuration, *node)?;
            let change = joint(&[(node.0, ConfChangeType::AddLearnerNode)]);
            Ok((Step { change, result: configuration.clone() }, Goal::Learner(*node)))
        }
        MemberChange::Remove { node } => {
            must_be(*node)?;
            not_the_last(configuration, *node)?;
            Ok((remove(configuration, *node), Goal::Gone(*node)))
        }
        MemberChange::Replace { old, new, address } => {
            must_be(*old)?;
            let goal = Goal::Replaced { old: *old, new: *new };
            Ok((add(configuration, *new, address, Some(old.0))?, goal))
        }
    }
}

/// A learner becomes a voter, and another member leaves.
pub(super) fn promote(configuration: &Configuration, node: NodeId, old: Option<NodeId>) -> Step {
    let mut changes = vec![(node.0, ConfChangeType::AddNode)];
    let old = old.filter(|old| configuration.members().contains(old));
    changes.extend(old.map(|old| (old.0, ConfChangeType::RemoveNode)));
    let mut result = configuration.clone();
    result.joining.remove(&node.0);
    if let Some(old) = old {
        result.joining.remove(&old.0);
    }
    Step { change: joint(&changes), result }
}

/// The end of a joint configuration.
pub(super) fn leave(configuration: &Configuration) -> Step {
    Step { change: ConfChangeV2::default(), result: configuration.clone() }
}

/// The voters that a step leads to.
pub(super) fn voters_after(configuration: &Configuration, step: &Step) -> BTreeSet<NodeId> {
    let mut voters: BTreeSet<NodeId> = configuration.voters.iter().copied().map(NodeId).collect();
    for change in step.change.get_changes() {
        match change.get_change_type() {
            ConfChangeType::AddNode => voters.insert(NodeId(change.node_id)),
            ConfChangeType::AddLearnerNode | ConfChangeType::RemoveNode => {
                voters.remove(&NodeId(change.node_id))
            }
        };
    }
    voters
}

fn add(
    configuration: &Configuration,
    node: NodeId,
    address: &str,
    joins_for: Option<u64>,
) -> Result<Step, MemberError> {
    let members = configuration.members();
    if node == NodeId(0) {
        return Err(MemberError::NodeZero);
    }
    if members.contains(&node) {
        return Err(MemberError::AlreadyMember(node));
    }
    if members.len() >= MEMBERS_MAX {
        return Err(MemberError::TooManyMembers(MEMBERS_MAX));
    }
    let mut result = configuration.clone();
    result.addresses.insert(node.0, address.to_owned());
    result.joining.extend(joins_for.map(|old| (node.0, old)));
    Ok(Step { change: simple(node.0, ConfChangeType::AddLearnerNode), result })
}

fn remove(configuration: &Configuration, node: NodeId) -> Step {
    let change = match configuration.voters.contains(&node.0) {
        true => joint(&[(node.0, ConfChangeType::RemoveNode)]),
        false => simple(node.0, ConfChangeType::RemoveNode),
    };
    let mut result = configuration.clone();
    result.joining.remove(&node.0);
    Step { change, result }
}

fn not_the_last(configuration: &Configuration, node: NodeId) -> Result<(), MemberError> {
    match configuration.voters == [node.0] {
        true => Err(MemberError::LastVoter(node)),
        false => Ok(()),
    }
}

fn simple(node: u64, kind: ConfChangeType) -> ConfChangeV2 {
    let mut change = ConfChangeV2::default();
    change.mut_changes().push(single(node, kind));
    change
}

fn joint(changes: &[(u64, ConfChangeType)]) -> ConfChangeV2 {
    let mut change = ConfChangeV2::default();
    change.set_transition(ConfChangeTransition::Explicit);
    for (node, kind) in changes {
        change.mut_changes().push(single(*node, *kind));
    }
    change
}

fn single(node_id: u64, kind: ConfChangeType) -> ConfChangeSingle {
    let mut single = ConfChangeSingle { node_id, ..ConfChangeSingle::default() };
    single.set_change_type(kind);
    single
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Configuration {
        Configuration { voters: vec![1, 2, 3], learners: vec![4], ..Configuration::default() }
    }

    #[track_caller]
    fn check(
        configuration: &Configuration,
        change: MemberChange,
        expected: Result<&[u64], MemberError>,
    ) {
        let found = first_step(configuration, &change);
        match (found, expected) {
            (Ok((step, _)), Ok(voters)) => {
                let found: Vec<u64> =
                    voters_after(configuration, &step).into_iter().map(|node| node.0).collect();
                assert_eq!(found, voters);
            }
            (Err(found), Err(expected)) => assert_eq!(found, expected),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let add = |node| MemberChange::Add {
            node: NodeId(node),
            address: "there".to_owned(),
            stay_learner: false,
        };
        let alone = Configuration { voters: vec![1], ..Configuration::default() };
        check(&group(), add(0), Err(MemberError::NodeZero));
        check(&group(), add(3), Err(MemberError::AlreadyMember(NodeId(3))));
        check(&group(), add(4), Err(MemberError::AlreadyMember(NodeId(4))));
        check(&group(), add(5), Ok(&[1, 2, 3]));
        let promote = |node| MemberChange::Promote { node: NodeId(node) };
        check(&group(), promote(3), Err(MemberError::AlreadyVoter(NodeId(3))));
        check(&group(), promote(5), Err(MemberError::NotAMember(NodeId(5))));
        check(&group(), promote(4), Ok(&[1, 2, 3, 4]));
        let demote = |node| MemberChange::Demote { node: NodeId(node) };
        check(&group(), demote(4), Err(MemberError::AlreadyLearner(NodeId(4))));
        check(&group(), demote(2), Ok(&[1, 3]));
        check(&alone, demote(1), Err(MemberError::LastVoter(NodeId(1))));
        let remove = |node| MemberChange::Remove { node: NodeId(node) };
        check(&alone, remove(1), Err(MemberError::LastVoter(NodeId(1))));
        check(&group(), remove(9), Err(MemberError::NotAMember(NodeId(9))));
        check(&group(), remove(4), Ok(&[1, 2, 3]));
        check(&group(), remove(1), Ok(&[2, 3]));
        let full = Configuration {
            voters: (1..=MEMBERS_MAX as u64).collect(),
            ..Configuration::default()
        };
        check(&full, add(99), Err(MemberError::TooManyMembers(MEMBERS_MAX)));
    }

    #[test]
    fn a_replacement_is_one_step_when_the_new_member_has_caught_up() {
        let change =
            MemberChange::Replace { old: NodeId(3), new: NodeId(5), address: "there".to_owned() };
        let (step, goal) = first_step(&group(), &change).expect("it is possible");
        assert_eq!(step.result.joining.get(&5), Some(&3));
        assert_eq!(step.result.addresses.get(&5).map(String::as_str), Some("there"));
        let mut waiting = group();
        waiting.learners.push(5);
        waiting.joining.insert(5, 3);
        assert!(!goal.is_reached(&waiting));
        let step = promote(&waiting, NodeId(5), Some(NodeId(3)));
        let voters = voters_after(&waiting, &step);
        assert_eq!(voters, [1, 2, 5].map(NodeId).into());
        assert!(step.result.joining.is_empty());
        let done = Configuration { voters: vec![1, 2, 5], ..Configuration::default() };
        assert!(goal.is_reached(&done));
        let joint = Configuration { voters_outgoing: vec![1, 2, 3], ..done };
        assert!(!goal.is_reached(&joint));
    }
}
