//! The runs of a folder, and which of them are wanted.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::Deserialize;

use super::query::Query;
use crate::recorded_run;
use crate::report::numbers::{
    Availability, FaultRecovery, LatencyRow, LatencyScope, Recovery, longest_recovery,
};
use crate::report::results::RunInfo;

/// Runs on one page.
pub(super) const PAGE: usize = 100;

/// What the list says of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    /// Its folder, relative to the root.
    pub(super) path: String,
    pub(super) workload: String,
    pub(super) faults: String,
    pub(super) bug: String,
    pub(super) started: String,
    pub(super) seed: u64,
    pub(super) command: String,
    /// How it ended; none if it was never judged.
    pub(super) ended: Option<Ended>,
}

/// What was found in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ended {
    pub(super) exit_code: i32,
    pub(super) summary: String,
    /// Share of the time in which the system served.
    pub(super) availability: Option<f64>,
    /// 99th percentile of latency, ns.
    pub(super) p99: Option<u64>,
    /// The longest time from a heal until every node had served again, ns.
    pub(super) recovery: Option<u64>,
}

/// The part of `results.json` that the list needs.
#[derive(Deserialize)]
struct Found {
    exit_code: i32,
    summary: String,
    latency: Vec<LatencyRow>,
    availability: Availability,
    recovery: Recovery,
    #[serde(default)]
    fault_recoveries: Vec<FaultRecovery>,
}

/// Reads runs, each once for each time that it was written.
#[derive(Default)]
pub(super) struct Listing {
    known: Mutex<HashMap<PathBuf, (Stamp, Listed)>>,
}

/// When the files of a run were written.
type Stamp = [Option<SystemTime>; 2];

impl Listing {
    /// All runs below the root, newest first.
    pub(super) fn read(&self, root: &Path) -> Vec<Listed> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let folders = recorded_run::find(root);
        let mut runs = Vec::with_capacity(folders.len());
        let mut kept = HashMap::with_capacity(folders.len());
        for folder in folders {
            let stamp = ["run.json", "results.json"]
                .map(|name| std::fs::metadata(folder.join(name)).and_then(|it| it.modified()).ok());
            let run = match known.remove(&folder) {
                Some((read, run)) if read == stamp => Some(run),
                _ => read(root, &folder),
            };
            if let Some(run) = run {
                kept.insert(folder, (stamp, run.clone()));
                runs.push(run);
            }
        }
        *known = kept;
        runs.sort_by(|a, b| (&b.started, &b.path).cmp(&(&a.started, &a.path)));
        runs
    }
}

/// None if it is no run that this build can read.
fn read(root: &Path, folder: &Path) -> Option<Listed> {
    let info: RunInfo = recorded_run::info(folder).ok()?;
    let found: Option<Found> = std::fs::read(folder.join("results.json"))
        .ok()
        .and_then(|it| serde_json::from_slice(&it).ok());
    let ended = found.map(|found| {
        let all = |row: &&LatencyRow| row.f.is_none() && row.scope == LatencyScope::All;
        let share = found.availability.overall;
        Ended {
            exit_code: found.exit_code,
            summary: found.summary,
            availability: (share.windows > 0)
                .then(|| share.available as f64 / share.windows as f64),
            p99: found.latency.iter().find(all).map(|row| row.percentiles.p99),
            recovery: longest_recovery(&found.fault_recoveries, &found.recovery),
        }
    });
    Some(Listed {
        path: folder.strip_prefix(root).ok()?.to_string_lossy().into_owned(),
        workload: info.workload,
        faults: info.faults.join(", "),
        bug: info.bug.unwrap_or_default(),
        started: info.started,
        seed: info.seed,
        command: info.command,
        ended,
    })
}

impl Listed {
    /// In a word: `valid`, `invalid`, ...
    pub(super) fn word(&self) -> &'static str {
        self.ended.as_ref().map_or("not judged", |ended| crate::suite::ending(ended.exit_code).1)
    }

    /// Every word of `q` is in it somewhere, and each filter that is set holds.
    pub(super) fn is_wanted(&self, query: &Query) -> bool {
        let holds =
            |name: &str, value: &str| query.one(name).is_empty() || query.one(name) == value;
        let summary = self.ended.as_ref().map_or("", |ended| ended.summary.as_str());
        let text = [&self.path, &self.command, &self.faults, &self.bug, summary, self.word()]
            .join(" ")
            .to_lowercase();
        holds("workload", &self.workload)
            && holds("verdict", self.word())
            && (query.one("fault").is_empty()
                || self.faults.split(", ").any(|fault| fault == query.one("fault")))
            && query.one("q").to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

/// What the filters offer: workloads, faults, and how runs ended.
pub(super) fn choices(runs: &[Listed]) -> [(&'static str, BTreeSet<String>); 3] {
    let collect = |values: &dyn Fn(&Listed) -> Vec<String>| runs.iter().flat_map(values).collect();
    [
        ("workload", collect(&|run| vec![run.workload.clone()])),
        ("fault", collect(&|run| run.faults.split(", ").map(str::to_owned).collect())),
        ("verdict", collect(&|run| vec![run.word().to_owned()])),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn listed(path: &str, exit_code: i32) -> Listed {
        Listed {
            path: path.to_owned(),
            workload: "register".to_owned(),
            faults: "kill, pause".to_owned(),
            bug: String::new(),
            started: "2026-11-22T02:00:00Z".to_owned(),
            seed: 7,
            command: "harness --seed 7".to_owned(),
            ended: Some(Ended {
                exit_code,
                summary: "A read was <stale>.".to_owned(),
                availability: Some(0.97),
                p99: Some(40_000_000),
                recovery: None,
            }),
        }
    }

    #[test]
    fn words_and_filters_must_all_hold() {
        let run = listed("register-kill/1", 1);
        for (query, wanted) in [
            ("", true),
            ("q=STALE+kill", true),
            ("q=stale+absent", false),
            ("verdict=invalid&fault=pause", true),
            ("verdict=valid", false),
            ("fault=partition", false),
        ] {
            assert_eq!(run.is_wanted(&Query::parse(query)), wanted, "{query}");
        }
    }

    #[test]
    fn a_folder_without_results_is_listed_and_one_that_cannot_be_read_is_not() {
        let root = tempfile::tempdir().unwrap();
        let info = serde_json::to_string(&crate::report::fixtures::run(&["kill"])).unwrap();
        for (name, text) in [("a", info.as_str()), ("b", "{}")] {
            std::fs::create_dir(root.path().join(name)).unwrap();
            std::fs::write(root.path().join(name).join("run.json"), text).unwrap();
        }
        let listing = Listing::default();
        for _ in 0..2 {
            let runs = listing.read(root.path());
            assert_eq!(runs.len(), 1);
            assert_eq!((runs[0].path.as_str(), runs[0].word()), ("a", "not judged"));
        }
    }
}
