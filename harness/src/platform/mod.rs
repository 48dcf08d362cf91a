//! Where nodes live, and the fault surface of that place.
//!
//! ```text
//! Platform ─┬─ ProcessControl   start, kill, pause, resume, terminate a whole node
//!           ├─ Fabric           cut a set of directed pairs atomically, shape others, probe, count
//!           └─ Clocks           move what a node's wall clock shows, if that was arranged
//! ```
//!
//! `namespaces` (default) gives every node its own network and pid namespace, joined by a bridge;
//! `loopback` is weaker: addresses on loopback and a TCP proxy for each directed link.
//! Nothing may be left behind, whatever happens to the harness.
//!
//! ```text
//! main ── probe() ──> capabilities ── choose() ──> namespaces: enter(), then Namespaces::new()
//!         (in a forked child)                      loopback:            Loopback::new()
//! ```
//!
//! `probe` and `enter` need a process with one thread: they come first in `main`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::node_id::NodeId;

pub mod capability;
mod choice;
mod clock;
mod conditions;
mod doctor;
pub mod external;
pub mod loopback;
pub mod namespaces;
mod process;
mod wait;

pub use capability::{Capabilities, probe};
pub use choice::{Chosen, FabricChoice, PlatformChoice, choose};
pub use clock::{ClockSetting, Clocks, SetClock, Strobe, real_time};
pub use conditions::{Carried, Connections, LinkConditions, Measured, TcpCounters, Train};
pub use doctor::doctor;
pub(crate) use process::image::find_program;

/// Who opens a connection to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A client of the harness; never cut off by a partition of nodes.
    Client,
    /// Another node.
    Node(NodeId),
}

/// A directed pair: packets from the first to the second.
pub type Link = (NodeId, NodeId);

/// How to start a node.
#[derive(Debug, Clone)]
pub struct NodeCommand {
    /// Program (absolute path or on the PATH) and arguments.
    pub argv: Vec<OsString>,
    /// Where stdout and stderr are appended.
    pub log: PathBuf,
}

/// What a node's process is doing, as seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum ProcessState {
    /// Alive.
    Running {
        /// The process id, as the harness sees it.
        pid: i32,
    },
    /// Stopped by SIGSTOP.
    Stopped {
        /// The process id, as the harness sees it.
        pid: i32,
    },
    /// Ended by itself or killed; or never started.
    Gone {
        /// Exit code, or 128 + signal; none if it never started.
        status: Option<i32>,
    },
}

/// A platform could not do what was asked. Always the harness's failure, never the system's.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// A call to the kernel failed.
    #[error("{what}: {source}")]
    Os {
        /// What was attempted, as a verb phrase.
        what: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The platform cannot do this here.
    #[error("{0}")]
    Unsupported(String),
    /// Something that should happen did not, within a limit.
    #[error("{what}: not within {waited:?}")]
    Timeout {
        /// What was waited for, as a verb phrase.
        what: String,
        /// The limit.
        waited: Duration,
    },
}

impl PlatformError {
    pub(crate) fn os(what: impl Into<String>, source: std::io::Error) -> PlatformError {
        PlatformError::Os { what: what.into(), source }
    }

    pub(crate) fn last_os(what: impl Into<String>) -> PlatformError {
        PlatformError::os(what, std::io::Error::last_os_error())
    }

    pub(crate) fn timeout(what: impl Into<String>, waited: Duration) -> PlatformError {
        PlatformError::Timeout { what: what.into(), waited }
    }
}

/// A place in which nodes live.
pub trait Platform: Send + Sync {
    /// `namespaces`, `loopback` or `external`.
    fn name(&self) -> &'static str;

    /// What is weaker here than on real machines; printed in the report.
    fn notes(&self) -> Vec<String>;

    /// Where `node` should listen. The port is free there.
    fn listen_address(&self, node: NodeId) -> SocketAddr;

    /// Where `from` finds `to`.
    fn address(&self, from: Endpoint, to: NodeId) -> SocketAddr;

