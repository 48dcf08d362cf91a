//! The data directory of one node: whose it is, and that one process at a time uses it.
//!
//! ```text
//! DIR/meta.json   format version, cluster, node, incarnation; written once
//! DIR/founders    which directories the cluster began with, see `founders`; JSON too
//! DIR/lock        locked while a process uses the directory
//! DIR/log/        the Raft log: NUMBER-SEED.segment, see `log_store/segments`
//! DIR/shards      the shard map; written when all groups of the first start are there
//! DIR/state/      the state machines, one directory a group:
//!   <group>/CURRENT                    which of the next has the state, and where it came from
//!   <group>/<number>/                  a RocksDB
//!   <group>/snapshots/<index>-<term>/  snapshots that were taken here: META and files/
//!   <group>/incoming/                  one that is being received: OFFER and files/
//! ```
//!
//! `meta.json`, `founders` and `shards` have checksums (`checked.rs`). Where one is wrong, the node does
//! not start.
//!
//! Formats: 1 had the log in a RocksDB too, and one state; 2 has the log in segments; 3 has an
//! incarnation; 4 has checksums in `meta.json`, `founders` and `shards`.

mod checked;

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::checked::CheckedFileError;
use crate::founders::{FoundersRecord, Keep};
use crate::shard::{ShardMap, ShardMapError};
use crate::types::NodeId;

/// Version of the layout of a data directory and of everything in it.
pub const DATA_FORMAT: u32 = 4;

const SHARDS_FILE: &str = "shards";
const FOUNDERS_FILE: &str = "founders";

/// A data directory that is ours until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    incarnation: u64,
    /// Held for its lock, which ends with the process at the latest.
    _lock: File,
}

/// The content of `meta.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Meta {
    format: u32,
    cluster: String,
    node: u64,
    /// A random number, never 0, by which this directory is told from all others.
    incarnation: u64,
}

/// A data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The file system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb phrase.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process has it.
    #[error("use data directory {}: another process is using it\n\
             hint: stop that process, or give each node its own --data directory", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// A file is not what this program writes.
    #[error("read {}: {source}\n\
             hint: this is not a data directory of this store, or it was damaged; in a cluster, \
             replace the node by one with an empty data directory", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: CheckedFileError,
    },
    /// The shard map is not what this program writes.
    #[error("read {}: {source}\n\
             hint: use the version of the server that wrote it; if it is damaged, start this node \
             with an empty directory", path.display())]
    Shards {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ShardMapError,
    },
    /// Another version of the store wrote it.
    #[error("use data directory {}: it has format {found}, and this build reads format \
             {DATA_FORMAT}\nhint: use the version of the server that wrote it, or replace the node by \
             one with an empty data directory", path.display())]
    Format {
        /// The directory.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It belongs to another cluster or node.
    #[error("use data directory {}: it belongs to node {node} of cluster {cluster:?}\n\
             hint: check --node, --cluster and --data", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// The node in it.
        node: u64,
        /// The cluster in it.
        cluster: String,
    },
    /// It has files, but none that says whose they are.
    #[error("use data directory {}: it is not empty, and has no meta.json\n\
             hint: choose an empty or a new directory", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
}

impl DataDir {
    /// Takes the directory for this node of this cluster, and creates it if it is missing.
    pub fn open(path: &Path, cluster: &str, node: NodeId) -> Result<DataDir, DataDirError> {
        create_directory(path)?;
        let lock = lock(path)?;
        let meta_path = path.join("meta.json");
        let incarnation = match read_if_there(&meta_path)? {
            Some(bytes) => check_meta(path, &meta_path, &bytes, cluster, node)?,
            None => {
                check_unused(path)?;
                let incarnation = new_incarnation();
                let (cluster, node) = (cluster.to_owned(), node.0);
                let meta = Meta { format: DATA_FORMAT, cluster, node, incarnation };
                write_file(path, "meta.json", &checked::encode_json(&meta))?;
                incarnation
            }
        };
        let directory = DataDir { path: path.to_owned(), incarnation, _lock: lock };
        create_directory(&directory.log())?;
        create_directory(&directory.state())?;
        Ok(directory)
    }

    /// What distinguishes this directory from any other that this node ever had.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Where the Raft log is.
    pub fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where the state machines are, each in a directory of its own.
    pub fn state(&self) -> PathBuf {
        self.path.join("state")
    }
}

