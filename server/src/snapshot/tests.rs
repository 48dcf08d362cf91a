//! Snapshots of both kinds, with a storage engine that is a directory of small files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::files::{UNFINISHED, names, with_end};
use super::*;
use crate::command::Versioned;
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::types::{LogIndex, Term};

pub(super) type EngineFiles = [(&'static str, &'static str); 4];

pub(super) const OLD: EngineFiles =
    [("0.sst", "old table"), ("CURRENT", "old"), ("deleted.sst", "deleted key"), ("empty", "")];
pub(super) const NEW: EngineFiles =
    [("0.sst", "new table"), ("1.sst", "another"), ("CURRENT", "new"), ("empty", "")];

pub(super) const OPTIONS: DirectoryOptions =
    DirectoryOptions { limits: SnapshotLimits::STANDARD, landmark: "CURRENT" };

pub(super) fn position(index: u64) -> LogPosition {
    LogPosition { index: LogIndex(index), term: Term(2) }
}

fn configuration() -> Configuration {
    Configuration { voters: vec![1, 2, 3], ..Configuration::default() }
}

/// What the engine does for a checkpoint.
pub(super) fn engine_files(to: &Path, files: EngineFiles) -> Result<(), SnapshotError> {
    fs::create_dir(to).unwrap();
    copy_to(to, files);
    Ok(())
}

pub(super) fn copy_to(to: &Path, files: EngineFiles) {
    for (name, content) in files {
        fs::write(to.join(name), content).unwrap();
    }
}

pub(super) fn content(directory: &Path) -> BTreeMap<String, String> {
    let read = |name: String| {
        let content = fs::read_to_string(directory.join(&name)).unwrap();
        (name, content)
    };
    names(directory).unwrap().into_iter().map(read).collect()
}

pub(super) fn offer_of(index: u64, files: EngineFiles) -> SnapshotMeta {
    let file = |(name, content): (&str, &str)| SnapshotFile {
        name: name.to_owned(),
        bytes: content.len() as u64,
        crc32c: crc32c::crc32c(content.as_bytes()),
    };
    let files = files.into_iter().map(file).collect();
    SnapshotMeta { position: position(index), configuration: configuration(), files }
}

/// Receives these files in chunks, from wherever the room says that it lacks bytes.
pub(super) fn receive(
    staging: &dyn SnapshotStaging,
    offer: &SnapshotMeta,
    files: EngineFiles,
    chunk: usize,
) -> Result<ReceivedSnapshot, SnapshotError> {
    let mut sink = staging.begin(offer.clone())?;
    while sink.position() != offer.end() {
        let at = sink.position();
        let rest = &files[at.file].1.as_bytes()[usize::try_from(at.offset).unwrap()..];
        sink.write(at, &rest[..chunk.min(rest.len())])?;
    }
    sink.finish()
}

/// Sends a snapshot to a room, in chunks.
fn transfer(
    source: &dyn SnapshotSource,
    staging: &dyn SnapshotStaging,
    chunk: usize,
) -> Result<ReceivedSnapshot, SnapshotError> {
    let meta = source.describe()?;
    let mut sink = staging.begin((*meta).clone())?;
    while sink.position() != meta.end() {
        let at = sink.position();
        sink.write(at, &source.read(at, chunk)?)?;
    }
    sink.finish()
}

fn group(path: &Path) -> GroupDirectory {
    GroupDirectory::open(path, OPTIONS).unwrap()
}

fn take(group: &mut GroupDirectory, index: u64, files: EngineFiles) -> Arc<dyn SnapshotSource> {
    group.take(position(index), configuration(), |to| engine_files(to, files)).unwrap()
}

#[track_caller]
fn is_refused<T>(result: Result<T, SnapshotError>) {
    match result {
        Err(SnapshotError::Refused(_)) => {}
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it was accepted"),
    }
}

#[test]
fn a_snapshot_on_disk_is_copied_and_installed_and_deleted_files_stay_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let mut sender = group(&directory.path().join("a"));
    let source = take(&mut sender, 9, NEW);
    assert_eq!(*source.describe().unwrap(), offer_of(9, NEW));
    for chunk in [1, 3, 1000] {
        let mut receiver = group(&directory.path().join(chunk.to_string()));
        copy_to(&receiver.state(), OLD);
        let received = transfer(&*source, &*receiver.staging(), chunk).unwrap();
        assert_eq!(received.meta().configuration, configuration());
        let (opened, old) =
            receiver.install(received, |new| Ok::<_, SnapshotError>(content(new))).unwrap();
        old.remove();
        assert_eq!(opened, BTreeMap::from(NEW.map(|(name, it)| (name.into(), it.into()))));
        assert_eq!(content(&receiver.state()), opened);
        assert_eq!(receiver.installed_position(), Some(position(9)));
    }
}

