//! Runs as processes of their own, each with fresh namespaces.
//!
//! Each has a process group of its own, so that Ctrl-C reaches this process only, which passes it on
//! once. If this process is killed, so are they.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::unistd::Pid;

use crate::exit_code;
use crate::stop::hangup_is_ignored;

/// What ends a run, and what tells that one has ended.
const PASSED_ON: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// Starts runs and waits for them. While it exists, signals are taken in by [`ChildRuns::wait`] only.
pub(crate) struct ChildRuns {
    own: PathBuf,
    waited: SigSet,
    /// A child would inherit the mask, so it is given the one before.
    before: SigSet,
}

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    /// A run may have ended.
    ChildEnded,
    /// Somebody wants this to end.
    Stop(Signal),
}

impl ChildRuns {
    /// Must be called while there is one thread.
    pub(crate) fn prepare() -> io::Result<ChildRuns> {
        let waited: SigSet = PASSED_ON.into_iter().chain([Signal::SIGCHLD]).collect();
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&waited), Some(&mut before))?;
        Ok(ChildRuns { own: crate::node_process::own_binary(), waited, before })
    }

    /// Starts a run with these arguments. What it prints goes to `output`, if there is one.
    pub(crate) fn start(
        &self,
        arguments: impl IntoIterator<Item = OsString>,
        output: Option<(Stdio, Stdio)>,
    ) -> io::Result<Child> {
        let before = self.before;
        let mut command = Command::new(&self.own);
        command.args(arguments).process_group(0);
        if let Some((stdout, stderr)) = output {
            command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        }
        // SAFETY: prctl and sigprocmask are async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                prctl::set_pdeathsig(Signal::SIGKILL)?;
                sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
                Ok(())
            });
        }
        command.spawn()
    }

    /// Waits for a run and passes signals on. Was there one?
    pub(crate) fn supervise(&self, mut child: Child) -> io::Result<(ExitStatus, bool)> {
        let mut interrupted = false;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok((status, interrupted));
            }
            if let Woken::Stop(signal) = self.wait()? {
                interrupted = true;
                pass_on(&child, signal);
            }
        }
    }

    /// Waits until something happens.
    pub(crate) fn wait(&self) -> io::Result<Woken> {
        loop {
            match self.waited.wait() {
                Ok(Signal::SIGCHLD) => return Ok(Woken::ChildEnded),
                Ok(Signal::SIGHUP) if hangup_is_ignored() => {}
                Ok(signal) => return Ok(Woken::Stop(signal)),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// Passes a signal on to a run. One that has ended is seen by the next look.
pub(crate) fn pass_on(child: &Child, signal: Signal) {
    let _ = kill(Pid::from_raw(child.id().cast_signed()), signal);
}

/// A run that a signal ended was stopped from outside, or is a failure of ours.
pub(crate) fn code(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(libc::SIGINT | libc::SIGTERM | libc::SIGHUP)) => exit_code::INTERRUPTED_TWICE,
        (None, _) => exit_code::HARNESS_FAILURE,
    }
}
