//! Reads the files of a run back, and finds runs below a folder.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use workloads::history::jsonl::read_events;
use workloads::history::{Event, ReadError, TruncatedTail};
use workloads::workload::Workload;

use crate::nemesis::record::{FaultRecord, replace_or_push};
use crate::report::results::{Results, RunFacts, RunInfo};

/// Folders inside a folder that are looked into for runs: a night of a suite has runs at the fifth.
const DEPTH_MAX: usize = 6;
/// More runs than this are not listed.
const RUNS_MAX: usize = 20_000;

/// A run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadRunError {
    /// There is no `run.json`.
    #[error(
        "{} is not the folder of a run: it has no run.json\n\
         hint: such as results/latest, or results/<workload>-<faults>/<time>-<seed>", folder.display()
    )]
    NotARun {
        /// The folder.
        folder: PathBuf,
    },
    /// A file cannot be opened.
    #[error("open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what the harness writes.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: serde_json::Error,
    },
    /// A line is not what the harness writes.
    #[error("{}: line {line}: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong in it.
        source: serde_json::Error,
    },
    /// The history cannot be read.
    #[error("{}: {source}", path.display())]
    History {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: ReadError,
    },
    /// The workload of the run is not one of this build.
    #[error("unknown workload {name:?} in {}", path.display())]
    Workload {
        /// Its name.
        name: String,
        /// The file that names it.
        path: PathBuf,
    },
}

/// What a run left behind.
#[derive(Debug)]
pub struct RecordedRun {
    /// `run.json`.
    pub info: RunInfo,
    /// `history.jsonl`.
    pub events: Vec<Event>,
    /// The last line of the history if it is cut short, which was left out.
    pub truncated: Option<u64>,
    /// `facts.json`; made up if the harness was killed before it could write it.
    pub facts: RunFacts,
    /// `schedule.jsonl`.
    pub faults: Vec<FaultRecord>,
}

impl RecordedRun {
    /// Reads all of it.
    pub fn read(folder: &Path) -> Result<RecordedRun, ReadRunError> {
        let info = info(folder)?;
        let path = folder.join("history.jsonl");
        let (events, truncated) =
            read_events(BufReader::new(open(&path)?), TruncatedTail::Tolerate)
                .map_err(|source| ReadRunError::History { path, source })?;
        let mut facts: RunFacts = match folder.join("facts.json") {
            path if path.exists() => read_json(&path)?,
            _ => RunFacts {
                end: events.last().map_or(0, |event| event.time),
                interrupted: true,
                harness_failures: vec!["the harness was killed during the run".to_owned()],
                ..RunFacts::default()
            },
        };
        // Runs of earlier versions have none.
        let path = folder.join("roles.jsonl");
        if path.exists() {
            facts.roles = lines(&path)?;
        }
        let faults = faults(folder)?;
        Ok(RecordedRun { info, events, truncated, facts, faults })
    }
}

/// What was asked for.
pub fn info(folder: &Path) -> Result<RunInfo, ReadRunError> {
    let path = folder.join("run.json");
    match path.exists() {
        true => read_json(&path),
        false => Err(ReadRunError::NotARun { folder: folder.to_owned() }),
    }
}

/// What was found.
pub fn results(folder: &Path) -> Result<Results, ReadRunError> {
    read_json(&folder.join("results.json"))
}

/// The workload of a run, if this build has it.
pub fn workload(folder: &Path, info: &RunInfo) -> Result<&'static Workload, ReadRunError> {
    workloads::registry::workload(&info.workload).ok_or_else(|| ReadRunError::Workload {
        name: info.workload.clone(),
        path: folder.join("run.json"),
    })
}

/// The faults, as they were last seen.
pub fn faults(folder: &Path) -> Result<Vec<FaultRecord>, ReadRunError> {
    let mut faults = Vec::new();
    for record in lines(&folder.join("schedule.jsonl"))? {
        replace_or_push(&mut faults, record);
    }
    Ok(faults)
}

/// A value a line. A killed harness may leave half a line, but only at the end.
pub fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, ReadRunError> {
    let bytes = std::fs::read(path)
        .map_err(|source| ReadRunError::Open { path: path.to_owned(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let mut values = Vec::with_capacity(lines.len());
    for (number, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(value) => values.push(value),
            Err(_) if number + 1 == lines.len() && !text.ends_with('\n') => {}
            Err(source) => {
                let path = path.to_owned();
                return Err(ReadRunError::Line { path, line: number + 1, source });
            }
        }
    }
    Ok(values)
}

/// The folders of runs in `root`, or `root` itself, by path. Links are not followed, so that
/// `latest` is not a second run.
pub fn find(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        if folder.join("run.json").is_file() {
            found.push(folder);
            if found.len() == RUNS_MAX {
                tracing::warn!("only the first {RUNS_MAX} runs in {} are read", root.display());
                break;
            }
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        if depth < DEPTH_MAX {
            let folders = entries.flatten().filter(|entry| {
                // Of the entry itself: that of a link is not that of a folder.
                entry.file_type().is_ok_and(|kind| kind.is_dir())
            });
            waiting.extend(folders.map(|entry| (entry.path(), depth + 1)));
        }
    }
    found.sort();
    found
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, ReadRunError> {
    serde_json::from_reader(BufReader::new(open(path)?))
        .map_err(|source| ReadRunError::Json { path: path.to_owned(), source })
}

fn open(path: &Path) -> Result<File, ReadRunError> {
    File::open(path).map_err(|source| ReadRunError::Open { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_at_any_depth_and_links_are_no_second_run() {
        let root = tempfile::tempdir().unwrap();
        for run in ["register-kill/1", "nightly/2026-11-22/runs/slot/set-none/2"] {
            let folder = root.path().join(run);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("run.json"), "{}").unwrap();
        }
        std::os::unix::fs::symlink("register-kill/1", root.path().join("latest")).unwrap();
        let found = find(root.path());
        assert_eq!(found.len(), 2);
        assert_eq!(find(&found[0]), [found[0].clone()]);
        assert_eq!(find(&root.path().join("latest")).len(), 1);
    }

    #[test]
    fn half_a_line_is_left_out_at_the_end_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, "1\n2\n3").unwrap();
        assert_eq!(lines::<u64>(&path).unwrap(), [1, 2, 3]);
        std::fs::write(&path, "1\n{").unwrap();
        assert_eq!(lines::<u64>(&path).unwrap(), [1]);
        std::fs::write(&path, "{\n1\n").unwrap();
        assert!(matches!(lines::<u64>(&path), Err(ReadRunError::Line { line: 1, .. })));
    }
}