#[test]
fn a_snapshot_in_memory_is_copied() {
    let state = Versioned { value: "v".repeat(100).into(), revision: 3, version: 1, lease: 0 };
    let source = MemorySnapshot::new(position(9), configuration(), state.clone());
    for chunk in [1, 7, 1000] {
        let staging = MemoryStaging::new(SnapshotLimits::STANDARD);
        let received = transfer(&source, &staging, chunk).unwrap();
        assert_eq!(received.meta().position, position(9));
        assert_eq!(received.meta().configuration, configuration());
        assert_eq!(received.decode::<Versioned>().unwrap(), state);
    }
}

#[test]
fn a_transfer_goes_on_where_it_was_cut() {
    let directory = tempfile::tempdir().unwrap();
    let source = take(&mut group(&directory.path().join("a")), 9, NEW);
    let meta = source.describe().unwrap();
    let memory = MemorySnapshot::new(position(9), configuration(), Versioned::default());
    let on_disk = directory.path().join("b");
    let cut = |source: &dyn SnapshotSource, staging: &dyn SnapshotStaging| {
        let mut sink = staging.begin((*source.describe().unwrap()).clone()).unwrap();
        let at = sink.position();
        sink.write(at, &source.read(at, 4).unwrap()).unwrap();
        FilePosition { offset: 4, ..at }
    };

    let staging = MemoryStaging::new(SnapshotLimits::STANDARD);
    let at = cut(&memory, &staging);
    let sink = staging.begin((*memory.describe().unwrap()).clone()).unwrap();
    assert_eq!(sink.position(), at);

    let at = cut(&*source, &*group(&on_disk).staging());
    // A new process; one file complete, and the next one begun.
    let again = group(&on_disk);
    let mut sink = again.staging().begin((*meta).clone()).unwrap();
    assert_eq!(sink.position(), at);
    sink.write(at, &source.read(at, 1000).unwrap()).unwrap();
    let at = sink.position();
    assert_eq!(at, FilePosition { file: 1, offset: 0 });
    sink.write(at, &source.read(at, 2).unwrap()).unwrap();
    drop(sink);
    drop(again);
    let again = group(&on_disk);
    let sink = again.staging().begin((*meta).clone()).unwrap();
    assert_eq!(sink.position(), FilePosition { file: 1, offset: 2 });
    drop(sink);
    assert!(transfer(&*source, &*again.staging(), 3).is_ok());
}

#[test]
fn another_offer_starts_afresh_and_takes_the_room_of_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let staging = group(directory.path()).staging();
    let first = offer_of(9, NEW);
    let mut sink = staging.begin(first.clone()).unwrap();
    sink.write(sink.position(), b"new").unwrap();
    drop(sink);
    let second = offer_of(10, OLD);
    let sink = staging.begin(second).unwrap();
    assert_eq!(sink.position(), FilePosition::default());
    assert_eq!(names(&directory.path().join("incoming/files")).unwrap(), [""; 0]);
    drop(sink);
    let mut sink = staging.begin(first.clone()).unwrap();
    assert_eq!(sink.position(), FilePosition::default());
    sink.write(sink.position(), b"new").unwrap();
    drop(sink);
    // Another node has the same state in other files.
    let mut same_position = first;
    same_position.files[0].crc32c ^= 1;
    assert_eq!(staging.begin(same_position).unwrap().position(), FilePosition::default());
}

#[test]
fn one_snapshot_at_a_time_is_received() {
    let directory = tempfile::tempdir().unwrap();
    let on_disk = group(directory.path());
    let offer = offer_of(9, NEW);
    let sink = on_disk.staging().begin(offer.clone()).unwrap();
    assert!(matches!(on_disk.staging().begin(offer.clone()), Err(SnapshotError::Busy)));
    drop(sink);
    let received = receive(&*on_disk.staging(), &offer, NEW, 5).unwrap();
    assert!(matches!(on_disk.staging().begin(offer.clone()), Err(SnapshotError::Busy)));
    drop(received);
    assert_eq!(on_disk.staging().begin(offer.clone()).unwrap().position(), offer.end());
}

