//! What this machine allows, found out by trying each thing in a child that is thrown away. Never
//! guessed from versions, never with sudo.
//!
//! ```text
//! probe() ── fork ── unshare, map ── fork ── mounts, bridge and cable, nftables set, iptables
//!         <───────── one line for each: tried, and what the kernel said ─────────┘
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork, pipe2};
use serde::{Deserialize, Serialize};

use super::PlatformError;
use super::clock::try_clocks;
use super::namespaces::enter::{UserNamespace, furnish, unshare_all};
use super::namespaces::{Route, Socket, VethPair, install_nftables, try_iptables};
use super::wait::wait_readable;
use crate::disk::try_fuse;

/// Far more than the tens of milliseconds it takes.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// Something that a platform needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// New user (if needed), network, mount, pid, uts and ipc namespaces, and the mapping of ids.
    Namespaces,
    /// Private mounts, an own /proc and /run.
    Mounts,
    /// A bridge, and a cable into another network namespace.
    Network,
    /// A rule and a set on the bridge.
    Nftables,
    /// The `iptables` program, run in a network namespace.
    Iptables,
    /// File systems in user space (FUSE), by /dev/fuse.
    Fuse,
    /// Addresses such as 127.77.0.1.
    Loopback,
    /// A clock put into a process by ptrace(2).
    Clocks,
}

impl Capability {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Capability; 8] = [
        Capability::Namespaces,
        Capability::Mounts,
        Capability::Network,
        Capability::Nftables,
        Capability::Iptables,
        Capability::Fuse,
        Capability::Loopback,
        Capability::Clocks,
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Capability::Namespaces => "namespaces",
            Capability::Mounts => "private mounts",
            Capability::Network => "bridge and cables",
            Capability::Nftables => "nftables",
            Capability::Iptables => "iptables",
            Capability::Fuse => "FUSE",
            Capability::Loopback => "loopback addresses",
            Capability::Clocks => "clocks of nodes",
        }
    }
}

/// What works here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    failures: BTreeMap<Capability, String>,
}

impl Capabilities {
    /// Everything works but these.
    #[cfg(test)]
    pub(crate) fn from_failures(
        failures: impl IntoIterator<Item = (Capability, String)>,
    ) -> Capabilities {
        Capabilities { failures: failures.into_iter().collect() }
    }

    /// Why something does not work; none if it does.
    pub fn missing(&self, capability: Capability) -> Option<&str> {
        self.failures.get(&capability).map(String::as_str)
    }

    /// The one line that would enable something that is missing.
    pub fn remedy(&self, capability: Capability) -> String {
        super::doctor::remedy(capability)
    }
}

/// The reason of what could not even be tried. What it needs is missing too, and matters more.
pub(crate) const NOT_TRIED: &str = "not tried, for want of something above";

/// One line of the child's report.
#[derive(Serialize, Deserialize)]
struct Tried {
    capability: Capability,
    failure: Option<String>,
}

/// Tries everything in a forked child. To be called by a process with one thread.
pub fn probe() -> Result<Capabilities, PlatformError> {
    let os = |what: &'static str| move |errno: nix::Error| PlatformError::os(what, errno.into());
    let (reports, sink) = pipe2(OFlag::O_CLOEXEC).map_err(os("make a pipe"))?;
    // SAFETY: the process has one thread, so no lock can be held by another one in the child.
    let child = match unsafe { fork() }.map_err(os("fork a probe"))? {
        ForkResult::Child => {
            drop(reports);
            try_all(&sink.into());
            exit()
        }
        ForkResult::Parent { child } => child,
    };
    drop(sink);
    let report = read_bounded(reports.into());
    // It may hang in something that the kernel forbids in a new way.
    kill(child, Signal::SIGKILL).map_err(os("end the probe"))?;
    waitpid(child, None).map_err(os("wait for the probe"))?;

    let mut failures: BTreeMap<_, _> =
        Capability::ALL.map(|capability| (capability, NOT_TRIED.to_owned())).into();
    for line in report?.lines() {
        let Ok(tried) = serde_json::from_str::<Tried>(line) else { continue };
        match tried.failure {
            None => failures.remove(&tried.capability),
            Some(failure) => failures.insert(tried.capability, failure),
        };
    }
    Ok(Capabilities { failures })
}

/// The probe's child: what needs no namespaces, then those, then what needs them.
fn try_all(sink: &File) {
    report(sink, Capability::Loopback, try_loopback());
    report(sink, Capability::Clocks, try_clocks());
    let entered = unshare_all(UserNamespace::WhenNeeded).and_then(|_| {
        // SAFETY: still one thread.
        unsafe { fork() }.map_err(|e| PlatformError::os("fork into a pid namespace", e.into()))
    });
    match entered {
        Err(failure) => report(sink, Capability::Namespaces, Err(failure)),
        Ok(ForkResult::Parent { child }) => {
            let _ = waitpid(child, None);
        }
        Ok(ForkResult::Child) => {
            // The child is killed once its report has been read, and this one with it.
            let _ = prctl::set_pdeathsig(Signal::SIGKILL);
            report(sink, Capability::Namespaces, Ok(()));
            report(sink, Capability::Mounts, furnish());
            report(sink, Capability::Fuse, try_fuse());
            report(sink, Capability::Network, try_network());
            report(sink, Capability::Nftables, try_nftables());
            report(sink, Capability::Iptables, try_iptables());
        }
    }
}

fn report(mut sink: &File, capability: Capability, result: Result<(), PlatformError>) {
    let failure = result.err().map(|error| error.to_string());
    let tried = Tried { capability, failure };
    let line = serde_json::to_string(&tried).expect("a name and a text can be written as JSON");
    // Without a reader nobody needs the report.
    let _ = writeln!(sink, "{line}");
}

fn try_network() -> Result<(), PlatformError> {
    let mut hub = Route::open()?;
    hub.add_bridge("br0", [2, 0, 0, 0, 0, 1])?;
    let path = "/proc/thread-self/ns/net";
    let open = || File::open(path).map_err(|e| PlatformError::os(format!("open {path}"), e));
    let here = open()?;
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|e| PlatformError::os("unshare a second network", e.into()))?;
    // The other end goes back to the first namespace, which `hub` still speaks to.
    let there = open()?;
    hub.add_veth(&VethPair {
        name: "v1",
        index: 1001,
        peer_namespace: there.as_fd(),
        peer_name: "eth0",
        peer_index: 77,
        peer_mac: [2, 0, 0, 0, 0, 2],
    })?;
    nix::sched::setns(here, CloneFlags::CLONE_NEWNET)
        .map_err(|e| PlatformError::os("return to a network namespace", e.into()))
}

fn try_nftables() -> Result<(), PlatformError> {
    install_nftables(&mut Socket::open(libc::NETLINK_NETFILTER)?)
}

fn try_loopback() -> Result<(), PlatformError> {
    let address = Ipv4Addr::new(127, 77, 0, 1);
    TcpListener::bind((address, 0))
        .map(drop)
        .map_err(|error| PlatformError::os(format!("listen on {address}"), error))
}

fn read_bounded(mut reports: File) -> Result<String, PlatformError> {
    let deadline = Instant::now() + PROBE_TIMEOUT;
    let failed = |error| PlatformError::os("read the report of the probe", error);
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while wait_readable(reports.as_fd(), deadline).map_err(failed)? {
        match reports.read(&mut buffer).map_err(failed)? {
            0 => break,
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn exit() -> ! {
    // SAFETY: no pointers. Not exit(3), which would flush buffers that the parent flushes too.
    unsafe { libc::_exit(0) }
}
