//! The results directory: one folder a run.

use std::io;
use std::path::{Path, PathBuf};

/// Results cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("create {}: {source}\nhint: --out names a folder that can be written to", path.display())]
pub struct RunStoreError {
    path: PathBuf,
    source: io::Error,
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunStore {
    root: PathBuf,
    name: String,
}

impl RunStore {
    /// Creates `ROOT/<workload>-<faults>/<time>-<seed>`. Two runs never share a folder.
    pub fn create(
        root: &Path,
        group: &str,
        time: &str,
        seed: u64,
    ) -> Result<RunStore, RunStoreError> {
        let error = |path: &Path, source| RunStoreError { path: path.to_owned(), source };
        let root = std::path::absolute(root).map_err(|source| error(root, source))?;
        let parent = root.join(group);
        std::fs::create_dir_all(&parent).map_err(|source| error(&parent, source))?;
        let base = format!("{time}-{seed}");
        // Runs of the same second and seed get a suffix.
        for attempt in 1..=100 {
            let folder_name = match attempt {
                1 => base.clone(),
                _ => format!("{base}.{attempt}"),
            };
            let name = format!("{group}/{folder_name}");
            let path = root.join(&name);
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(RunStore { root, name }),
                Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(error(&path, source)),
            }
        }
        Err(error(&root.join(group).join(base), io::ErrorKind::AlreadyExists.into()))
    }

    /// The results directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The run's name, such as `register-partition/20261122T130501Z-42`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The run's folder.
    pub fn path(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}
