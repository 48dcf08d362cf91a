//! Where suites keep their results: `<out>/<suite>/<date>/`.

use std::io;
use std::path::{Path, PathBuf};

use super::record::{FORMAT, Record};
use crate::report::files;

/// Earlier nights that are looked at.
const NIGHTS_MAX: usize = 30;
/// Suites of one day that get a folder each.
const A_DAY_MAX: usize = 100;

/// Results of a suite cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}: {source}", path.display())]
pub(crate) struct FolderError {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// The folder of all nights of a suite.
#[derive(Debug)]
pub(crate) struct Nights {
    root: PathBuf,
}

/// The folder of one.
#[derive(Debug, Clone)]
pub(crate) struct Night {
    pub(crate) path: PathBuf,
}

impl Nights {
    pub(crate) fn new(out: &Path, suite: &str) -> Result<Nights, FolderError> {
        let root = std::path::absolute(out.join(suite));
        let root =
            root.map_err(|source| FolderError { what: "find", path: out.join(suite), source })?;
        Ok(Nights { root })
    }

    /// Where they are.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// All that were begun, newest first: their folders' names, and what they did. One that cannot be
    /// read, or is of another format, is passed over.
    pub(super) fn all(&self) -> Vec<(String, Record)> {
        let Ok(entries) = std::fs::read_dir(&self.root) else { return Vec::new() };
        let mut nights: Vec<(String, Record)> = entries
            .flatten()
            .filter_map(|entry| {
                let record = Night { path: entry.path() }.read()?;
                Some((entry.file_name().into_string().ok()?, record))
            })
            .collect();
        nights.sort_by(|(_, a), (_, b)| b.started.cmp(&a.started));
        nights.truncate(NIGHTS_MAX);
        nights
    }

    /// The folder of a night that was begun.
    pub(super) fn night(&self, name: &str) -> Night {
        Night { path: self.root.join(name) }
    }

    /// A new folder for this date.
    pub(crate) fn create(&self, date: &str) -> Result<Night, FolderError> {
        let error = |path: &Path, source| FolderError { what: "create", path: path.into(), source };
        std::fs::create_dir_all(&self.root).map_err(|source| error(&self.root, source))?;
        for attempt in 1..=A_DAY_MAX {
            let name = match attempt {
                1 => date.to_owned(),
                _ => format!("{date}.{attempt}"),
            };
            let path = self.root.join(name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Night { path }),
                Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(error(&path, source)),
            }
        }
        Err(error(&self.root.join(date), io::ErrorKind::AlreadyExists.into()))
    }
}

impl Night {
    fn read(&self) -> Option<Record> {
        let text = std::fs::read(self.path.join("record.json")).ok()?;
        serde_json::from_slice(&text).ok().filter(|record: &Record| record.format == FORMAT)
    }

    /// Writes what was done so far, whole or not at all.
    pub(super) fn save(&self, record: &Record) -> Result<(), files::WriteError> {
        files::write_json(&self.path.join("record.json"), record)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::fixtures::{case, record};
    use super::*;

    #[test]
    fn nights_are_found_again_newest_first_and_a_day_may_have_several() {
        let out = tempfile::tempdir().unwrap();
        let nights = Nights::new(out.path(), "nightly").unwrap();
        assert!(nights.all().is_empty());
        for (date, started) in [("2026-11-21", "T02"), ("2026-11-22", "T02"), ("2026-11-22", "T20")]
        {
            let night = nights.create(date).unwrap();
            let mut record = record(vec![case("register", "kill")], Vec::new());
            record.started = format!("{date}{started}");
            night.save(&record).unwrap();
        }
        std::fs::create_dir(out.path().join("nightly/broken")).unwrap();
        std::fs::write(out.path().join("nightly/broken/record.json"), "{").unwrap();
        let names: Vec<String> = nights.all().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["2026-11-22.2", "2026-11-22", "2026-11-21"]);
    }
}
