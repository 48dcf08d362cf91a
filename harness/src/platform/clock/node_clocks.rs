//! A clock for each node, and whether clocks work here.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

use super::inject;
use super::page::ClockPage;
use super::{ClockSetting, Clocks, SetClock};
use crate::node_id::NodeId;
use crate::platform::PlatformError;

/// The clocks of all nodes of a platform.
#[derive(Debug)]
pub(crate) struct NodeClocks {
    pages: BTreeMap<NodeId, ClockPage>,
}

impl NodeClocks {
    /// True clocks.
    pub(crate) fn new(nodes: impl Iterator<Item = NodeId>) -> Result<NodeClocks, PlatformError> {
        let pages = nodes.map(|node| Ok((node, ClockPage::new()?)));
        Ok(NodeClocks { pages: pages.collect::<Result<_, PlatformError>>()? })
    }

    /// What a node's process is to map.
    pub(crate) fn descriptor(&self, node: NodeId) -> Result<OwnedFd, PlatformError> {
        let file = self.page(node)?.file();
        file.try_clone_to_owned().map_err(|error| PlatformError::os("share a clock", error))
    }

    fn page(&self, node: NodeId) -> Result<&ClockPage, PlatformError> {
        let page = self.pages.get(&node);
        page.ok_or_else(|| PlatformError::Unsupported(format!("there is no {node}")))
    }
}

impl Clocks for NodeClocks {
    fn set(&self, node: NodeId, setting: ClockSetting) -> Result<SetClock, PlatformError> {
        Ok(self.page(node)?.set(setting))
    }

    fn current(&self, node: NodeId) -> Option<SetClock> {
        self.pages.get(&node).map(ClockPage::current)
    }
}

/// Traces a child and maps a clock into it, as is done with a node. To be called by a process with
/// one thread.
pub(crate) fn try_clocks() -> Result<(), PlatformError> {
    let page = ClockPage::new()?;
    // SAFETY: the process has one thread, so no lock can be held by another one in the child.
    let forked = unsafe { fork() };
    match forked.map_err(|e| PlatformError::os("fork a child to trace", e.into()))? {
        ForkResult::Child => {
            // Killed by the parent as soon as it has stopped. One that could not stop just ends,
            // which the parent takes for a refusal.
            if inject::trace_me().is_ok() {
                let _ = raise(Signal::SIGSTOP);
            }
            // SAFETY: no pointers.
            unsafe { libc::_exit(1) }
        }
        ForkResult::Parent { child } => {
            let tried = inject::try_map(child.as_raw(), page.file().as_raw_fd());
            // It may have ended by itself.
            let _ = kill(child, Signal::SIGKILL);
            let _ = waitpid(child, None);
            tried.map_err(|errno| {
                let source = std::io::Error::from_raw_os_error(errno);
                PlatformError::os("trace a child and map memory into it", source)
            })
        }
    }
}
