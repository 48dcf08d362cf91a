//! `--runs N`: one run after the other, each in a process of its own with fresh namespaces.
//!
//! Each run has a process group of its own, so that Ctrl-C reaches this process only, which passes
//! it on once. The run in progress then ends well, and no other is started.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::unistd::Pid;

use crate::options::RunOptions;
use crate::stop::hangup_is_ignored;
use crate::{exit_code, output, repeat};

/// What ends a run, and what tells that one has ended.
const PASSED_ON: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

/// A run could not be started or waited for.
#[derive(Debug, thiserror::Error)]
pub enum SeveralRunsError {
    /// The process of a run.
    #[error("start a run")]
    Start(#[source] std::io::Error),
    /// Its end.
    #[error("wait for a run")]
    Wait(#[source] std::io::Error),
}

/// Makes all runs, with consecutive seeds. Returns the worst exit code.
pub fn run(options: &RunOptions) -> Result<i32, SeveralRunsError> {
    let own = crate::node_process::own_binary();
    let waited: SigSet = PASSED_ON.into_iter().chain([Signal::SIGCHLD]).collect();
    // Taken in by `supervise`. A child would inherit the mask, so it is given the one before.
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&waited), Some(&mut before))
        .map_err(|errno| SeveralRunsError::Start(errno.into()))?;
    let mut codes = Vec::new();
    for run in 0..options.args.runs {
        let seed = options.seed.wrapping_add(u64::from(run));
        let mut command = Command::new(&own);
        command.args(repeat::arguments()).args(["--seed", &seed.to_string()]).process_group(0);
        // SAFETY: prctl and sigprocmask are async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                prctl::set_pdeathsig(Signal::SIGKILL)?;
                sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
                Ok(())
            });
        }
        let child = command.spawn().map_err(SeveralRunsError::Start)?;
        let (status, interrupted) = supervise(child, &waited).map_err(SeveralRunsError::Wait)?;
        let code = code(status);
        codes.push(code);
        if interrupted || code == exit_code::BAD_USAGE || code == exit_code::INTERRUPTED_TWICE {
            break;
        }
    }
    if !options.args.quiet {
        let line = summary(&codes);
        match options.args.json {
            true => output::note(&line),
            false => output::result(&format!("{line}\n")),
        }
    }
    Ok(exit_code::worst(codes))
}

/// Waits for a run and passes signals on. Was there one?
fn supervise(mut child: Child, waited: &SigSet) -> std::io::Result<(ExitStatus, bool)> {
    let pid = Pid::from_raw(child.id().cast_signed());
    let mut interrupted = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((status, interrupted));
        }
        match waited.wait() {
            Ok(Signal::SIGCHLD) | Err(Errno::EINTR) => {}
            Ok(Signal::SIGHUP) if hangup_is_ignored() => {}
            Ok(signal) => {
                interrupted = true;
                // A run that has ended is seen by the next look.
                let _ = kill(pid, signal);
            }
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// A run that a signal ended was stopped from outside, or is a failure of ours.
fn code(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(libc::SIGINT | libc::SIGTERM | libc::SIGHUP)) => exit_code::INTERRUPTED_TWICE,
        (None, _) => exit_code::HARNESS_FAILURE,
    }
}

/// `3 runs: 2 valid, 1 invalid, ...`
fn summary(codes: &[i32]) -> String {
    let count = |code| codes.iter().filter(|&&found| found == code).count();
    format!(
        "{}: {} valid, {} invalid, {} unknown, {} not recovered, {} harness failures",
        crate::plural::counted(codes.len() as u64, "run"),
        count(exit_code::VALID),
        count(exit_code::INVALID),
        count(exit_code::UNKNOWN),
        count(exit_code::NOT_RECOVERED),
        count(exit_code::HARNESS_FAILURE),
    )
}
