//! Entering fresh namespaces, without root and without a helper binary.
//!
//! ```text
//! outer (the process a person started)          waits, forwards INT, TERM and HUP, exits with
//!   └─ inner (pid 1 of a new pid namespace)     the code of the inner one, which is the harness
//! ```
//!
//! Users and groups are mapped to themselves, not to root: the harness keeps every capability in
//! its namespaces because it never executes a new image, and every node loses them all because it
//! does. Programs that refuse to run as root therefore start normally.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{self, SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid, pipe2, setpgid};

use super::netlink::Route;
use crate::platform::PlatformError;
use crate::stop::hangup_is_ignored;

/// What [`enter`] may do.
#[derive(Debug, Clone, Copy)]
pub struct EnterOptions {
    /// Whether a user namespace is made.
    pub user_namespace: UserNamespace,
}

/// When to make a user namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserNamespace {
    /// Only without the capabilities to make the other namespaces.
    WhenNeeded,
    /// Also as root; nodes that run as root then have power over the namespaces only.
    Always,
}

/// Proof that this process is the inner one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entered {
    /// A user namespace was made.
    pub user_namespace: bool,
    /// This process, numbered as outside of its namespaces.
    pub outside_pid: i32,
}

/// The namespaces could not be entered. The process may be in some of them by then, so the only
/// thing left to do is to exit; ask [`crate::platform::probe`] before.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// A process with several threads cannot make a user namespace.
    #[error("{0} threads are running; namespaces must be entered first thing in main")]
    Threads(usize),
    /// A step was refused.
    #[error(transparent)]
    Step(#[from] PlatformError),
}

/// Signals passed on to the inner process.
const FORWARDED: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// A signal to a whole group reaches us once from the sender and once from, say, `timeout(1)`;
/// a person needs longer than this to press Ctrl-C again.
const REPEAT_GAP: Duration = Duration::from_millis(100);

/// The inner process takes the first signal as "stop" and the second as "now". One that ignored
/// both is killed by the third.
const PATIENCE_SIGNALS: u32 = 3;

/// Enters new namespaces and returns in the inner process only. To be called by a process with one
/// thread, before anything else: before an async runtime, before logging threads.
pub fn enter(options: &EnterOptions) -> Result<Entered, EnterError> {
    let threads = thread_count().map_err(|error| PlatformError::os("count own threads", error))?;
    if threads != 1 {
        return Err(EnterError::Threads(threads));
    }
    let user_namespace = unshare_all(options.user_namespace)?;

    // The write end stays with the outer process, so its death is seen even before the death
    // signal is armed: the parent of a pid 1 cannot be asked for, getppid() is 0.
    let (alive, parent) = pipe2(OFlag::O_CLOEXEC).map_err(|e| os("make a pipe", e))?;
    let waited: SigSet = FORWARDED.into_iter().chain([Signal::SIGCHLD]).collect();
    let mut mask = SigSet::empty();
    signal::sigprocmask(SigmaskHow::SIG_BLOCK, Some(&waited), Some(&mut mask))
        .map_err(|e| os("block signals", e))?;
    // SAFETY: the process has one thread, so no lock can be held by another one in the child.
    match unsafe { fork() }.map_err(|e| os("fork the inner process", e))? {
        ForkResult::Parent { child } => {
            drop(alive);
            supervise(child, &waited, parent)
        }
        ForkResult::Child => {
            drop(parent);
            become_inner(&alive, &mask)?;
            let outside_pid = outside_pid()?;
            furnish()?;
            Ok(Entered { user_namespace, outside_pid })
        }
    }
}

