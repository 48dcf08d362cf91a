//! Damage to a file at rest, which can be repaired as long as nobody has written the file anew.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
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
/// Places that are tried before one is taken that has nothing but zeros around it.
const PLACES_MAX: usize = 64;

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// One bit has the other value.
    Flip,
    /// The end is missing.
    Cut,
}

/// A damaged file.
#[derive(Debug, Serialize)]
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
    /// Stays open, because the node may remove this name of a file that has others: the files of
    /// RocksDB's checkpoints are those of the state.
    #[serde(skip)]
    open: File,
}

impl Damage {
    /// Damages a random file that is at rest, a large one rather than a small one every other time.
    /// None if there is none.
    pub(super) fn inflict(
        data: &Path,
        kind: DamageKind,
        rng: &mut ChaCha8Rng,
    ) -> io::Result<Option<Damage>> {
        let mut files = Vec::new();
        collect(data, &mut files)?;
        files.sort_unstable();
        let Some((path, size)) = choose(&files, rng) else { return Ok(None) };
        let file = File::options().read(true).write(true).open(path)?;
        let offset = place(&file, *size, rng)?;
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
        let name = path.strip_prefix(data).unwrap_or(path).to_owned();
        Ok(Some(Damage { file: name, offset, size, bit, old, open: file }))
    }

    /// Repairs it; false if the file is gone or was written anew since.
    pub(super) fn repair(&self) -> io::Result<bool> {
        let file = &self.open;
        let metadata = file.metadata()?;
        if metadata.nlink() == 0 || metadata.len() != self.size {
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

/// Damage of a disk is as likely in each byte, so that large files have most of it; what it does to
/// small ones is as interesting. So there is an even chance of each.
fn choose<'a>(files: &'a [(PathBuf, u64)], rng: &mut ChaCha8Rng) -> Option<&'a (PathBuf, u64)> {
    if rng.random_bool(0.5) {
        return files.choose(rng);
    }
    let bytes: u64 = files.iter().map(|(_, size)| size).sum();
    let mut byte = rng.random_range(0..bytes.max(1));
    files.iter().find(|(_, size)| {
        let is_here = byte < *size;
        byte = byte.saturating_sub(*size);
        is_here
    })
}

/// A random place, and as a rule none in a part that was only ever filled with zeros.
fn place(file: &File, size: u64, rng: &mut ChaCha8Rng) -> io::Result<u64> {
    let mut offset = 0;
    for _ in 0..PLACES_MAX {
        offset = rng.random_range(0..size);
        let (from, until) = window(offset, size);
        let mut around = [0; 2 * WINDOW as usize];
        let around = &mut around[..(until - from) as usize];
        file.read_exact_at(around, from)?;
        if around.iter().any(|byte| *byte != 0) {
            break;
        }
    }
    Ok(offset)
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

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// A folder with a file of zeros but for its second half, that is at rest.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, [[0; 4096], [0x5a; 4096]].concat()).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - 2 * AT_REST).unwrap();
        folder
    }

    #[test]
    fn zeros_that_nobody_wrote_are_spared_and_damage_is_repaired() {
        for (seed, kind) in
            (0..50).flat_map(|seed| [(seed, DamageKind::Flip), (seed, DamageKind::Cut)])
        {
            let folder = folder();
            let rng = &mut ChaCha8Rng::seed_from_u64(seed);
            let good = fs::read(folder.path().join("log")).unwrap();
            let damage = Damage::inflict(folder.path(), kind, rng).unwrap().unwrap();
            assert!(damage.offset + WINDOW > 4096, "{damage:?}");
            assert_ne!(fs::read(folder.path().join("log")).unwrap(), good);
            assert!(damage.repair().unwrap());
            assert_eq!(fs::read(folder.path().join("log")).unwrap(), good);
        }
    }

    #[test]
    fn a_file_is_repaired_under_its_other_name_and_not_if_it_has_none() {
        for has_other in [true, false] {
            let folder = folder();
            let (name, other) = (folder.path().join("log"), folder.path().join("other"));
            let good = fs::read(&name).unwrap();
            let rng = &mut ChaCha8Rng::seed_from_u64(1);
            let damage = Damage::inflict(folder.path(), DamageKind::Flip, rng).unwrap().unwrap();
            if has_other {
                fs::hard_link(&name, &other).unwrap();
            }
            fs::remove_file(&name).unwrap();
            assert_eq!(damage.repair().unwrap(), has_other);
            if has_other {
                assert_eq!(fs::read(&other).unwrap(), good);
            }
        }
    }

    #[test]
    fn what_was_just_written_is_left_alone() {
        let folder = folder();
        fs::write(folder.path().join("log"), [1; 9]).unwrap();
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        assert!(Damage::inflict(folder.path(), DamageKind::Flip, rng).unwrap().is_none());
    }
}