#[test]
fn bytes_out_of_order_or_too_many_are_refused_and_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let memory = MemorySnapshot::new(position(9), configuration(), Versioned::default());
    let meta = memory.describe().unwrap();
    let stagings: [(Arc<dyn SnapshotStaging>, SnapshotMeta); 2] = [
        (group(directory.path()).staging(), offer_of(9, NEW)),
        (Arc::new(MemoryStaging::new(SnapshotLimits::STANDARD)), (*meta).clone()),
    ];
    for (staging, offer) in stagings {
        let mut sink = staging.begin(offer.clone()).unwrap();
        let at = sink.position();
        let next = FilePosition { file: 1, ..at };
        for wrong in [FilePosition { offset: 1, ..at }, next, offer.end()] {
            let written = sink.write(wrong, b"x");
            assert!(matches!(written, Err(SnapshotError::OutOfOrder { .. })), "{written:?}");
        }
        is_refused(sink.write(at, b""));
        is_refused(sink.write(at, &[0; 1000]));
        assert_eq!(sink.position(), at);
        is_refused(sink.finish());
    }
}

#[test]
fn a_wrong_checksum_is_noticed_and_everything_is_received_again() {
    let directory = tempfile::tempdir().unwrap();
    let on_disk = group(directory.path());
    let offer = offer_of(9, NEW);
    let mut wrong = NEW;
    wrong[1].1 = "anothes";
    let received = receive(&*on_disk.staging(), &offer, wrong, 100);
    assert!(matches!(received, Err(SnapshotError::Corrupt(_))), "{received:?}");
    let sink = on_disk.staging().begin(offer.clone()).unwrap();
    assert_eq!(sink.position(), FilePosition::default());
    drop(sink);
    // Damage between the last byte and the check.
    let mut sink = on_disk.staging().begin(offer.clone()).unwrap();
    while sink.position() != offer.end() {
        let at = sink.position();
        sink.write(at, NEW[at.file].1.as_bytes()).unwrap();
    }
    fs::write(directory.path().join("incoming/files/1.sst"), "anothex").unwrap();
    assert!(matches!(sink.finish(), Err(SnapshotError::Corrupt(_))));

    let memory = MemorySnapshot::new(position(9), configuration(), Versioned::default());
    let staging = MemoryStaging::new(SnapshotLimits::STANDARD);
    let mut meta = (*memory.describe().unwrap()).clone();
    meta.files[0].crc32c ^= 1;
    let mut sink = staging.begin(meta.clone()).unwrap();
    sink.write(sink.position(), &memory.read(FilePosition::default(), 1000).unwrap()).unwrap();
    assert!(matches!(sink.finish(), Err(SnapshotError::Corrupt(_))));
    assert_eq!(staging.begin(meta).unwrap().position(), FilePosition::default());
}

#[test]
fn hostile_offers_are_refused_and_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let on_disk = group(directory.path());
    let staging = on_disk.staging();
    let with = |change: fn(&mut SnapshotMeta)| {
        let mut offer = offer_of(9, NEW);
        change(&mut offer);
        staging.begin(offer)
    };
    is_refused(with(|offer| offer.files.clear()));
    is_refused(with(|offer| offer.position = LogPosition::default()));
    is_refused(with(|offer| offer.files[0].bytes = u64::MAX));
    is_refused(with(|offer| offer.files.iter_mut().for_each(|it| it.bytes = 1 << 39)));
    is_refused(with(|offer| offer.files[1].name = "0.SST".into()));
    is_refused(with(|offer| offer.files = vec![offer.files[0].clone(); 20_000]));
    is_refused(with(|offer| offer.files.retain(|it| it.name != "CURRENT")));
    let names = ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", "a\0", ".hidden", "é", "a b"];
    for name in names {
        let mut offer = offer_of(9, NEW);
        offer.files[0].name = name.to_owned();
        is_refused(staging.begin(offer));
    }
    let mut offer = offer_of(9, NEW);
    offer.files[0].name = "x".repeat(65);
    is_refused(staging.begin(offer));
    assert!(!directory.path().join("incoming").exists());
    is_refused(MemoryStaging::new(SnapshotLimits::STANDARD).begin(offer_of(9, NEW)));
    assert!(staging.begin(offer_of(9, NEW)).is_ok());
}

