//! The stub: the first process of a node, above all others of it.
//!
//! ```text
//! harness ── one byte, a signal ──> stub ── kill(-1, signal) ──> every process of the node
//!         <── started, answered, failed ──
//!   (end of file: the harness is gone)      └─ main process: exec of the node's command
//! ```
//!
//! Invariants: the stub ends when the main process ends, with the same status; it ends when the
//! harness does; whatever of the node is left then ends with it.
//!
//! It is a fork of a process with many threads, which may hold any lock: from fork to exec there
//! are only system calls and memory that was ready before.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::unistd::pipe2;

use super::image::Image;
use crate::platform::wait::wait_readable;
use crate::platform::{NodeCommand, PlatformError};

mod child;

/// The stub answers at once; a loaded machine may take a while to let it run.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What keeps the processes of a node together, and apart from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Namespaces of its own for pids, mounts and host name, and this network.
    Namespaces {
        /// Descriptor of the network namespace.
        network: RawFd,
    },
    /// Nothing but a subreaper.
    Subreaper,
}

/// Everything the child needs, laid out before the fork.
pub(crate) struct StubPlan {
    isolation: Isolation,
    host_name: String,
    image: Image,
    null: OwnedFd,
    log: OwnedFd,
    orders: OwnedFd,
    answers: OwnedFd,
    clock: Option<OwnedFd>,
}

/// A node's first process, as its parent sees it.
#[derive(Debug)]
pub(crate) struct Stub {
    /// The process id, as the harness sees it.
    pub(crate) pid: i32,
    /// Readable once the stub has ended.
    pub(crate) pidfd: OwnedFd,
    orders: File,
    answers: File,
}

/// The harness's ends of the pipes, until there is a stub.
pub(crate) struct StubEnds {
    orders: File,
    answers: File,
}

impl StubPlan {
    /// Opens the log and lays out everything for the fork. `clock` takes the place of the real one.
    pub(crate) fn new(
        isolation: Isolation,
        host_name: String,
        command: &NodeCommand,
        clock: Option<OwnedFd>,
    ) -> Result<(StubPlan, StubEnds), PlatformError> {
        let image = Image::new(command)?;
        let open = |path: &Path, options: &std::fs::OpenOptions| {
            let opened = options.open(path);
            opened.map_err(|error| PlatformError::os(format!("open {}", path.display()), error))
        };
        let null = open(Path::new("/dev/null"), File::options().read(true).write(true))?;
        let log = open(&command.log, File::options().append(true).create(true))?;
        let pipe =
            || pipe2(OFlag::O_CLOEXEC).map_err(|e| PlatformError::os("make a pipe", e.into()));
        let (orders_end, orders) = pipe()?;
        let (answers, answers_end) = pipe()?;
        let plan = StubPlan {
            isolation,
            host_name,
            image,
            null: null.into(),
            log: log.into(),
            orders: orders_end,
            answers: answers_end,
            clock,
        };
        Ok((plan, StubEnds { orders: orders.into(), answers: answers.into() }))
    }

    /// Forks the stub. Its death signal follows the calling thread, which must therefore live as
    /// long as the harness does.
    pub(crate) fn fork(self) -> io::Result<(i32, OwnedFd)> {
        let namespaces = match self.isolation {
            Isolation::Namespaces { .. } => {
                libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::CLONE_NEWUTS
            }
            Isolation::Subreaper => 0,
        };
        let mut pidfd: libc::c_int = -1;
        // SAFETY: without CLONE_VM this is a fork; no stack is passed, and the kernel stores the
        // descriptor in `pidfd` of the parent. The child makes async-signal-safe calls only.
        let pid = unsafe {
            libc::syscall(
                libc::SYS_clone,
                libc::c_long::from(namespaces | libc::CLONE_PIDFD | libc::SIGCHLD),
                0_usize,
                &raw mut pidfd,
                0_usize,
                0_usize,
            )
        };
        match pid {
            0 => child::run(&self),
            pid if pid < 0 => Err(io::Error::last_os_error()),
            pid => {
                // SAFETY: the kernel has just made it for us.
                let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
                Ok((i32::try_from(pid).expect("pids are 32 bits wide"), pidfd))
            }
        }
    }
}

impl Stub {
    /// Waits until the main process has become the node's program, and returns its pid in the
    /// innermost pid namespace.
    pub(crate) fn await_start(
        (pid, pidfd): (i32, OwnedFd),
        ends: StubEnds,
        what: &str,
    ) -> Result<(Stub, i32), PlatformError> {
        let stub = Stub { pid, pidfd, orders: ends.orders, answers: ends.answers };
        match stub.read_answer(what)? {
            Answer { kind: child::STARTED, value } => Ok((stub, value)),
            Answer { kind, value } => {
                let step = child::step_name(kind);
                let error = io::Error::from_raw_os_error(value);
                Err(PlatformError::os(format!("{what}: {step}"), error))
            }
        }
    }

    /// Sends a signal to every process of the node, in one go. One that has ended needs none; its
    /// end shows at the pidfd.
    pub(crate) fn signal_all(&self, signal: i32) -> Result<(), PlatformError> {
        let what = format!("send signal {signal} to a whole node");
        let order = u8::try_from(signal).expect("signals are small");
        let sent = (&self.orders)
            .write_all(&[order])
            .map_err(|error| PlatformError::os(&what, error))
            .and_then(|()| self.read_answer(&what));
        match sent {
            // ESRCH: there is nobody left to receive it.
            Ok(Answer { value: 0 | libc::ESRCH, .. }) => Ok(()),
            Ok(Answer { value, .. }) => {
                Err(PlatformError::os(what, io::Error::from_raw_os_error(value)))
            }
            Err(PlatformError::Os { source, .. })
                if matches!(
                    source.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn read_answer(&self, what: &str) -> Result<Answer, PlatformError> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let failed = |error| PlatformError::os(what, error);
        if !wait_readable(self.answers.as_fd(), deadline).map_err(failed)? {
            return Err(PlatformError::timeout(what, ANSWER_TIMEOUT));
        }
        // Answers are written in one piece.
        let mut bytes = [0; 8];
        (&self.answers).read_exact(&mut bytes).map_err(failed)?;
        let word = |at: usize| i32::from_ne_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        Ok(Answer { kind: word(0), value: word(4) })
    }
}

struct Answer {
    kind: i32,
    value: i32,
}

/// The descriptors of a plan, in the order in which the child numbers them from 3.
fn inherited(plan: &StubPlan) -> [RawFd; 3] {
    [plan.orders.as_raw_fd(), plan.answers.as_raw_fd(), plan.log.as_raw_fd()]
}