    /// Control of the nodes' processes.
    fn process(&self) -> &dyn ProcessControl;

    /// Control of the network between the nodes.
    fn fabric(&self) -> &dyn Fabric;

    /// Control of the nodes' wall clocks; none unless that was arranged before the nodes started.
    fn clocks(&self) -> Option<&dyn Clocks> {
        None
    }
}

/// Starts and stops whole nodes (the process and all it forked). Blocking calls, each bounded to seconds.
pub trait ProcessControl: Send + Sync {
    /// Starts a node that is not running.
    fn start(&self, node: NodeId, command: &NodeCommand) -> Result<ProcessState, PlatformError>;

    /// SIGKILL to the whole node; returns once it is seen to be gone.
    fn kill(&self, node: NodeId) -> Result<ProcessState, PlatformError>;

    /// SIGSTOP to the whole node; returns once it is seen to be stopped.
    fn pause(&self, node: NodeId) -> Result<ProcessState, PlatformError>;

    /// SIGCONT to the whole node; returns once it is seen to run.
    fn resume(&self, node: NodeId) -> Result<ProcessState, PlatformError>;

    /// SIGTERM, then SIGKILL after `patience`; returns once it is gone.
    fn terminate(&self, node: NodeId, patience: Duration) -> Result<ProcessState, PlatformError>;

    /// What the node is doing now.
    fn state(&self, node: NodeId) -> ProcessState;
}

/// The network between the nodes.
pub trait Fabric: Send + Sync {
    /// `nftables`, `iptables` or `proxy`.
    fn name(&self) -> &'static str;

    /// Drops packets on exactly these links from now on, in place of whatever was cut before.
    /// `nftables` replaces the whole set atomically; others say in [`Platform::notes`] that they do not.
    fn cut(&self, links: &BTreeSet<Link>) -> Result<(), PlatformError>;

    /// Cuts nothing.
    fn heal(&self) -> Result<(), PlatformError> {
        self.cut(&BTreeSet::new())
    }

    /// Sends real packets over each link and says over which of them they arrived within `patience`.
    fn probe(&self, links: &[Link], patience: Duration) -> Result<Vec<ProbeResult>, PlatformError>;

    /// Packets dropped by cuts since the start of the run, where the fabric can count them.
    fn dropped(&self) -> Option<u64>;

    /// Packets of exactly these links meet these conditions from now on, those of others none. A link
    /// that is also cut is cut. Chances are drawn from `seed`, on each link apart; a link whose
    /// conditions do not change goes on drawing.
    fn shape(
        &self,
        conditions: &BTreeMap<Link, LinkConditions>,
        _seed: u64,
    ) -> Result<(), PlatformError> {
        if conditions.is_empty() {
            return Ok(());
        }
        Err(carries_no_packets(self.name(), "shape links"))
    }

    /// What befell the packets of shaped links since the start of the run.
    fn carried(&self) -> Carried {
        Carried::default()
    }

    /// Sends a train of packets over each link and says what became of it.
    fn measure(&self, _: &[Link], _: Train) -> Result<Vec<Measured>, PlatformError> {
        Err(carries_no_packets(self.name(), "measure links"))
    }

    /// What the node's TCP has counted.
    fn tcp_counters(&self, _: NodeId) -> Result<TcpCounters, PlatformError> {
        Err(carries_no_packets(self.name(), "read the TCP counters of a node"))
    }
}

/// The error of a fabric that only cuts.
fn carries_no_packets(fabric: &str, what: &str) -> PlatformError {
    PlatformError::Unsupported(format!(
        "the fabric {fabric} cannot {what}: it does not carry the packets itself\n\
         hint: --platform namespaces --fabric nftables can"
    ))
}

/// What a probe saw on one link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// Sender.
    pub from: NodeId,
    /// Receiver.
    pub to: NodeId,
    /// Probe packets sent.
    pub sent: u32,
    /// Probe packets that arrived.
    pub arrived: u32,
}
