//! Stopped nodes, which go on at the end.

use super::on_nodes::{NodeAction, on_nodes};
use crate::nemesis::fault::FaultKind;
use crate::nemesis::surroundings::Surroundings;
use crate::node_id::NodeId;
use crate::platform::{PlatformError, ProcessState};

/// SIGSTOP to whole nodes.
pub const PAUSE: FaultKind = FaultKind {
    name: "pause",
    about: "SIGSTOP to whole nodes, SIGCONT when the fault heals. A paused leader wakes up believing \
            that it still leads: finds reads and leases that trust it.",
    help: "\
How: SIGSTOP to every process of the node, from inside its pid namespace (platform loopback: to its process group); \
SIGCONT when the fault heals. Its connections stay open, and the kernel still acknowledges packets.
Seen to act: every process of the node is in state T; afterwards the same process runs.
Finds: what a garbage collection or a virtual machine that was moved does to a node: a leader that does not know that it was \
replaced, leases that ran out unseen, peers and clients that wait without a limit.
With --keep-quorum: never more than a minority.",
    nodes_min: 1,
    forgets: false,
    arrangements: &[],
    variants: |situation| on_nodes(Pause, situation),
};

/// Stops a node, and lets it go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause;

impl NodeAction for Pause {
    const VERB: &'static str = "pause";
    const ACTED: &'static str = "stopped";
    const UNDONE: &'static str = "going on as";

    fn act(
        self,
        node: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<ProcessState, PlatformError> {
        surroundings.platform.process().pause(node)
    }

    fn has_acted(self, state: ProcessState) -> bool {
        matches!(state, ProcessState::Stopped { .. })
    }

    fn undo(
        self,
        node: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<ProcessState, PlatformError> {
        surroundings.platform.process().resume(node)
    }

    fn is_undone(self, before: i32, after: i32) -> bool {
        before == after
    }
}
