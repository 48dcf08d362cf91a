//! Who belongs to the cluster, and how an operator brings it back to what it was.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::nemesis::surroundings::{Operator, Surroundings};
use crate::node_id::NodeId;
use crate::platform::Endpoint;
use crate::system::{AdminAction, MemberChange, MemberRole, Members};

/// Between two attempts at a change: another one may have to be completed first.
const PAUSE: Duration = Duration::from_millis(150);

/// The members of every group, by the group's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Roster(Vec<Members>);

impl Roster {
    /// Asks the leaders of all groups.
    pub(super) fn read(operator: &dyn Operator) -> Result<Roster, String> {
        let groups = (0..operator.groups()).map(|group| operator.members(group));
        groups.collect::<Result<_, _>>().map(Roster).map_err(|error| error.to_string())
    }

    /// The members, if nobody comes or goes.
    pub(super) fn settled(operator: &dyn Operator) -> Result<Roster, String> {
        let roster = Roster::read(operator)?;
        match roster.0.iter().all(|members| members.values().all(|role| role.votes())) {
            true => Ok(roster),
            false => Err("not every member votes: a change of members is under way".to_owned()),
        }
    }

    /// The groups that a node is a member of.
    fn groups_of(&self, node: NodeId) -> Vec<u32> {
        let groups = (0_u32..).zip(&self.0);
        groups.filter(|(_, members)| members.contains_key(&node)).map(|(group, _)| group).collect()
    }
}

/// How a cluster gets to another roster: asked for again and again, since other faults may be in the way.
pub(super) struct Changes<'a> {
    operator: &'a dyn Operator,
    surroundings: &'a Surroundings<'a>,
    deadline: Instant,
    /// What went wrong last.
    reason: Option<String>,
}

impl<'a> Changes<'a> {
    /// Attempts end after `patience`.
    pub(super) fn new(
        operator: &'a dyn Operator,
        surroundings: &'a Surroundings<'a>,
        patience: Duration,
    ) -> Changes<'a> {
        Changes { operator, surroundings, deadline: Instant::now() + patience, reason: None }
    }

    /// A node leaves each group that it is a member of.
    pub(super) fn remove(&mut self, node: NodeId, before: &Roster) -> Result<(), String> {
        for group in before.groups_of(node) {
            self.until(group, |members| match members.get(&node) {
                None => Next::Done,
                Some(MemberRole::Changing) => Next::Wait,
                Some(_) => Next::Ask(MemberChange::Remove { node }),
            })?;
        }
        Ok(())
    }

    /// A node loses its vote in each group.
    pub(super) fn demote(&mut self, node: NodeId, before: &Roster) -> Result<(), String> {
        for group in before.groups_of(node) {
            self.until(group, |members| match members.get(&node) {
                Some(MemberRole::Learner) => Next::Done,
                None | Some(MemberRole::Changing) => Next::Wait,
                Some(_) => Next::Ask(MemberChange::Demote { node }),
            })?;
        }
        Ok(())
    }

    /// A node votes again in each group in which it did before.
    pub(super) fn restore(&mut self, node: NodeId, before: &Roster) -> Result<(), String> {
        let address = self.address(node);
        for group in before.groups_of(node) {
            // Whoever was added gets its vote by itself, but one that was demoted does not.
            self.until(group, |members| match members.get(&node) {
                Some(role) if role.votes() => Next::Done,
                None => Next::Ask(MemberChange::Add { node, address }),
                Some(MemberRole::Learner) => Next::Ask(MemberChange::Promote { node }),
                Some(_) => Next::Wait,
            })?;
        }
        Ok(())
    }

    /// Where the other nodes find it.
    fn address(&self, node: NodeId) -> std::net::SocketAddr {
        let platform = self.surroundings.platform;
        let other = self.surroundings.nodes.iter().find(|other| **other != node);
        platform.address(other.map_or(Endpoint::Client, |other| Endpoint::Node(*other)), node)
    }

    fn until(&mut self, group: u32, next: impl Fn(&Members) -> Next) -> Result<(), String> {
        loop {
            match self.operator.members(group) {
                Ok(members) => match next(&members) {
                    Next::Done => return Ok(()),
                    Next::Wait => self.reason = Some("another change is under way".to_owned()),
                    Next::Ask(change) => {
                        // Whatever the answer is, the next list is what counts.
                        let asked =
                            self.operator.perform(group, AdminAction::ChangeMembers(change));
                        self.reason = asked.err().map(|error| error.to_string());
                    }
                },
                Err(error) => self.reason = Some(error.to_string()),
            }
            if Instant::now() >= self.deadline {
                return Err(self.reason.clone().unwrap_or_else(|| "it takes too long".to_owned()));
            }
            std::thread::sleep(PAUSE);
        }
    }
}

enum Next {
    Done,
    Wait,
    Ask(MemberChange),
}

/// Who changes the members.
///
/// # Errors
/// Why they cannot be changed in these surroundings.
pub(super) fn operator_of_members<'a>(
    surroundings: &Surroundings<'a>,
) -> Result<&'a dyn Operator, String> {
    let operator = surroundings.control.operator();
    let operator = operator.ok_or_else(|| "the system has no commands for operators".to_owned())?;
    let nodes = surroundings.nodes;
    let shared = nodes.iter().all(|&node| {
        let seen: BTreeSet<_> = nodes
            .iter()
            .filter(|&&other| other != node)
            .map(|&other| surroundings.platform.address(Endpoint::Node(other), node))
            .collect();
        seen.len() <= 1
    });
    match shared {
        true => Ok(operator),
        false => Err(format!(
            "on platform {} each node knows the others by addresses of its own, and a change of members \
             would give all of them those of one node",
            surroundings.platform.name()
        )),
    }
}
