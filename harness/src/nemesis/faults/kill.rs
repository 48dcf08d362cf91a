//! Killed nodes, started again at the end.

use super::on_nodes::{NodeAction, on_nodes};
use crate::nemesis::fault::FaultKind;
use crate::nemesis::surroundings::Surroundings;
use crate::node_id::NodeId;
use crate::platform::{PlatformError, ProcessState};

/// SIGKILL to whole nodes.
pub const KILL: FaultKind = FaultKind {
    name: "kill",
    about: "SIGKILL to whole nodes (one, the leader, a minority, a majority, all), started again \
            when the fault heals. Finds what was acknowledged before it was durable.",
    help: "\
How: SIGKILL to the first process of the node's pid namespace, which takes everything the node forked with it \
(platform loopback: to its process group). When the fault heals the node is started again on its old data.
Seen to act: the process is gone; afterwards the node runs under another process id.
Finds: what was acknowledged before it was handed to the kernel; state that does not survive a restart; \
sessions and votes that are forgotten. What was written but not synced survives, because the kernel lives on: \
for that see power-loss.
With --keep-quorum: never more than a minority. Needs --storage rocksdb.",
    nodes_min: 1,
    forgets: true,
    arrangements: &[],
    variants: |situation| on_nodes(Kill, situation),
};

#[derive(Debug, Clone, Copy)]
struct Kill;

impl NodeAction for Kill {
    const VERB: &'static str = "kill";
    const ACTED: &'static str = "gone";
    const UNDONE: &'static str = "started again as";

    fn act(
        self,
        node: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<ProcessState, PlatformError> {
        surroundings.platform.process().kill(node)
    }

    fn has_acted(self, state: ProcessState) -> bool {
        matches!(state, ProcessState::Gone { .. })
    }

    fn undo(
        self,
        node: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<ProcessState, PlatformError> {
        surroundings.control.restart(node)
    }

    fn is_undone(self, before: i32, after: i32) -> bool {
        before != after
    }
}
