//! Snapshots that are forced.

use std::sync::Arc;

use rand::seq::IndexedRandom;

use super::admin_loop::{AdminLoop, another};
use crate::nemesis::fault::{Fault, FaultKind};
use crate::system::AdminAction;

/// Snapshots by the commands of operators.
pub const SNAPSHOT: FaultKind = FaultKind {
    name: "snapshot",
    about: "Nodes are told to take a snapshot and to forget the log behind it, again and again. Finds what \
            goes on wrongly while a snapshot is taken, and what needs the log that is gone.",
    help: "\
How: a node of each group is told to take a snapshot of its state and to compact its log behind it, again every 100 to 500 ms until the \
fault heals: `any`: a random node; `leader`: the leader; `followers`: a random node that does not lead.
Seen to act: the answer has the last entry in the snapshot; the record has the last answers, the errors, and how many there were.
Finds: writes that come while a snapshot is taken; followers that need entries which are gone (beside a partition or a pause); \
restarts from a snapshot and what is behind it (beside a kill).
Nodes keep running: a quorum is always left. Works beside every other fault. Needs the commands of operators.",
    nodes_min: 1,
    forgets: false,
    arrangements: &[],
    variants: |_| {
        let commands = |variant, next| {
            let verb = "snapshots";
            Arc::new(AdminLoop { verb, variant, next, pause_ms: (100, 500) }) as Arc<dyn Fault>
        };
        vec![
            commands("any", |nodes, _, random| {
                let node = *nodes.choose(random)?;
                Some(AdminAction::Snapshot { node })
            }),
            commands("leader", |_, leader, _| Some(AdminAction::Snapshot { node: leader? })),
            commands("followers", |nodes, leader, random| {
                let node = another(nodes, leader, random)?;
                Some(AdminAction::Snapshot { node })
            }),
        ]
    },
};