/// Unshares, and maps the user and group to themselves if that made a user namespace.
pub(crate) fn unshare_all(user_namespace: UserNamespace) -> Result<bool, PlatformError> {
    let (user, group) = (geteuid(), getegid());
    let wanted = user_namespace == UserNamespace::Always || !has_capabilities()?;
    let mut flags = CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    flags.set(CloneFlags::CLONE_NEWUSER, wanted);
    unshare(flags).map_err(|e| os("unshare namespaces", e))?;
    if wanted {
        let write = |path: &str, line: String| {
            std::fs::write(path, line)
                .map_err(|error| PlatformError::os(format!("write {path}"), error))
        };
        write("/proc/self/setgroups", "deny".to_owned())?;
        write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    Ok(wanted)
}

/// Private mounts, an own /proc and /run, loopback up: to be done by pid 1 of the new namespaces.
pub(crate) fn furnish() -> Result<(), PlatformError> {
    let none: Option<&str> = None;
    let hidden = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("none"), "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|e| os("make mounts private", e))?;
    mount(Some("proc"), "/proc", Some("proc"), hidden | MsFlags::MS_NOEXEC, none)
        .map_err(|e| os("mount /proc", e))?;
    // The lock of iptables lives in /run, which an ordinary user cannot write.
    mount(Some("tmpfs"), "/run", Some("tmpfs"), hidden, none)
        .map_err(|e| os("mount a tmpfs on /run", e))?;
    Route::open()?.link_up("lo")
}

/// The pid of this process as /proc has it, which is still that of the outer namespaces.
fn outside_pid() -> Result<i32, PlatformError> {
    let error = |error| PlatformError::os("read /proc/self", error);
    let link = std::fs::read_link("/proc/self").map_err(error)?;
    let pid = link.to_str().and_then(|pid| pid.parse().ok());
    pid.ok_or_else(|| error(io::Error::other(format!("{} is no pid", link.display()))))
}

fn os(what: &str, errno: Errno) -> PlatformError {
    PlatformError::os(what, errno.into())
}

fn thread_count() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Whether namespaces can be made and networks administered without a user namespace.
fn has_capabilities() -> Result<bool, PlatformError> {
    const CAP_NET_ADMIN: u32 = 12;
    const CAP_SYS_ADMIN: u32 = 21;
    const NEEDED: u64 = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN;
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| PlatformError::os("read /proc/self/status", error))?;
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .unwrap_or(0);
    Ok(effective & NEEDED == NEEDED)
}

/// Arms everything that ends the inner process with the outer one, and gives signals a meaning.
fn become_inner(alive: &OwnedFd, mask: &SigSet) -> Result<(), PlatformError> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| os("ask for a death signal", e))?;
    let mut parent = [PollFd::new(alive.as_fd(), PollFlags::POLLIN)];
    nix::poll::poll(&mut parent, PollTimeout::ZERO).map_err(|e| os("look at the parent", e))?;
    if parent[0].any() == Some(true) {
        // SAFETY: _exit takes no pointer and does not return.
        unsafe { libc::_exit(137) }
    }
    // A group of its own: a terminal's Ctrl-C and a signal to the whole group then reach the outer
    // process only, which passes it on once.
    setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(|e| os("make a process group", e))?;
    // Such a group is stopped when it uses the terminal, unless it ignores that.
    for signal in [Signal::SIGTTIN, Signal::SIGTTOU] {
        // SAFETY: SIG_IGN runs no code.
        unsafe { signal::signal(signal, SigHandler::SigIgn) }
            .map_err(|e| os("ignore the terminal's stop signals", e))?;
    }
    // Pid 1 ignores a signal unless it has a handler for it.
    let action = SigAction::new(
        SigHandler::Handler(exit_unless_replaced),
        SaFlags::SA_RESTART,
        SigSet::empty(),
    );
    for signal in FORWARDED {
        // SAFETY: the handler only makes async-signal-safe calls.
        unsafe { signal::sigaction(signal, &action) }.map_err(|e| os("install a handler", e))?;
    }
    signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(mask), None)
        .map_err(|e| os("unblock signals", e))
}

/// Exits as an ordinary process would, unless somebody has installed another handler since; such
/// handlers (tokio's, for one) chain to the one they replaced.
extern "C" fn exit_unless_replaced(signal: libc::c_int) {
    let mut current = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: sigaction without a new action only fills `current`; it and _exit are
    // async-signal-safe, and the all-zero value of `current` is valid if the call fails.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), current.as_mut_ptr());
        let ours = exit_unless_replaced as extern "C" fn(libc::c_int) as usize;
        if current.assume_init().sa_sigaction == ours {
            libc::_exit(128 + signal);
        }
    }
}

/// The outer process: passes signals on until the inner one ends, then exits with its code.
/// A stop by Ctrl-Z stops only the outer process; the run goes on.
fn supervise(inner: Pid, waited: &SigSet, alive: OwnedFd) -> ! {
    let mut last: Option<(Signal, Instant)> = None;
    let mut passed = 0;
    let code = loop {
        let signal = match waited.wait() {
            Ok(signal) => signal,
            Err(Errno::EINTR) => continue,
            Err(_) => break 255,
        };
        if signal == Signal::SIGCHLD {
            match waitpid(inner, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => break code,
                Ok(WaitStatus::Signaled(_, signal, _)) => break 128 + signal as i32,
                Ok(_) | Err(Errno::EINTR) => continue,
                Err(_) => break 255,
            }
        }
        if signal == Signal::SIGHUP && hangup_is_ignored() {
            continue;
        }
        if last.is_some_and(|(same, at)| same == signal && at.elapsed() < REPEAT_GAP) {
            continue;
        }
        last = Some((signal, Instant::now()));
        passed += 1;
        // An inner process that is gone already is reported by SIGCHLD.
        let signal = if passed < PATIENCE_SIGNALS { signal } else { Signal::SIGKILL };
        let _ = signal::kill(inner, signal);
    };
    drop(alive);
    std::process::exit(code)
}
