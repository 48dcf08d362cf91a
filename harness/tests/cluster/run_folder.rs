//! The files of a run, read as a user's scripts would.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// The folder of a run.
#[derive(Debug)]
pub(crate) struct RunFolder(pub(crate) PathBuf);

impl RunFolder {
    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("tests use plain names")
    }

    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    #[track_caller]
    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `schedule.jsonl`: the last record of each fault.
    #[track_caller]
    pub(crate) fn faults(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).expect("each line is an object");
        let records = self.text("schedule.jsonl");
        let by_index: BTreeMap<u64, Value> = records
            .lines()
            .map(parse)
            .map(|record: Value| (record["index"].as_u64().expect("a fault has an index"), record))
            .collect();
        by_index.into_values().collect()
    }

    /// Faults of a kind that were seen to act, each in force for a while.
    #[track_caller]
    pub(crate) fn installed(&self, kind: &str) -> Vec<Value> {
        let faults = self.faults();
        let installed: Vec<Value> = faults
            .iter()
            .filter(|fault| fault["kind"] == kind && fault["outcome"] == "installed")
            .cloned()
            .collect();
        assert!(!installed.is_empty(), "no {kind} was installed: {faults:#?}");
        for fault in &installed {
            let time = |name: &str| fault[name].as_u64().unwrap_or_else(|| panic!("{fault:#}"));
            assert!(time("planned_time") <= time("installed_time"), "{fault:#}");
            assert!(time("installed_time") < time("healed_time"), "{fault:#}");
        }
        installed
    }

    /// Judged valid, and by its own words.
    #[track_caller]
    pub(crate) fn assert_valid(&self) {
        let results = self.json("results.json");
        assert_eq!(results["verdict"], "valid", "{:#}", results["checks"]);
        assert_eq!(results["exit_code"], 0, "{:#}", results["checks"]);
        assert_eq!(results["recovery"]["outcome"], "recovered", "{:#}", results["recovery"]);
    }
}
