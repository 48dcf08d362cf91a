//! Fabric `iptables`, for those who want exactly what Jepsen does: in each node's namespace a chain
//! with one rule for every node it must not hear.
//!
//! ```text
//! INPUT ──> BREAKWATER: -s 10.77.0.2 ──> BREAKWATER-DROP: DROP (which counts)
//! ```

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::prober::Prober;
use super::topology::{Topology, enter_network};
use crate::node_id::NodeId;
use crate::platform::process::image::find_on_path;
use crate::platform::wait::wait_readable;
use crate::platform::{Fabric, Link, PlatformError, ProbeResult};

const CHAIN: &str = "BREAKWATER";
const DROP_CHAIN: &str = "BREAKWATER-DROP";

/// iptables itself waits this long for its lock (`-w`), and we a little longer for iptables.
const LOCK_SECONDS: &str = "5";
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// The chains and what is in them.
#[derive(Debug)]
pub(crate) struct Iptables {
    program: PathBuf,
    topology: Arc<Topology>,
    prober: Prober,
    cut: Mutex<BTreeSet<Link>>,
}

impl Iptables {
    /// Adds the empty chains in every node's namespace.
    pub(crate) fn new(topology: Arc<Topology>) -> Result<Iptables, PlatformError> {
        let program = find_iptables()?;
        let prober = Prober::new(Arc::clone(&topology));
        let cut = Mutex::default();
        let fabric = Iptables { program, topology, prober, cut };
        for &node in fabric.topology.nodes.keys() {
            fabric.run(node, ["-N", DROP_CHAIN])?;
            fabric.run(node, ["-A", DROP_CHAIN, "-j", "DROP"])?;
            fabric.run(node, ["-N", CHAIN])?;
            fabric.run(node, ["-I", "INPUT", "-j", CHAIN])?;
        }
        Ok(fabric)
    }

    /// Adds (`-A`) or deletes (`-D`) the rule of one link, at the receiving end.
    fn change(&self, action: &str, (from, to): Link) -> Result<(), PlatformError> {
        let source = self.topology.node(from)?.address.to_string();
        self.run(to, [action, CHAIN, "-s", &source, "-j", DROP_CHAIN]).map(drop)
    }

    fn run<'a>(
        &self,
        node: NodeId,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Result<String, PlatformError> {
        let mut command = Command::new(&self.program);
        command.args(["-w", LOCK_SECONDS]).args(arguments);
        let namespace = self.topology.node(node)?.clone_namespace()?;
        // SAFETY: the closure makes system calls only, on a descriptor that it owns.
        unsafe {
            command.pre_exec(move || {
                enter_network(namespace.as_fd())?;
                keep_network_capabilities()
            });
        }
        run_bounded(command, &format!("on {node}"))
    }
}

impl Fabric for Iptables {
    fn name(&self) -> &'static str {
        "iptables"
    }

    fn cut(&self, links: &BTreeSet<Link>) -> Result<(), PlatformError> {
        let mut current = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        // Kept in step rule by rule, so that a failure half-way can still be healed.
        let (added, removed): (Vec<Link>, Vec<Link>) = (
            links.difference(&current).copied().collect(),
            current.difference(links).copied().collect(),
        );
        for link in added {
            self.change("-A", link)?;
            current.insert(link);
        }
        for link in removed {
            self.change("-D", link)?;
            current.remove(&link);
        }
        Ok(())
    }

    fn probe(&self, links: &[Link], patience: Duration) -> Result<Vec<ProbeResult>, PlatformError> {
        self.prober.probe(links, patience)
    }

    fn dropped(&self) -> Option<u64> {
        let counts = self.topology.nodes.keys().map(|&node| {
            let listing = self.run(node, ["-n", "-v", "-x", "-L", DROP_CHAIN]).ok()?;
            counted_packets(&listing)
        });
        counts.sum()
    }
}

/// The program, or why this fabric cannot be had.
pub(crate) fn find_iptables() -> Result<PathBuf, PlatformError> {
    find_on_path(OsStr::new("iptables")).ok_or_else(|| {
        PlatformError::Unsupported(
            "the iptables program was not found\n\
             hint: install the iptables package, or leave out --fabric iptables: \
             nftables needs no program"
                .to_owned(),
        )
    })
}

