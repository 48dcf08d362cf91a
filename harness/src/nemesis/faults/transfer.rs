//! Leadership that is handed over again and again.

use std::sync::Arc;

use super::admin_loop::{AdminLoop, another};
use crate::nemesis::fault::{Fault, FaultKind};
use crate::system::AdminAction;

/// Transfers of leadership by the commands of operators.
pub const TRANSFER: FaultKind = FaultKind {
    name: "transfer",
    about: "Leadership is handed over by the commands of operators, again and again. Finds what a leader \
            forgets to hand over, or goes on with.",
    help: "\
How: the leader of each group is told to hand leadership over, again every 0.2 to 1.2 s until the fault heals: `furthest`: to \
whichever voter has most of the log; `anybody`: to a random other node, which may be far behind or not there.
Seen to act: the answer says who leads; the record has the last answers, the errors, and how many there were of each.
Finds: writes and reads that are in flight when the leader changes without having failed; leases of the leader that \
are not given up; requests that are refused for a moment, and answered all the same.
Nodes keep running: a quorum is always left. Works beside every other fault; then some commands fail, which the record counts. \
Needs the commands of operators.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants: |_| {
        vec![
            Arc::new(AdminLoop {
                verb: "transfer of leadership",
                variant: "furthest",
                next: |_, _, _| Some(AdminAction::Transfer { to: None }),
                pause_ms: PAUSE_MS,
            }) as Arc<dyn Fault>,
            Arc::new(AdminLoop {
                verb: "transfer of leadership",
                variant: "anybody",
                next: |nodes, leader, random| {
                    let to = another(nodes, leader, random)?;
                    Some(AdminAction::Transfer { to: Some(to) })
                },
                pause_ms: PAUSE_MS,
            }),
        ]
    },
};

const PAUSE_MS: (u64, u64) = (200, 1_200);
