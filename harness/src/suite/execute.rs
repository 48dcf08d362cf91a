//! Makes the runs: so many side by side, as long as there is time.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use super::outcome::{Ended, outcome};
use super::record::{Case, RunRecord, ending};
use crate::child_runs::{ChildRuns, Woken, code, pass_on};
use crate::report::words;
use crate::{exit_code, output};

/// What a run takes besides its time limit: start, last operations, judgement.
const OVERHEAD: Duration = Duration::from_secs(12);
/// What is kept of the last words of a run without results.
const LAST_WORDS: usize = 2_000;

/// A run that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) case: Case,
    pub(crate) seed: u64,
    pub(crate) repetition: bool,
    /// The name of its folder below `runs`.
    pub(crate) slot: String,
}

/// What there is to spend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Runs side by side.
    pub(crate) side_by_side: usize,
    /// When no run may be started any more that would end later.
    pub(crate) deadline: Option<Instant>,
    /// How often an invalid run is made again.
    pub(crate) reruns: u32,
}

struct Running {
    job: Job,
    child: Child,
    out: PathBuf,
    started: String,
    began: Instant,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Everything was run, or the time was up.
    Finished,
    /// Somebody stopped it.
    Stopped,
}

/// Makes all jobs, and `more` when they are done and there is time. `done` is told of each run that
/// ended.
pub(crate) fn execute(
    runs: &ChildRuns,
    root: &Path,
    jobs: Vec<Job>,
    limits: Limits,
    mut more: impl FnMut() -> Vec<Job>,
    mut done: impl FnMut(RunRecord) -> io::Result<()>,
) -> io::Result<End> {
    let mut waiting: VecDeque<Job> = jobs.into();
    let mut running: Vec<Running> = Vec::new();
    let mut end = End::Finished;
    loop {
        while end == End::Finished && running.len() < limits.side_by_side {
            if waiting.is_empty() && limits.deadline.is_some() {
                waiting = more().into();
            }
            let Some(job) = next_in_time(&mut waiting, limits.deadline) else { break };
            running.push(start(runs, root, job)?);
        }
        if running.is_empty() {
            return Ok(end);
        }
        match runs.wait()? {
            Woken::ChildEnded => {}
            Woken::Stop(signal) => {
                end = End::Stopped;
                for run in &running {
                    pass_on(&run.child, signal);
                }
            }
        }
        let mut position = 0;
        while position < running.len() {
            match running[position].child.try_wait()? {
                None => position += 1,
                Some(status) => {
                    let run = running.swap_remove(position);
                    let job = run.job.clone();
                    let code = code(status);
                    let ended = finish(root, run, code);
                    if code == exit_code::INTERRUPTED_TWICE && end == End::Stopped {
                        continue;
                    }
                    tell(&ended);
                    done(ended)?;
                    if code == exit_code::INVALID && !job.repetition {
                        // At once, while the machine is in the same mood.
                        waiting.extend_front_rev(repetitions(&job, limits.reruns));
                    }
                }
            }
        }
    }
}

/// Puts jobs in front of all others, in their order.
trait ExtendFront {
    fn extend_front_rev(&mut self, jobs: Vec<Job>);
}

impl ExtendFront for VecDeque<Job> {
    fn extend_front_rev(&mut self, jobs: Vec<Job>) {
        for job in jobs.into_iter().rev() {
            self.push_front(job);
        }
    }
}

fn repetitions(job: &Job, times: u32) -> Vec<Job> {
    let again = |number| Job {
        repetition: true,
        slot: format!("{}-again-{number}", job.slot),
        ..job.clone()
    };
    (1..=times).map(again).collect()
}

/// The next job that would be over before the deadline. Without a deadline, the next one.
fn next_in_time(waiting: &mut VecDeque<Job>, deadline: Option<Instant>) -> Option<Job> {
    let Some(deadline) = deadline else { return waiting.pop_front() };
    let left = deadline.saturating_duration_since(Instant::now());
    let position = waiting.iter().position(|job| expected(&job.case) <= left)?;
    waiting.remove(position)
}

/// How long a run of this case takes.
pub(super) fn expected(case: &Case) -> Duration {
    let given = case.arguments.iter().rev().find_map(|it| it.strip_prefix("--time-limit="));
    let limit = given.and_then(|text| humantime::parse_duration(text).ok());
    limit.unwrap_or(Duration::from_secs(60)) + OVERHEAD
}

fn start(runs: &ChildRuns, root: &Path, job: Job) -> io::Result<Running> {
    let out = root.join("runs").join(&job.slot);
    std::fs::create_dir_all(&out)?;
    let stdout = File::create(out.join("stdout.txt"))?;
    let stderr = File::create(out.join("stderr.txt"))?;
    let mut words =
        vec![format!("--workload={}", job.case.workload), format!("--seed={}", job.seed)];
    words.extend(job.case.faults_argument());
    let mut arguments: Vec<OsString> = words.into_iter().map(OsString::from).collect();
    arguments.extend(job.case.arguments.iter().map(OsString::from));
    arguments.push("--out".into());
    arguments.push(out.clone().into());
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let child = runs.start(arguments, Some((stdout.into(), stderr.into())))?;
    Ok(Running { job, child, out, started, began: Instant::now() })
}

fn finish(root: &Path, run: Running, exit_code: i32) -> RunRecord {
    let words = std::fs::read(run.out.join("stderr.txt")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words[words.len().saturating_sub(LAST_WORDS)..]);
    let last_words = words.lines().rev().take(3).collect::<Vec<_>>();
    let last_words = last_words.into_iter().rev().collect::<Vec<_>>().join(" ");
    let ended = Ended {
        case: run.job.case.id,
        seed: run.job.seed,
        repetition: run.job.repetition,
        started: run.started,
        seconds: run.began.elapsed().as_secs_f64(),
        exit_code,
        last_words,
    };
    outcome(root, &run.out, ended)
}

fn tell(run: &RunRecord) {
    let word = ending(run.exit_code).1;
    let again = if run.repetition { " (again)" } else { "" };
    let took = words::duration((run.seconds * 1e9) as u64);
    let mut line = format!("{word:<15} {}, seed {}{again}, {took}", run.case, run.seed);
    if run.exit_code != exit_code::VALID {
        line.push_str(&format!("\n                {}", run.summary));
    }
    output::note(&line);
}

#[cfg(test)]
mod tests {
    use super::super::record::fixtures::case;
    use super::*;

    fn job(limit: &str) -> Job {
        let mut case = case("register", limit);
        case.arguments = vec![format!("--time-limit={limit}")];
        Job { case, seed: 1, repetition: false, slot: limit.to_owned() }
    }

    #[test]
    fn only_what_ends_in_time_is_started() {
        let mut waiting: VecDeque<Job> = ["90s", "20s", "30s"].map(job).into();
        let deadline = Some(Instant::now() + Duration::from_secs(40));
        assert_eq!(next_in_time(&mut waiting, deadline).unwrap().slot, "20s");
        assert!(next_in_time(&mut waiting, deadline).is_none());
        assert_eq!(next_in_time(&mut waiting, None).unwrap().slot, "90s");
    }

    #[test]
    fn repetitions_come_next_with_the_same_seed_and_a_folder_of_their_own() {
        let mut waiting: VecDeque<Job> = ["a", "b"].map(job).into();
        waiting.extend_front_rev(repetitions(&job("x"), 2));
        let slots: Vec<&str> = waiting.iter().map(|job| job.slot.as_str()).collect();
        assert_eq!(slots, ["x-again-1", "x-again-2", "a", "b"]);
        assert!(waiting[0].repetition && waiting[0].seed == 1);
    }
}