/// Runs iptables in this thread's network namespace; what a capability probe tries.
pub(crate) fn try_iptables() -> Result<(), PlatformError> {
    let mut command = Command::new(find_iptables()?);
    command.args(["-w", LOCK_SECONDS, "-N", CHAIN]);
    // SAFETY: the closure makes system calls only.
    unsafe { command.pre_exec(keep_network_capabilities) };
    run_bounded(command, "in a new namespace").map(drop)
}

/// An ordinary user's program loses its capabilities at exec, unless they are ambient. For
/// iptables only; nodes get none. Async-signal-safe.
fn keep_network_capabilities() -> io::Result<()> {
    const CAP_NET_ADMIN: u32 = 12;
    const CAP_NET_RAW: u32 = 13;
    const VERSION_3: u32 = 0x2008_0522;
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Data {
        effective: u32,
        permitted: u32,
        inheritable: u32,
    }
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 wants a header and two data blocks, as laid out in linux/capability.h.
    unsafe {
        if libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
        data[0].inheritable |= 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW;
        if libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) < 0 {
            return Err(io::Error::last_os_error());
        }
        for capability in [CAP_NET_ADMIN, CAP_NET_RAW] {
            let raise = libc::PR_CAP_AMBIENT_RAISE;
            if libc::prctl(libc::PR_CAP_AMBIENT, raise, capability as libc::c_ulong, 0, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

/// Runs a command to its end, or kills it at the deadline; its standard output.
fn run_bounded(mut command: Command, place: &str) -> Result<String, PlatformError> {
    let words: Vec<OsString> = command.get_args().map(OsStr::to_owned).collect();
    let what = format!("run iptables {} {place}", words.join(OsStr::new(" ")).display());
    let failed = |error| PlatformError::os(&what, error);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    // The end of its output is the end of the program, which says little enough for a pipe.
    let deadline = Instant::now() + COMMAND_TIMEOUT;
    let mut outputs = [String::new(), String::new()];
    let stdout = child.stdout.take().expect("stdout is a pipe");
    let stderr = child.stderr.take().expect("stderr is a pipe");
    let ended = read_bounded(stdout, &mut outputs[0], deadline)
        .and_then(|ended| Ok(ended && read_bounded(stderr, &mut outputs[1], deadline)?))
        .map_err(failed)?;
    if !ended {
        let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
        nix::sys::signal::kill(pid, Signal::SIGKILL).map_err(|e| failed(e.into()))?;
        child.wait().map_err(failed)?;
        return Err(PlatformError::timeout(what, COMMAND_TIMEOUT));
    }
    let status = child.wait().map_err(failed)?;
    let [output, complaint] = outputs;
    if status.success() {
        Ok(output)
    } else {
        Err(PlatformError::Unsupported(format!("{what}: {status}: {}", complaint.trim())))
    }
}

/// Reads to the end; false if that is not reached by the deadline.
fn read_bounded(
    mut from: impl Read + AsFd,
    into: &mut String,
    deadline: Instant,
) -> io::Result<bool> {
    let mut bytes = [0_u8; 4096];
    while wait_readable(from.as_fd(), deadline)? {
        match from.read(&mut bytes)? {
            0 => return Ok(true),
            length => into.push_str(&String::from_utf8_lossy(&bytes[..length])),
        }
    }
    Ok(false)
}

/// The first column of the only rule of the listed chain.
fn counted_packets(listing: &str) -> Option<u64> {
    let rule = listing.lines().find(|line| line.contains("DROP ") && !line.starts_with("Chain"))?;
    rule.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packets_of_the_drop_rule_are_read() {
        let listing = "Chain BREAKWATER-DROP (1 references)\n\
            \x20   pkts      bytes target     prot opt in     out     source               destination\n\
            \x20      6      240 DROP       all  --  *      *       0.0.0.0/0            0.0.0.0/0\n";
        assert_eq!(counted_packets(listing), Some(6));
        assert_eq!(counted_packets("Chain BREAKWATER-DROP (1 references)\n"), None);
    }
}
