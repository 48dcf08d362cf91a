//! Bytes that change by themselves.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::log_store::segments::files::FileSystem;

use super::*;

/// A closed store of two segments or more; each write was synced.
fn written(writes: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk).unwrap();
    store.bootstrap(GROUP, &eraftpb::ConfState::default()).unwrap();
    for index in 1..=writes {
        store.write(&[append(GROUP, index..=index)], true).unwrap();
    }
    disk
}

/// Where the data of an entry is.
fn place_of(disk: &SimulatedDisk, index: u64) -> (String, usize) {
    let data = [index as u8; 100];
    let find = |name: &String| disk.bytes(name).windows(100).position(|window| window == data);
    disk.names().into_iter().find_map(|name| find(&name).map(|place| (name, place))).unwrap()
}

fn flip(disk: &SimulatedDisk, (name, place): &(String, usize)) {
    disk.damage(name, |bytes| bytes[*place] ^= 0x10);
}

#[test]
fn a_torn_tail_is_repaired() {
    let disk = written(60);
    // The last record is whole up to its middle.
    let (name, place) = place_of(&disk, 60);
    disk.damage(&name, |bytes| bytes[place + 50..].fill(0));
    let mut store = open(&disk).unwrap();
    assert_eq!(span(&mut store, GROUP), (1, 59));
    store.write(&[append(GROUP, 60..=61)], true).unwrap();
    drop(store);
    assert_eq!(span(&mut open(&disk).unwrap(), GROUP), (1, 61));
}

#[test]
fn a_tail_that_is_gone_is_not_missed() {
    let disk = written(60);
    let (name, place) = place_of(&disk, 60);
    disk.damage(&name, |bytes| bytes.truncate(place - 60));
    assert_eq!(span(&mut open(&disk).unwrap(), GROUP), (1, 59));
}

#[test]
fn writes_that_were_not_synced_may_be_torn_before_the_last() {
    let disk = written(40);
    let mut store = open(&disk).unwrap();
    for index in 41..=44 {
        store.write(&[append(GROUP, index..=index)], false).unwrap();
    }
    drop(store);
    flip(&disk, &place_of(&disk, 42));
    let mut store = open(&disk).unwrap();
    assert_eq!(span(&mut store, GROUP), (1, 41));
    // The stale records 43 and 44 never come back, whatever takes the place of 42.
    store.write(&[append(GROUP, 42..=42)], true).unwrap();
    drop(store);
    assert_eq!(span(&mut open(&disk).unwrap(), GROUP), (1, 42));
}

#[test]
fn records_behind_a_torn_head_never_come_back() {
    let disk = written(1);
    let mut store = open(&disk).unwrap();
    // So many that a head is longer than the sector which is cleared before a file is used again.
    for group in 10..30 {
        store.bootstrap(GroupId(group), &eraftpb::ConfState::default()).unwrap();
    }
    let mut last = 1;
    let heads = |disk: &SimulatedDisk| {
        let names = disk.names().into_iter().filter(|name| disk.bytes(name).starts_with(b"BWL1"));
        names.collect::<Vec<String>>()
    };
    let old = heads(&disk);
    // Without syncs, up to a new segment with a head and three records.
    while heads(&disk).len() == old.len() {
        last += 1;
        store.write(&[append(GROUP, last..=last)], false).unwrap();
    }
    let kept = last - 1;
    store.write(&[append(GROUP, last + 1..=last + 1)], false).unwrap();
    store.write(&[append(GROUP, last + 2..=last + 2)], false).unwrap();
    drop(store);
    let torn = heads(&disk).into_iter().find(|name| !old.contains(name)).unwrap();
    disk.damage(&torn, |bytes| bytes[20] ^= 1);
    // The next head is just as long and takes its place, since there is no other spare file.
    for name in disk.names().into_iter().filter(|name| *name != torn && !old.contains(name)) {
        disk.remove(&name).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(span(&mut open(&disk).unwrap(), GROUP), (1, kept));
    }
}

#[test]
fn a_corrupt_middle_is_refused_with_its_place() {
    for index in 1..60 {
        let disk = written(60);
        let place = place_of(&disk, index);
        flip(&disk, &place);
        let error = open(&disk).map(drop).unwrap_err();
        let LogStoreError::Damaged { path, offset, .. } = &error else { panic!("{error}") };
        assert!(path.ends_with(&place.0), "{error}");
        assert!((place.1 as u64 - 100..place.1 as u64).contains(offset), "{error}, not {place:?}");
        assert!(error.to_string().contains("hint: "));
    }
}

#[test]
fn a_segment_that_lost_its_head_or_all_of_it_is_missed() {
    let disk = written(60);
    let names: Vec<String> =
        disk.names().into_iter().filter(|name| disk.bytes(name)[..4] == *b"BWL1").collect();
    assert!(names.len() > 2);
    for name in names {
        let headless = disk.copy();
        headless.damage(&name, |bytes| bytes[30] ^= 1);
        let error = open(&headless).map(drop).unwrap_err();
        assert!(
            matches!(error, LogStoreError::Damaged { .. } | LogStoreError::Missing { .. }),
            "{error}"
        );
    }
    let (oldest, _) = place_of(&disk, 1);
    disk.damage(&oldest, |bytes| bytes.clear());
    let error = open(&disk).map(drop).unwrap_err();
    assert!(matches!(error, LogStoreError::Missing { group: GROUP, index: 1, .. }), "{error}");
}

/// The state before the last write is what a torn tail leaves; any other loss must be noticed.
#[test]
fn no_flipped_byte_changes_anything_unnoticed() {
    let disk = SimulatedDisk::default();
    let mut store = open(&disk).unwrap();
    store.bootstrap(GROUP, &eraftpb::ConfState::default()).unwrap();
    store.write(&[append(OTHER, 1..=3)], true).unwrap();
    for index in 1..=100 {
        let mut batch = append(GROUP, index..=index);
        if index % 20 == 0 {
            batch.compact = compact(GROUP, index - 10).compact;
        }
        store.write(&[batch], true).unwrap();
    }
    let (whole, others) = (store.load(GROUP).unwrap(), store.load(OTHER).unwrap());
    store.write(&[append(GROUP, 101..=101)], true).unwrap();
    let newer = store.load(GROUP).unwrap();
    drop(store);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut refused = 0;
    for name in disk.names() {
        for place in (0..disk.bytes(&name).len()).filter(|_| rng.random_bool(0.1)) {
            let copy = disk.copy();
            flip(&copy, &(name.clone(), place));
            match open(&copy) {
                Ok(mut store) => {
                    let log = store.load(GROUP).unwrap();
                    assert!(log == newer || log == whole, "{name} at {place}");
                    assert_eq!(store.load(OTHER).unwrap(), others, "{name} at {place}");
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
