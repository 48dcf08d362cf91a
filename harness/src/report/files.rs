//! Writes the files of a run. A file is either whole or not there: written aside, then renamed.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;
use workloads::history::Event;

use crate::nemesis::record::FaultRecord;
use crate::report::results::{Results, RunFacts, RunInfo};
use crate::report::{html, junit, node_log};

/// Why a file of a run could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The folder cannot be made.
    #[error("create folder {}: {source}", path.display())]
    CreateFolder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The value has no JSON form.
    #[error("write {} as JSON: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the serializer said.
        source: serde_json::Error,
    },
    /// The results have no XML form.
    #[error("write {} as XML: {source}", path.display())]
    Xml {
        /// The file.
        path: PathBuf,
        /// What the serializer said.
        source: quick_junit::SerializeError,
    },
    /// The link to the last run cannot be made.
    #[error("link {} to {}: {source}", link.display(), target.display())]
    Link {
        /// The link.
        link: PathBuf,
        /// What it should point to.
        target: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes `run.json`, before the run starts. Makes the folder if it is not there.
pub fn write_run(folder: &Path, run: &RunInfo) -> Result<(), WriteError> {
    fs::create_dir_all(folder)
        .map_err(|source| WriteError::CreateFolder { path: folder.to_owned(), source })?;
    write_json(&folder.join("run.json"), run)
}

/// Writes `results.json`, `junit.xml` and `report.html`; returns the path of the last.
///
/// Node logs are linked if they are already in the folder, under `nodes/`.
pub fn write_results(
    folder: &Path,
    run: &RunInfo,
    facts: &RunFacts,
    results: &Results,
    events: &[Event],
    faults: &[FaultRecord],
) -> Result<PathBuf, WriteError> {
    write_json(&folder.join("results.json"), results)?;
    let path = folder.join("junit.xml");
    let xml = junit::render(run, facts, results, faults)
        .map_err(|source| WriteError::Xml { path: path.clone(), source })?;
    write_atomically(&path, xml.as_bytes())?;
    let logs = node_logs(folder);
    let lines = node_log::read(folder, &logs, facts.began_at);
    let input =
        html::ReportInput { run, facts, results, events, faults, logs: &logs, lines: &lines };
    let page = html::render(&input);
    let path = folder.join("report.html");
    write_atomically(&path, page.as_bytes())?;
    Ok(path)
}

/// Points `<root>/latest` to the folder of a run inside the root; the link is relative.
pub fn link_latest(root: &Path, folder: &Path) -> Result<(), WriteError> {
    let link = root.join("latest");
    let target = folder.strip_prefix(root).unwrap_or(folder);
    let aside = root.join(format!(".latest.{}", std::process::id()));
    std::os::unix::fs::symlink(target, &aside).and_then(|()| fs::rename(&aside, &link)).map_err(
        |source| {
            // Best effort: a stray temporary link is no reason to hide the first error.
            let _ = fs::remove_file(&aside);
            WriteError::Link { link: link.clone(), target: target.to_owned(), source }
        },
    )
}

/// Writes a value as readable JSON.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), WriteError> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|source| WriteError::Json { path: path.to_owned(), source })?;
    text.push('\n');
    write_atomically(path, text.as_bytes())
}

/// Writes beside the file, syncs, then renames over it.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let write = || {
        let mut file = fs::File::create(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().map_err(|source| {
        // Best effort: a stray temporary file is no reason to hide the first error.
        let _ = fs::remove_file(&aside);
        WriteError::Write { path: path.to_owned(), source }
    })
}

/// Files directly in `nodes/<node>/`, as paths relative to the run's folder, in natural order.
fn node_logs(folder: &Path) -> Vec<String> {
    let entries = |path: &Path| -> Vec<PathBuf> {
        let Ok(read) = fs::read_dir(path) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = read.flatten().map(|entry| entry.path()).collect();
        paths.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
        paths
    };
    entries(&folder.join("nodes"))
        .iter()
        .flat_map(|node| entries(node))
        .filter(|path| path.is_file())
        .filter_map(|path| Some(path.strip_prefix(folder).ok()?.to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{analysis, fixtures};

    #[test]
    fn all_files_are_written_whole_and_latest_points_to_them() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("register-partition/20261122T130501Z-42");
        let (run, facts) = (fixtures::run(&["none"]), fixtures::facts());
        let events = fixtures::steady();
        let results = analysis::analyze(&run, &facts, &events, &[], vec![fixtures::valid_check()]);
        write_run(&folder, &run).unwrap();
        fs::create_dir_all(folder.join("nodes/n1")).unwrap();
        fs::write(folder.join("nodes/n1/log"), "").unwrap();
        let report = write_results(&folder, &run, &facts, &results, &events, &[]).unwrap();
        for _ in 0..2 {
            link_latest(root.path(), &folder).unwrap();
        }
        let page = fs::read_to_string(root.path().join("latest/report.html")).unwrap();
        assert_eq!(page, fs::read_to_string(report).unwrap());
        assert!(page.contains("./nodes/n1/log"));
        let mut names: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["junit.xml", "nodes", "report.html", "results.json", "run.json"]);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("taken");
        fs::write(&file, "").unwrap();
        let error = write_run(&file.join("run"), &fixtures::run(&["none"])).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("create folder ") && text.contains("taken/run: "), "{text}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("results.json");
        fs::create_dir(&path).unwrap();
        let error = write_json(&path, &1).unwrap_err();
        assert!(error.to_string().starts_with("write "), "{error}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
