//! One history: read, judged, and judged again if asked.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::Serialize;
use workloads::checker::{Budget, Check, CheckOptions, CheckerInfo, Method, Verdict};
use workloads::evidence::{self, Evidence};
use workloads::history::Operation;

use super::history::Source;
use super::memory;
use super::spending::{Ended, Spending, watched};

/// What is to be judged, and how.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) source: Source,
    pub(super) model: String,
    pub(super) checker: &'static CheckerInfo,
    pub(super) options: CheckOptions,
    pub(super) time: Duration,
    pub(super) memory: usize,
    pub(super) doublecheck: bool,
}

/// The result of a job.
pub(super) struct Judged {
    pub(super) check: Check,
    /// None if the checker was left behind with them.
    pub(super) operations: Vec<Operation>,
    pub(super) events: u64,
    pub(super) notes: Vec<String>,
    /// Two algorithms, or a check and the verifier, contradict each other.
    pub(super) contradiction: Option<String>,
    pub(super) spent: Spent,
    /// The checker did not stop; its memory and threads are still in use.
    pub(super) left_behind: bool,
}

/// What a job took.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Spent {
    /// Wall-clock time of all.
    pub(super) seconds: f64,
    /// Of that, reading the history.
    pub(super) read_seconds: f64,
    /// CPU time of all threads.
    pub(super) cpu_seconds: f64,
    /// Of that, reading the history.
    pub(super) read_cpu_seconds: f64,
    /// The most that was resident.
    pub(super) peak_memory_bytes: usize,
}

/// Does a job within its budgets.
pub(super) fn judge(job: &Job, interrupted: &Arc<AtomicBool>) -> anyhow::Result<Judged> {
    memory::forget_peak();
    let cpu = memory::cpu();
    let spending = Arc::new(Spending::begin(job.time, job.memory, Arc::clone(interrupted)));
    let name = job.source.name();
    let theirs = job.clone();
    let work = move |spending: &Spending| read_and_judge(&theirs, spending, cpu);
    let ended = watched(&spending, &name, work).context("start a thread")?;
    let mut judged = match ended {
        Ended::Done(judged) => judged?,
        Ended::Panicked => return Err(CheckerPanicked.into()),
        Ended::LeftBehind(spent) => Judged {
            check: unknown(job, "the history could not be decided", spent),
            operations: Vec::new(),
            events: 0,
            notes: vec!["the checker did not stop in time and was left behind".to_owned()],
            contradiction: None,
            spent: Spent::default(),
            left_behind: true,
        },
    };
    judged.spent.seconds = spending.elapsed().as_secs_f64();
    judged.spent.cpu_seconds = (memory::cpu() - cpu).as_secs_f64();
    judged.spent.peak_memory_bytes = memory::peak();
    Ok(judged)
}

/// A defect of ours, which must not look like bad input.
#[derive(Debug, thiserror::Error)]
#[error("the checker panicked; this is a defect of the harness, and says nothing of the history")]
pub(super) struct CheckerPanicked;

fn read_and_judge(job: &Job, spending: &Spending, cpu: Duration) -> anyhow::Result<Judged> {
    let history = job.source.operations(spending)?;
    let spent = Spent {
        read_seconds: spending.elapsed().as_secs_f64(),
        read_cpu_seconds: (memory::cpu() - cpu).as_secs_f64(),
        ..Spent::default()
    };
    let mut contradiction = None;
    let check = match history.spent {
        Some(spent) => unknown(job, "the history could not be read to its end", spent),
        None if history.operations.is_empty() => unknown(
            job,
            "no operation was recorded",
            "a history without operations proves nothing".to_owned(),
        ),
        None => {
            let judging = || format!("judge {}", job.source.name());
            let check = (job.checker.check)(&history.operations, &job.options, spending)
                .with_context(judging)?;
            if job.doublecheck {
                contradiction = second_opinion(job, &check, &history.operations, spending)?;
            }
            check
        }
    };
    Ok(Judged {
        check,
        operations: history.operations,
        events: history.events,
        notes: history.notes,
        contradiction,
        spent,
        left_behind: false,
    })
}

/// Judges again by search, and verifies the evidence; says what does not fit together.
fn second_opinion(
    job: &Job,
    check: &Check,
    operations: &[Operation],
    budget: &dyn Budget,
) -> anyhow::Result<Option<String>> {
    if check.verdict == Verdict::Unknown {
        return Ok(None);
    }
    let evidence = Evidence::of(check, &job.model, job.checker.property, &job.options);
    if let evidence::Outcome::Refuted(why) = evidence::verify(&evidence, operations).outcome {
        return Ok(Some(format!("the evidence is wrong: {why}")));
    }
    let options = CheckOptions { method: Method::Search, ..job.options.clone() };
    let second = (job.checker.check)(operations, &options, budget)
        .map_err(|error| anyhow!("judge {} again: {error}", job.source.name()))?;
    let differs = second.verdict != Verdict::Unknown && second.verdict != check.verdict;
    Ok(differs.then(|| {
        format!(
            "the fastest algorithm says {:?}, the search says {:?}",
            check.verdict, second.verdict
        )
    }))
}

fn unknown(job: &Job, summary: &str, reason: String) -> Check {
    let check = Check::new(job.checker.property, Verdict::Unknown, summary.to_owned());
    Check { reason: Some(reason), ..check }
}
