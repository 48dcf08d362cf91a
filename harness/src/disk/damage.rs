//! Damage to a file at rest, which can be repaired as long as nobody has written the file anew.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// The last records of a log cannot be told from torn ones, so that what was changed so lately is
/// left alone.
const AT_REST: Duration = Duration::from_secs(2);
/// A repair wants this many bytes on both sides as they were.
const WINDOW: u64 = 32;

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// One bit has the other value.
    Flip,
    /// The end is missing.
    Cut,
}

/// A damaged file.
#[derive(Debug, Clone, Serialize)]
pub struct Damage {
    /// Relative to the data directory.
    pub file: PathBuf,
    /// Where the damage begins.
    pub offset: u64,
    /// The size after it.
    pub size: u64,
    /// The bit that was flipped, or none if the end was cut off.
    pub bit: Option<u8>,
    /// What is around the flipped bit, or what was cut off, as it was.
    #[serde(skip)]
    old: Vec<u8>,
}

impl Damage {
    /// Damages a random file that is at rest. None if there is none.
    pub(super) fn inflict(
        data: &Path,
        kind: DamageKind,
        rng: &mut ChaCha8Rng,
    ) -> io::Result<Option<Damage>> {
        let mut files = Vec::new();
        collect(data, &mut files)?;
        files.sort_unstable();
        let Some((path, size)) = files.choose(rng) else { return Ok(None) };
        let file = File::options().read(true).write(true).open(path)?;
        let offset = rng.random_range(0..*size);
        let (from, until) = match kind {
            DamageKind::Flip => window(offset, *size),
            DamageKind::Cut => (offset, *size),
        };
        let mut old = vec![0; usize::try_from(until - from).map_err(io::Error::other)?];
        file.read_exact_at(&mut old, from)?;
        let bit = match kind {
            DamageKind::Flip => Some(rng.random_range(0..8)),
            DamageKind::Cut => None,
        };
        match bit {
            Some(bit) => {
                file.write_all_at(&[old[(offset - from) as usize] ^ (1 << bit)], offset)?
            }
            None => file.set_len(offset)?,
        }
        let size = file.metadata()?.len();
        let file = path.strip_prefix(data).unwrap_or(path).to_owned();
        Ok(Some(Damage { file, offset, size, bit, old }))
    }

    /// Repairs it; false if the file is gone or was written anew since.
    pub(super) fn repair(&self, data: &Path) -> io::Result<bool> {
        let file = match File::options().read(true).write(true).open(data.join(&self.file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        if file.metadata()?.len() != self.size {
            return Ok(false);
        }
        let Some(bit) = self.bit else {
            file.write_all_at(&self.old, self.offset)?;
            return Ok(true);
        };
        let (from, _) = window(self.offset, self.size);
        let mut expected = self.old.clone();
        expected[(self.offset - from) as usize] ^= 1 << bit;
        let mut found = vec![0; expected.len()];
        file.read_exact_at(&mut found, from)?;
        if found == expected {
            file.write_all_at(&self.old, from)?;
        }
        Ok(found == expected)
    }
}

fn window(offset: u64, size: u64) -> (u64, u64) {
    (offset.saturating_sub(WINDOW), (offset + WINDOW).min(size))
}

/// Files with content that are at rest, with their sizes.
fn collect(directory: &Path, files: &mut Vec<(PathBuf, u64)>) -> io::Result<()> {
    let now = SystemTime::now();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let age = now.duration_since(metadata.modified()?).unwrap_or_default();
        if metadata.is_dir() {
            collect(&entry.path(), files)?;
        } else if metadata.is_file() && metadata.len() > 0 && age >= AT_REST {
            files.push((entry.path(), metadata.len()));
        }
    }
    Ok(())
}
