//! Disks that are full or broken: nothing is acknowledged, nothing is tried again.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::simulated_disk::{Faults, Loss};
use super::*;

#[track_caller]
fn fails_for_good(disk: &SimulatedDisk, store: &mut SegmentLogStore, last: u64, words: &str) {
    let next = append(GROUP, last + 1..=last + 1);
    let error = store.write(std::slice::from_ref(&next), true).unwrap_err().to_string();
    assert!(error.contains(words) && error.contains("/simulated/"), "{error}");
    // The disk is well again, but what it did with the failed write is unknown.
    disk.set(Faults::default());
    let before = disk.counts();
    let again = store.write(&[next], true);
    assert!(matches!(again, Err(LogStoreError::Failed)), "{again:?}");
    assert!(matches!(
        store.bootstrap(OTHER, &eraftpb::ConfState::default()),
        Err(LogStoreError::Failed)
    ));
    assert_eq!(disk.counts(), before, "nothing is tried again on the same file");
}

fn ready() -> (SimulatedDisk, SegmentLogStore) {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk).unwrap();
    store.write(&[append(GROUP, 1..=5)], true).unwrap();
    (disk, store)
}

#[test]
fn a_failed_write_is_the_last() {
    let (disk, mut store) = ready();
    disk.set(Faults { write_error: true, ..Faults::default() });
    fails_for_good(&disk, &mut store, 5, "write ");
    drop(store);
    assert_eq!(span(&mut open(&disk).unwrap(), GROUP), (1, 5));
}

#[test]
fn a_failed_sync_is_the_last_and_what_it_left_is_not_trusted() {
    let (disk, mut store) = ready();
    disk.set(Faults { sync_error: true, ..Faults::default() });
    fails_for_good(&disk, &mut store, 5, "sync ");
    drop(store);
    // The record is in the page cache, where it counts as clean, and not on the disk.
    assert_eq!(span(&mut open(&disk).unwrap(), GROUP), (1, 6));
    // The new process has shown it to others, so that it must not go any more.
    disk.lose_power(Loss::Everything, &mut ChaCha8Rng::seed_from_u64(0));
    assert_eq!(span(&mut open(&disk).unwrap(), GROUP), (1, 6));
}

#[test]
fn short_writes_are_completed() {
    let (disk, mut store) = ready();
    disk.set(Faults { write_bytes_max: Some(100), ..Faults::default() });
    store.write(&[append(GROUP, 6..=9)], true).unwrap();
    drop(store);
    assert_eq!(span(&mut open(&disk).unwrap(), GROUP), (1, 9));
}

#[test]
fn a_full_disk_ends_the_store_and_space_brings_it_back() {
    let (disk, mut store) = ready();
    disk.set(Faults { space_left: Some(0), ..Faults::default() });
    let mut last = 5;
    let error = loop {
        match store.write(&[append(GROUP, last + 1..=last + 1)], true) {
            Ok(()) => last += 1,
            Err(error) => break error.to_string(),
        }
        assert!(last < 1000, "there is no end to a full disk");
    };
    assert!(error.contains("hint: free space"), "{error}");
    // What was prepared is used up first.
    assert!(last > 15, "{last}");
    assert!(matches!(store.write(&[], true), Err(LogStoreError::Failed)));
    drop(store);
    disk.set(Faults::default());
    let mut store = open(&disk).unwrap();
    assert_eq!(span(&mut store, GROUP), (1, last));
    store.write(&[append(GROUP, last + 1..=last + 100)], true).unwrap();
}