#[test]
fn two_snapshots_are_kept_and_a_held_one_stays_readable() {
    let directory = tempfile::tempdir().unwrap();
    let mut on_disk = group(directory.path());
    let held = take(&mut on_disk, 5, OLD);
    for index in 6..10 {
        take(&mut on_disk, index, NEW);
    }
    let kept: Vec<u64> = on_disk.snapshots().iter().map(|it| it.position().index.0).collect();
    assert_eq!(kept, [9, 8]);
    // Its checksums are made only now.
    assert_eq!(held.describe().unwrap().files, offer_of(5, OLD).files);
    assert_eq!(&held.read(FilePosition { file: 0, offset: 4 }, 100).unwrap()[..], b"table");
    let path = directory.path().join("snapshots/5-2");
    assert!(path.is_dir());
    drop(held);
    assert!(!path.exists());

    let again = take(&mut on_disk, 9, OLD);
    assert_eq!(again.describe().unwrap().files, offer_of(9, NEW).files, "it was taken already");
    drop((again, on_disk));
    let on_disk = group(directory.path());
    let kept: Vec<u64> = on_disk.snapshots().iter().map(|it| it.position().index.0).collect();
    assert_eq!(kept, [9, 8]);
    assert_eq!(on_disk.snapshots()[0].configuration(), &configuration());
    let left = names(&directory.path().join("snapshots")).unwrap();
    assert_eq!(left, ["8-2", "9-2"], "a start removes what the last process did not");
}

#[test]
fn a_start_removes_unfinished_snapshots() {
    let directory = tempfile::tempdir().unwrap();
    let mut on_disk = group(directory.path());
    take(&mut on_disk, 5, NEW);
    let failed = on_disk.take(position(6), configuration(), |to| {
        engine_files(to, NEW)?;
        Err(SnapshotError::Refused("the checkpoint failed".to_owned()))
    });
    is_refused(failed);
    drop(on_disk);
    let snapshots = directory.path().join("snapshots");
    let unfinished = with_end(&snapshots.join("6-2"), UNFINISHED);
    assert!(unfinished.is_dir());
    fs::create_dir(snapshots.join("7-2")).unwrap();
    fs::create_dir(snapshots.join("8-2")).unwrap();
    fs::write(snapshots.join("8-2/META"), "damaged").unwrap();
    fs::rename(snapshots.join("5-2"), snapshots.join("55-2")).unwrap();
    assert!(group(directory.path()).snapshots().is_empty());
    assert_eq!(names(&snapshots).unwrap(), [""; 0]);
}

#[test]
fn a_state_that_cannot_be_opened_is_not_installed() {
    let directory = tempfile::tempdir().unwrap();
    let mut on_disk = group(directory.path());
    copy_to(&on_disk.state(), OLD);
    take(&mut on_disk, 5, OLD);
    let received = receive(&*on_disk.staging(), &offer_of(9, NEW), NEW, 100).unwrap();
    let refuse = |_: &Path| Err::<(), _>(SnapshotError::Refused("no".to_owned()));
    is_refused(on_disk.install(received, refuse));
    for on_disk in [on_disk, group(directory.path())] {
        assert_eq!(content(&on_disk.state())["CURRENT"], "old");
        assert_eq!(on_disk.installed_position(), None);
        assert_eq!(on_disk.snapshots().len(), 1);
    }
    assert_eq!(names(directory.path()).unwrap(), ["1", "CURRENT", "snapshots"]);
}

#[test]
fn a_snapshot_for_another_kind_of_store_is_not_installed() {
    let directory = tempfile::tempdir().unwrap();
    let mut on_disk = group(directory.path());
    let memory = MemorySnapshot::new(position(9), configuration(), Versioned::default());
    let staging = MemoryStaging::new(SnapshotLimits::STANDARD);
    let received = transfer(&memory, &staging, 100).unwrap();
    is_refused(on_disk.install(received, |_| Ok::<(), SnapshotError>(())));
    let received = receive(&*on_disk.staging(), &offer_of(9, NEW), NEW, 100).unwrap();
    is_refused(received.decode::<Versioned>());
}

#[test]
fn a_lost_state_or_a_lost_or_damaged_current_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut on_disk = group(path);
    let received = receive(&*on_disk.staging(), &offer_of(9, NEW), NEW, 100).unwrap();
    on_disk.install(received, |_| Ok::<(), SnapshotError>(())).unwrap().1.remove();
    let is_corrupt =
        || matches!(GroupDirectory::open(path, OPTIONS), Err(SnapshotError::Corrupt(_)));
    let current = fs::read(path.join("CURRENT")).unwrap();
    fs::remove_file(path.join("CURRENT")).unwrap();
    assert!(is_corrupt());
    fs::write(path.join("CURRENT"), &current[..current.len() - 1]).unwrap();
    assert!(is_corrupt());
    fs::write(path.join("CURRENT"), &current).unwrap();
    fs::rename(path.join("2"), path.join("elsewhere")).unwrap();
    assert!(is_corrupt());
    fs::rename(path.join("elsewhere"), path.join("2")).unwrap();
    assert!(!is_corrupt());
}
