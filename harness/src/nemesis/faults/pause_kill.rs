//! Stopped nodes that are killed before they go on.

use super::on_nodes::{NodeAction, on_nodes};
use super::pause::Pause;
use crate::nemesis::fault::FaultKind;
use crate::nemesis::surroundings::Surroundings;
use crate::node_id::NodeId;
use crate::platform::{PlatformError, ProcessState};

/// SIGSTOP, and SIGKILL instead of SIGCONT.
pub const PAUSE_KILL: FaultKind = FaultKind {
    name: "pause-kill",
    about: "SIGSTOP to whole nodes, SIGKILL while they are stopped, then a new start. A node that comes \
            back from it has never learned that others went on without it.",
    help: "\
How: SIGSTOP to every process of the node. When the fault heals, and another node has led long since, SIGKILL to the stopped \
node, and a start on its old data.
Seen to act: every process of the node is in state T; afterwards it is gone, and then runs under another process id.
Finds: what differs between the node's memory and its disk at a moment that it did not choose; what a node believes at its \
start of a term that is over: entries that nobody else has, a vote, a commit index.
With --keep-quorum: never more than a minority. Needs --storage rocksdb.",
    nodes_min: 1,
    forgets: true,
    arrangements: &[],
    variants: |situation| on_nodes(PauseKill, situation),
};

#[derive(Debug, Clone, Copy)]
struct PauseKill;

impl NodeAction for PauseKill {
    const VERB: &'static str = "pause-kill";
    const ACTED: &'static str = Pause::ACTED;
    const UNDONE: &'static str = "killed while stopped, and started again as";

    fn act(
        self,
        node: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<ProcessState, PlatformError> {
        Pause.act(node, surroundings)
    }

    fn has_acted(self, state: ProcessState) -> bool {
        Pause.has_acted(state)
    }

    fn undo(
        self,
        node: NodeId,
        surroundings: &Surroundings<'_>,
    ) -> Result<ProcessState, PlatformError> {
        match surroundings.platform.process().kill(node)? {
            ProcessState::Gone { .. } => surroundings.control.restart(node),
            state => Ok(state),
        }
    }

    fn is_undone(self, before: i32, after: i32) -> bool {
        before != after
    }
}
