//! What can go wrong with a snapshot.

use std::io;
use std::path::{Path, PathBuf};

use super::meta::FilePosition;

/// A snapshot cannot be taken, read, received or installed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb phrase.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The storage engine failed.
    #[error("{what}: {reason}")]
    Engine {
        /// What was attempted, as a verb phrase.
        what: &'static str,
        /// The engine's words.
        reason: String,
    },
    /// What is offered makes no sense, is too big, or does not belong here.
    #[error("refused the snapshot: {0}")]
    Refused(String),
    /// Bytes are not those that were announced or written.
    #[error("corrupt snapshot: {0}")]
    Corrupt(String),
    /// A later version of the store wrote the file.
    #[error(
        "read {}: it has format {found}, and this build reads format {known}\n\
         hint: use the version of the server that wrote it", path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The format of this build.
        known: u32,
    },
    /// Bytes came that are not the next ones.
    #[error("bytes of {found} came where those of {expected} were next")]
    OutOfOrder {
        /// Which bytes are next.
        expected: FilePosition,
        /// Which bytes came.
        found: FilePosition,
    },
    /// One snapshot at a time is received by a group.
    #[error("another snapshot of the group is being received or installed")]
    Busy,
}

/// For `map_err`: the error of an operation on a file or directory.
pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SnapshotError {
    let path = path.to_owned();
    move |source| SnapshotError::Io { what, path, source }
}
