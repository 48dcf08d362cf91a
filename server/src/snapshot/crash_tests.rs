//! The process, or the power, ends at every step of taking, receiving and installing a snapshot.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::files::{Files, names};
use super::fuse::Fuse;
use super::tests::{
    NEW, OLD, OPTIONS, content, copy_to, engine_files, offer_of, position, receive,
};
use super::*;
use crate::membership::Configuration;

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Crash,
    PowerLoss,
}

/// Does the work with one step more each time, ends it there, and looks at what a restart finds.
fn at_every_step(
    prepare: impl Fn(&Path),
    work: impl Fn(Files, &Path) -> Result<(), SnapshotError>,
    mut look: impl FnMut(&Path, bool),
) {
    for end in [End::Crash, End::PowerLoss] {
        for steps in 0.. {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("0");
            prepare(&path);
            let fuse = Fuse::new(steps);
            let done = work(fuse.files(), &path);
            // Removals in the background fail without anybody waiting for them.
            assert!(done.is_ok() || !fuse.is_whole(), "{end:?} after {steps} steps: {done:?}");
            if end == End::PowerLoss {
                fuse.lose_power();
            }
            look(&path, done.is_ok());
            if fuse.is_whole() {
                assert!(steps > 10, "the work takes steps");
                break;
            }
        }
    }
}

fn prepare(path: &Path) {
    let mut group = GroupDirectory::open(path, OPTIONS).unwrap();
    copy_to(&group.state(), OLD);
    let taken = group.take(position(5), Configuration::default(), |to| engine_files(to, OLD));
    taken.unwrap().describe().unwrap();
}

fn only_known_names(path: &Path, state: u64) {
    for name in names(path).unwrap() {
        let known = ["CURRENT", "snapshots", "incoming"].contains(&name.as_str());
        assert!(known || name == state.to_string(), "{name} was left over");
    }
}

#[test]
fn an_installation_that_ends_anywhere_leaves_the_old_state_or_the_new_one() {
    let offer = offer_of(9, NEW);
    let work = |files, path: &Path| {
        let mut group = GroupDirectory::open_with(files, path, OPTIONS)?;
        let received = receive(&*group.staging(), &offer, NEW, 3)?;
        let ((), old) = group.install(received, |new| {
            assert_eq!(
                content(new),
                BTreeMap::from(NEW.map(|(name, it)| (name.into(), it.into())))
            );
            Ok::<(), SnapshotError>(())
        })?;
        old.remove();
        Ok(())
    };
    let mut seen = BTreeMap::new();
    at_every_step(prepare, work, |path, done| {
        let mut group = GroupDirectory::open(path, OPTIONS).unwrap();
        let is_new = group.installed_position() == Some(position(9));
        assert!(is_new || (!done && group.installed_position().is_none()));
        let expected = if is_new { NEW } else { OLD };
        let expected = BTreeMap::from(expected.map(|(name, it)| (name.into(), it.into())));
        assert_eq!(content(&group.state()), expected);
        only_known_names(path, if is_new { 2 } else { 1 });
        assert_eq!(group.snapshots().len(), usize::from(!is_new));
        *seen.entry(is_new).or_insert(0) += 1;

        // Whatever was found, the same snapshot can be received and installed again.
        let received = receive(&*group.staging(), &offer, NEW, 3).unwrap();
        let (_, old) = group.install(received, |_| Ok::<(), SnapshotError>(())).unwrap();
        old.remove();
        assert_eq!(content(&group.state()).len(), NEW.len());
    });
    assert!(seen[&false] > 20 && seen[&true] > 4, "{seen:?}");
}

#[test]
fn a_snapshot_that_ends_anywhere_is_complete_or_not_there() {
    let work = |files, path: &Path| {
        let mut group = GroupDirectory::open_with(files, path, OPTIONS)?;
        let taken =
            group.take(position(7), Configuration::default(), |to| engine_files(to, NEW))?;
        taken.describe()?;
        let next = group.take(position(8), Configuration::default(), |to| engine_files(to, OLD))?;
        next.describe().map(drop)
    };
    let mut seen = BTreeMap::new();
    at_every_step(prepare, work, |path, done| {
        let group = GroupDirectory::open(path, OPTIONS).unwrap();
        let found: Vec<Arc<dyn SnapshotSource>> = group.snapshots();
        for snapshot in &found {
            let files = if snapshot.position() == position(7) { NEW } else { OLD };
            let meta = snapshot.describe().unwrap();
            assert_eq!(meta.files, offer_of(1, files).files, "{:?}", snapshot.position());
        }
        let indexes: Vec<u64> = found.iter().map(|it| it.position().index.0).collect();
        let expected: &[&[u64]] = &[&[5], &[7, 5], &[8, 7]];
        assert!(expected.contains(&indexes.as_slice()), "{indexes:?}");
        assert!(!done || indexes == [8, 7]);
        only_known_names(path, 1);
        let on_disk = names(&path.join("snapshots")).unwrap();
        assert!(on_disk.len() <= found.len() + 1, "{on_disk:?}");
        *seen.entry(indexes).or_insert(0) += 1;
    });
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[test]
fn a_first_start_that_ends_anywhere_is_repeated() {
    let work = |files: Files, path: &Path| {
        let group = GroupDirectory::open_with(files.clone(), path, OPTIONS)?;
        files.write_whole(&group.state().join("a"), b"1")
    };
    let nothing = |_: &Path| {};
    at_every_step(nothing, work, |path, done| {
        let group = GroupDirectory::open(path, OPTIONS).unwrap();
        assert_eq!(group.installed_position(), None);
        assert!(group.state().is_dir());
        assert!(!done || fs::read(group.state().join("a")).unwrap() == b"1");
    });
}