impl DataDir {
    /// The shard map, if this node has ever had one.
    pub fn read_shards(&self) -> Result<Option<ShardMap>, DataDirError> {
        let path = self.path.join(SHARDS_FILE);
        let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
        let encoded = checked::decode_bytes(&bytes).map_err(damaged(&path))?;
        match ShardMap::decode_map(encoded) {
            Ok(map) => Ok(Some(map)),
            Err(source) => Err(DataDirError::Shards { path, source }),
        }
    }

    /// Replaces the shard map. After a crash there is the old one or the new one.
    pub fn write_shards(&self, map: &ShardMap) -> Result<(), DataDirError> {
        write_file(&self.path, SHARDS_FILE, &checked::encode_bytes(&map.encode_map()))
    }

    /// Which directories the cluster began with; none before the first start of this node.
    pub fn read_founders(&self) -> Result<Option<FoundersRecord>, DataDirError> {
        let path = self.path.join(FOUNDERS_FILE);
        let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
        checked::decode_json(&bytes).map(Some).map_err(damaged(&path))
    }

    /// Keeps a record of them from now on, also after this is dropped. After a crash there is the old
    /// record or the new one.
    pub fn keep_founders(&self) -> Keep {
        let directory = self.path.clone();
        Box::new(move |record| write_file(&directory, FOUNDERS_FILE, &checked::encode_json(record)))
    }
}

/// Of a new data directory, or of a process without one.
pub fn new_incarnation() -> u64 {
    // The standard library draws the keys of its hashers from the operating system.
    RandomState::new().hash_one(std::process::id()).max(1)
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    move |source| DataDirError::Io { what, path, source }
}

fn damaged(path: &Path) -> impl FnOnce(CheckedFileError) -> DataDirError {
    let path = path.to_owned();
    move |source| DataDirError::Damaged { path, source }
}

/// The content of a file; none if there is none.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, DataDirError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io("read", path)(error)),
    }
}

/// Creates a directory such that it is still there after a power loss.
fn create_directory(path: &Path) -> Result<(), DataDirError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    };
    create_directory(parent)?;
    fs::create_dir(path).map_err(io("create directory", path))?;
    sync_directory(parent)
}

fn sync_directory(path: &Path) -> Result<(), DataDirError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(io("sync directory", path))
}

fn lock(directory: &Path) -> Result<File, DataDirError> {
    let path = directory.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DataDirError::Locked { path: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io("lock", &path)(error)),
    }
}

/// A directory without `meta.json` may hold nothing but what a crash during the first start leaves.
fn check_unused(directory: &Path) -> Result<(), DataDirError> {
    for file in fs::read_dir(directory).map_err(io("list", directory))? {
        let name = file.map_err(io("list", directory))?.file_name();
        if name != "lock" && name != "meta.json.new" && name != "lost+found" {
            return Err(DataDirError::NotOurs { path: directory.to_owned() });
        }
    }
    Ok(())
}

fn check_meta(
    directory: &Path,
    path: &Path,
    bytes: &[u8],
    cluster: &str,
    node: NodeId,
) -> Result<u64, DataDirError> {
    // The format comes first: the other fields may mean something else in another format.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let found = match serde_json::from_slice::<Format>(bytes) {
        Ok(Format { format }) if checked::is_unchecked_json(bytes) => format,
        Ok(_) | Err(_) => checked::decode_json::<Format>(bytes).map_err(damaged(path))?.format,
    };
    if found != DATA_FORMAT {
        return Err(DataDirError::Format { path: directory.to_owned(), found });
    }
    let meta: Meta = checked::decode_json(bytes).map_err(damaged(path))?;
    if meta.cluster != cluster || meta.node != node.0 {
        let path = directory.to_owned();
        return Err(DataDirError::Foreign { path, node: meta.node, cluster: meta.cluster });
    }
    Ok(meta.incarnation)
}

/// Writes a new file, syncs it, moves it in place and syncs the directory, so that after a power
/// loss there is either the old file (or none) or the whole new one.
fn write_file(directory: &Path, name: &str, content: &[u8]) -> Result<(), DataDirError> {
    let new = directory.join(format!("{name}.new"));
    let path = directory.join(name);
    let mut file = File::create(&new).map_err(io("create", &new))?;
    file.write_all(content).map_err(io("write", &new))?;
    file.sync_all().map_err(io("sync", &new))?;
    fs::rename(&new, &path).map_err(io("create", &path))?;
    sync_directory(directory)
}

#[cfg(test)]
mod tests;
