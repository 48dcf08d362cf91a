//! What really met: which fault was in force, which operation was under way, and what the node that
//! it was sent to was at that time.
//!
//! ```text
//! pause x write x leader    12 in flight when it began, 31 started while it lasted, 40 ok
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use workloads::history::EventKind;

use crate::nemesis::record::{FaultOutcome, FaultRecord};
use crate::node_id::NodeId;
use crate::report::measure;
use crate::report::operations::TimedOperation;
use crate::role_watch::RoleSample;

/// Which node an operation was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The leader, and the fault acted on it.
    Leader,
    /// Another node that the fault acted on.
    Follower,
    /// A node that the fault acted on, of which nobody knows what it was.
    NotKnown,
    /// A node that the fault did not act on.
    Elsewhere,
}

impl Place {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Place::Leader => "on the leader, hit",
            Place::Follower => "on a follower, hit",
            Place::NotKnown => "on a node of unknown role, hit",
            Place::Elsewhere => "on a node not hit",
        }
    }
}

/// How often one kind of fault met one function in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageCell {
    /// The kind of fault.
    pub fault: String,
    /// The function.
    pub f: String,
    /// Where it was.
    pub place: Place,
    /// Operations that were under way when the fault came into force.
    pub in_flight: u64,
    /// Operations that were invoked while it was in force.
    pub started: u64,
    /// Those of both that took effect.
    pub ok: u64,
}

impl CoverageCell {
    /// Did they ever meet?
    pub fn happened(&self) -> bool {
        self.in_flight + self.started > 0
    }
}

/// Every fault that was seen to act, with every function, in every place; also those that never met.
pub(crate) fn coverage(
    operations: &[TimedOperation<'_>],
    faults: &[FaultRecord],
    roles: &[RoleSample],
    end: u64,
) -> Vec<CoverageCell> {
    let functions: BTreeSet<&str> =
        operations.iter().map(|operation| operation.invocation.f.as_str()).collect();
    let installed: Vec<&FaultRecord> =
        faults.iter().filter(|fault| fault.outcome == FaultOutcome::Installed).collect();
    let mut cells: BTreeMap<(&str, &str, Place), CoverageCell> = BTreeMap::new();
    let mut places = vec![Place::Leader, Place::Follower, Place::Elsewhere];
    if roles.is_empty() {
        places = vec![Place::NotKnown, Place::Elsewhere];
    }
    for fault in &installed {
        for &f in &functions {
            for &place in &places {
                cells
                    .entry((&fault.kind, f, place))
                    .or_insert_with(|| empty(&fault.kind, f, place));
            }
        }
    }
    for fault in installed {
        let Some(window) = measure::fault_windows(std::slice::from_ref(fault), end).pop() else {
            continue;
        };
        let leader = leader_at(roles, window.start);
        for operation in operations.iter().filter(|operation| operation.overlaps(&window)) {
            let invoked = operation.invocation.time;
            let ended_before = operation.end().is_some_and(|end| end <= window.start);
            if invoked >= window.end || ended_before {
                continue;
            }
            let place = place(operation.node(), fault, leader.as_deref());
            let f = operation.invocation.f.as_str();
            let cell = cells
                .entry((&fault.kind, f, place))
                .or_insert_with(|| empty(&fault.kind, f, place));
            match invoked < window.start {
                true => cell.in_flight += 1,
                false => cell.started += 1,
            }
            cell.ok += u64::from(operation.outcome() == EventKind::Ok);
        }
    }
    cells.into_values().collect()
}

fn empty(fault: &str, f: &str, place: Place) -> CoverageCell {
    CoverageCell {
        fault: fault.to_owned(),
        f: f.to_owned(),
        place,
        in_flight: 0,
        started: 0,
        ok: 0,
    }
}

fn place(node: Option<&str>, fault: &FaultRecord, leader: Option<&str>) -> Place {
    let Some(node) = node else { return Place::NotKnown };
    // A fault without targets of its own acts on all.
    let is_hit =
        fault.targets.is_empty() || fault.targets.iter().any(|target| target.to_string() == node);
    match (is_hit, leader) {
        (false, _) => Place::Elsewhere,
        (true, None) => Place::NotKnown,
        (true, Some(leader)) if leader == node => Place::Leader,
        (true, Some(_)) => Place::Follower,
    }
}

/// Who led at this time, as far as the last look before it tells: of those who believe it, the one
/// of the highest term.
pub(crate) fn leader_at(roles: &[RoleSample], time: u64) -> Option<String> {
    let looks = roles.partition_point(|sample| sample.time <= time);
    // A cluster in an election has nobody; the one who led before it is no leader any more.
    let (last, before) = roles[..looks].split_last()?;
    let of = |sample: &RoleSample| -> Option<NodeId> {
        let leaders = sample.nodes.iter().filter(|(_, role)| role.role == "leader");
        leaders.max_by_key(|(_, role)| role.term).map(|(&node, _)| node)
    };
    of(last).or_else(|| before.last().and_then(of)).map(|node| node.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::{self, Op, SECOND};
    use crate::report::operations::pair;
    use crate::role_watch::NodeRole;

    fn look(seconds: u64, leader: u16, term: u64) -> RoleSample {
        let role = |node: u16| NodeRole {
            role: if node == leader { "leader" } else { "follower" }.to_owned(),
            term,
            committed: None,
        };
        let nodes = (1..=3).map(|node| (NodeId(node), role(node))).collect();
        RoleSample { time: seconds * SECOND, nodes }
    }

    fn op(process: u64, f: &'static str, start: u64, latency: u64) -> Op {
        Op { process, f, start, latency, outcome: EventKind::Ok }
    }

    /// All operations go to n1, and so does the fault, from 4 s to 6 s.
    fn cells(ops: &[Op], roles: &[RoleSample]) -> Vec<CoverageCell> {
        let events = fixtures::history(ops);
        let faults = [fixtures::fault("pause", FaultOutcome::Installed)];
        coverage(&pair(&events), &faults, roles, 10 * SECOND)
    }

    #[test]
    fn a_write_in_flight_on_the_leader_when_it_was_paused_is_counted() {
        let ops = [op(0, "write", 3990, 20), op(1, "read", 5000, 5), op(2, "write", 7000, 5)];
        let cells = cells(&ops, &[look(3, 1, 4), look(5, 2, 5)]);
        let of = |f: &str, place| {
            let cell = cells.iter().find(|cell| cell.f == f && cell.place == place).unwrap();
            (cell.in_flight, cell.started, cell.ok)
        };
        assert_eq!(of("write", Place::Leader), (1, 0, 1));
        assert_eq!(of("read", Place::Leader), (0, 1, 1));
        assert_eq!(of("write", Place::Follower), (0, 0, 0));
        assert!(cells.iter().any(|cell| !cell.happened()));
    }

    #[test]
    fn without_looks_at_the_nodes_the_role_is_not_known() {
        let cells = cells(&[op(0, "write", 3990, 20)], &[]);
        let met: Vec<Place> =
            cells.iter().filter(|cell| cell.happened()).map(|cell| cell.place).collect();
        assert_eq!(met, [Place::NotKnown]);
    }

    #[test]
    fn of_two_who_believe_that_they_lead_the_later_term_does() {
        let mut two = look(3, 1, 4);
        two.nodes
            .insert(NodeId(3), NodeRole { role: "leader".to_owned(), term: 5, committed: Some(9) });
        assert_eq!(leader_at(&[two.clone()], 4 * SECOND).as_deref(), Some("n3"));
        assert_eq!(leader_at(&[two], SECOND), None);
    }
}
