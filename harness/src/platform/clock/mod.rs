//! Clocks of nodes that can be set while the nodes run.
//!
//! ```text
//! harness ── set() ──> page (shared memory) <── read ── image, in place of the kernel's vDSO
//!                                                         ^ the node's clock_gettime, gettimeofday, time
//! stub ── at the node's exec: map page and image, point the auxiliary vector at the image ──┘
//! ```
//!
//! Only the wall clock is moved (CLOCK_REALTIME and those that run with it), as when NTP or an
//! administrator steps it; CLOCK_MONOTONIC, timers and timeouts are not. Not fooled: programs that
//! make the system call themselves or are executed by the node later, timestamps of files, and
//! waits until a wall-clock time. The page belongs to the node, not to its process: it is found
//! again after a restart. x86-64 only.

mod image;
pub(crate) mod inject;
mod node_clocks;
mod page;
mod setting;

pub(crate) use node_clocks::{NodeClocks, try_clocks};
pub use setting::{ClockSetting, Strobe};

use super::PlatformError;
use crate::node_id::NodeId;

/// The wall clocks of the nodes.
pub trait Clocks: Send + Sync {
    /// Changes what a node's clock shows, from now on and at once; also in a node that is started later.
    ///
    /// # Errors
    /// There is no such node.
    fn set(&self, node: NodeId, setting: ClockSetting) -> Result<SetClock, PlatformError>;

    /// What was set last; a true clock if nothing was. None if there is no such node.
    fn current(&self, node: NodeId) -> Option<SetClock>;
}

/// A setting, and since when it is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetClock {
    /// What was set.
    pub setting: ClockSetting,
    /// The real time of that (nanoseconds since 1970).
    pub since: i64,
}

/// The wall clock of the harness, which nobody moves (nanoseconds since 1970).
pub fn real_time() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_1970.map_or(0, |time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
}
