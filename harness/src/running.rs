//! A run while its nodes live: what another process must know to reach them.
//!
//! The record is `running.json` in the run's folder. A harness that was killed cannot remove it, so
//! a reader checks that the process it names is still the one that wrote it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::report::files::{self, WriteError};

/// Version of `running.json`.
const FORMAT: u32 = 1;
const FILE: &str = "running.json";

/// What `running.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningRecord {
    format: u32,
    /// The harness' process that holds the nodes' namespaces, numbered as outside of them.
    pub pid: i32,
    /// When that process started, in clock ticks since boot; tells it from a later one of its pid.
    started: u64,
    /// Do the nodes live in namespaces of their own?
    pub namespaces: bool,
    /// Where the nodes answer clients, by name.
    pub nodes: BTreeMap<String, String>,
}

/// A record that is removed when this is dropped.
#[derive(Debug)]
pub struct Running {
    path: PathBuf,
}

impl Running {
    /// Announces that the nodes of the run in `folder` can be reached.
    pub fn announce(
        folder: &Path,
        pid: i32,
        namespaces: bool,
        nodes: BTreeMap<String, String>,
    ) -> Result<Running, WriteError> {
        // Without a start time the record would be taken for another process', never for ours.
        let started = start_time("self").unwrap_or(0);
        let path = folder.join(FILE);
        files::write_json(
            &path,
            &RunningRecord { format: FORMAT, pid, started, namespaces, nodes },
        )?;
        Ok(Running { path })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // What is left behind is seen to be old by its reader.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The run cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum NotRunning {
    /// Its nodes do not live.
    #[error(
        "{} is not running\nhint: start it with --hold, which keeps the nodes until Ctrl-C", folder.display()
    )]
    Ended {
        /// The run's folder.
        folder: PathBuf,
    },
    /// `running.json` is not what this program writes.
    #[error("read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What the run in `folder` says of itself, if it still lives.
pub fn find(folder: &Path) -> Result<RunningRecord, NotRunning> {
    let path = folder.join(FILE);
    let ended = || NotRunning::Ended { folder: folder.to_owned() };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(ended()),
        Err(source) => return Err(NotRunning::Unreadable { path, source }),
    };
    let record: RunningRecord = serde_json::from_slice(&bytes)
        .map_err(|error| NotRunning::Unreadable { path, source: error.into() })?;
    match start_time(&record.pid.to_string()) {
        Some(started) if started == record.started => Ok(record),
        Some(_) | None => Err(ended()),
    }
}

/// When a process started, in clock ticks since boot: field 22 of its `stat` (proc(5)).
fn start_time(process: &str) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the name, in parentheses, and may hold anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announce(folder: &Path) -> Running {
        let nodes = BTreeMap::from([("n1".to_owned(), "127.0.0.1:1".to_owned())]);
        let pid = i32::try_from(std::process::id()).unwrap();
        Running::announce(folder, pid, false, nodes).unwrap()
    }

    #[test]
    fn a_run_is_found_while_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let running = announce(folder.path());
        assert_eq!(find(folder.path()).unwrap().nodes["n1"], "127.0.0.1:1");
        drop(running);
        assert!(matches!(find(folder.path()), Err(NotRunning::Ended { .. })));
    }

    #[test]
    fn the_record_of_a_killed_harness_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let _running = announce(folder.path());
        let path = folder.path().join(FILE);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut record: RunningRecord = serde_json::from_str(&text).unwrap();
        record.started += 1;
        std::fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
        assert!(matches!(find(folder.path()), Err(NotRunning::Ended { .. })));
    }
}
