//! One case, in a process of its own.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use workloads::checker::{CheckOptions, Verdict, checker};
use workloads::history::Operation;
use workloads::synthetic::{SyntheticOptions, generate, synthetic};

use super::grid::Case;
use crate::budget::CheckBudget;

/// Seeds that are tried until a history has a place for the violation.
const SEEDS_MAX: u64 = 8;

/// What one case took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Measured {
    /// What the checker said; none if there was no place for the violation.
    pub(super) verdict: Option<Verdict>,
    /// Its summary, or why there is none.
    pub(super) summary: String,
    /// Operations of the history.
    pub(super) operations: usize,
    /// CPU time of the check, user and system.
    pub(super) cpu_seconds: f64,
    /// Memory of the process before the check: the history, mostly.
    pub(super) history_bytes: u64,
    /// The most that the process had during the check, the history included.
    pub(super) peak_bytes: u64,
}

/// Why a case could not be measured.
#[derive(Debug, Error)]
pub(super) enum CaseError {
    #[error("no checker or no histories of {0}")]
    Unknown(String),
    #[error("read the CPU time")]
    Cpu(#[source] nix::Error),
    #[error("judge the history")]
    Judge(#[source] workloads::model::UnsuitableOperation),
}

impl Case {
    /// The history; none if there is no place for the violation.
    pub(super) fn history(&self) -> Result<Option<Vec<Operation>>, CaseError> {
        let model = synthetic(&self.model).ok_or_else(|| self.unknown())?;
        let violation = match &self.violation {
            None => None,
            Some(name) => Some(model.violation(name).ok_or_else(|| self.unknown())?),
        };
        let history = (self.seed..self.seed + SEEDS_MAX).find_map(|seed| {
            let options = SyntheticOptions {
                operations: self.operations,
                concurrency: self.concurrency,
                crash_rate: self.crash_rate,
                keys: self.keys,
                at: 0.5,
                seed,
            };
            generate(model, violation, &options)
        });
        Ok(history.map(|(history, _)| history))
    }

    fn unknown(&self) -> CaseError {
        CaseError::Unknown(format!("{} {}", self.model, self.property))
    }
}

/// Generates the history and judges it.
pub(super) fn measure(case: &Case, time: Duration, bytes: usize) -> Result<Measured, CaseError> {
    let unknown = || case.unknown();
    let judge = checker(&case.model, Some(&case.property)).ok_or_else(unknown)?;
    let Some(history) = case.history()? else {
        return Ok(Measured {
            verdict: None,
            summary: format!("no place for the violation with {SEEDS_MAX} seeds"),
            operations: 0,
            cpu_seconds: 0.0,
            history_bytes: 0,
            peak_bytes: 0,
        });
    };
    reset_peak();
    let history_bytes = memory("VmRSS:").unwrap_or(0);
    let options = CheckOptions::default();
    let before = cpu().map_err(CaseError::Cpu)?;
    let budget = CheckBudget::start(time, bytes);
    let check = (judge.check)(&history, &options, &budget).map_err(CaseError::Judge)?;
    Ok(Measured {
        verdict: Some(check.verdict),
        summary: check.reason.unwrap_or(check.summary),
        operations: history.len(),
        cpu_seconds: cpu().map_err(CaseError::Cpu)? - before,
        history_bytes,
        peak_bytes: memory("VmHWM:").unwrap_or(0),
    })
}

/// CPU seconds of this process, user and system.
fn cpu() -> Result<f64, nix::Error> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// A time of the kernel, in seconds.
fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}

/// Lets the kernel count the peak of the memory anew (proc(5), `/proc/pid/clear_refs`).
fn reset_peak() {
    // Where it cannot, the peak is that of the generation too.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// A line of `/proc/self/status`, in bytes.
fn memory(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(violation: Option<&str>) -> Case {
        Case {
            model: "counter".to_owned(),
            property: "counter-bounds".to_owned(),
            violation: violation.map(str::to_owned),
            operations: 500,
            concurrency: 5,
            crash_rate: 0.01,
            keys: 1,
            seed: 1,
        }
    }

    #[test]
    fn verdicts_are_those_of_the_construction() {
        let verdict = |violation| {
            measure(&case(violation), Duration::from_secs(60), 1 << 30).unwrap().verdict
        };
        assert_eq!(verdict(None), Some(Verdict::Valid));
        assert_eq!(verdict(Some("counter-too-high")), Some(Verdict::Invalid));
    }

    #[test]
    fn memory_and_time_are_measured() {
        let measured = measure(&case(None), Duration::from_secs(60), 1 << 30).unwrap();
        assert!(measured.peak_bytes >= measured.history_bytes && measured.history_bytes > 0);
        assert!(measured.cpu_seconds >= 0.0);
    }

    #[test]
    fn a_model_without_a_checker_is_refused() {
        let case = Case { property: "kettle".to_owned(), ..case(None) };
        assert!(measure(&case, Duration::from_secs(1), 1).is_err());
    }
}
