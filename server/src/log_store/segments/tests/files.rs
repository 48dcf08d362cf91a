//! How many files there are, how often they are written, and what becomes of them.

use super::*;

#[test]
fn a_write_is_one_write_and_one_sync() {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk).unwrap();
    store.bootstrap(GROUP, &eraftpb::ConfState::default()).unwrap();
    let before = disk.counts();
    store.write(&[append(GROUP, 1..=3), append(OTHER, 1..=3)], true).unwrap();
    let after = disk.counts();
    assert_eq!((after.writes - before.writes, after.syncs - before.syncs), (1, 1));
    store.write(&[append(GROUP, 4..=4)], false).unwrap();
    assert_eq!((disk.counts().writes, disk.counts().syncs), (after.writes + 1, after.syncs));
}

#[test]
fn files_are_used_again() {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk).unwrap();
    let mut names = disk.names();
    for index in 1..=2000 {
        store
            .write(&[append(GROUP, index..=index), compact(GROUP, index - index % 7)], true)
            .unwrap();
        names.extend(disk.names());
    }
    names.sort_unstable();
    names.dedup();
    assert!(names.len() <= 4, "{names:?}");
    assert_eq!(span(&mut store, GROUP), (2000 - 2000 % 7 + 1, 2000));
    drop(store);
    assert_eq!(span(&mut open(&disk).unwrap(), GROUP), (2000 - 2000 % 7 + 1, 2000));
}

#[test]
fn a_group_that_lags_does_not_keep_files() {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk).unwrap();
    let mut most = 0;
    let mut other = 0;
    for index in 1..=3000 {
        let mut batches = vec![append(GROUP, index..=index), compact(GROUP, index)];
        if index % 100 == 0 {
            other += 1;
            batches.push(append(OTHER, other..=other));
        }
        store.write(&batches, true).unwrap();
        most = most.max(disk.names().len());
    }
    // 30 entries of 100 bytes are needed, in one file or in one of eight parts each.
    assert!(most <= 12, "{most} files");
    assert_eq!(span(&mut store, OTHER), (1, 30));
    drop(store);
    let mut store = open(&disk).unwrap();
    assert_eq!(store.load(OTHER).unwrap().entries, append(OTHER, 1..=30).entries);
}

#[test]
fn restarts_do_not_pile_up_files() {
    let disk = SimulatedDisk::default();
    for index in 1..=50 {
        let mut store = open(&disk).unwrap();
        store.write(&[append(GROUP, index..=index)], true).unwrap();
        assert!(disk.names().len() <= 16, "{:?}", disk.names());
    }
    assert_eq!(span(&mut open(&disk).unwrap(), GROUP), (1, 50));
}

#[test]
fn a_record_larger_than_a_segment_is_kept_and_its_file_shrinks_again() {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk).unwrap();
    store.write(&[append(GROUP, 1..=500)], true).unwrap();
    store.write(&[append(GROUP, 501..=501)], true).unwrap();
    drop(store);
    let mut store = open(&disk).unwrap();
    assert_eq!(span(&mut store, GROUP), (1, 501));
    store.write(&[compact(GROUP, 501)], true).unwrap();
    drop(store);
    drop(open(&disk).unwrap());
    let sizes: Vec<usize> = disk.names().iter().map(|name| disk.bytes(name).len()).collect();
    assert!(sizes.iter().all(|size| *size <= SMALL.segment_bytes), "{sizes:?}");
}

#[test]
fn other_files_in_the_directory_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let stranger = directory.path().join("notes.txt");
    std::fs::write(&stranger, "mine").unwrap();
    let options = Options { preparation: Preparation::InBackground, ..SMALL };
    let mut store = open_directory(directory.path(), options).unwrap();
    store.write(&[append(GROUP, 1..=300)], true).unwrap();
    drop(store);
    let mut store = open_directory(directory.path(), options).unwrap();
    assert_eq!(span(&mut store, GROUP), (1, 300));
    assert_eq!(std::fs::read_to_string(stranger).unwrap(), "mine");
}
