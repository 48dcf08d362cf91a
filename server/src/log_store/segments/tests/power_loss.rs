//! Random writes, a power loss at a random point, recovery, and a comparison with a model: what was
//! synced is there, and what was not is there up to some write and no further.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::log_store::MemoryLogStore;

use super::simulated_disk::{Faults, Loss};
use super::*;

const GROUPS: u32 = 3;
const SEEDS: u64 = 60;
const LIVES: usize = 8;
const LOSSES: [Loss; 4] = [Loss::Everything, Loss::Nothing, Loss::Sectors, Loss::Sectors];

/// The logs of all groups.
type Logs = Vec<RecoveredLog>;

fn logs(store: &mut dyn LogStore) -> Logs {
    (0..GROUPS).map(|group| store.load(GroupId(group)).unwrap()).collect()
}

/// A store in memory that holds this.
fn model(logs: &Logs) -> MemoryLogStore {
    let mut model = MemoryLogStore::new();
    for (log, group) in logs.iter().zip(0..) {
        let group = GroupId(group);
        if let Some(configuration) = &log.configuration {
            model.bootstrap(group, configuration).unwrap();
        }
        let batch = LogBatch {
            group,
            reset: Some(log.base),
            hard_state: Some(log.hard_state.clone()),
            entries: log.entries.clone(),
            compact: None,
        };
        model.write(&[batch], true).unwrap();
    }
    model
}

/// A batch that fits a log of which base and last index of each group are these.
fn random_batch(rng: &mut ChaCha8Rng, spans: &mut [(u64, u64)]) -> LogBatch {
    let group = rng.random_range(0..GROUPS);
    let mut batch = LogBatch { group: GroupId(group), ..LogBatch::default() };
    let (base, last) = &mut spans[group as usize];
    let term = rng.random_range(1..1000);
    let position = |index| LogPosition { index: LogIndex(index), term: Term(term) };
    if rng.random_bool(0.02) {
        *base = rng.random_range(*base / 2..=*last + 20);
        *last = *base;
        batch.reset = Some(position(*base));
    }
    if rng.random_bool(0.3) {
        batch.hard_state = Some(eraftpb::HardState { term, commit: *last, ..Default::default() });
    }
    // The last group writes and compacts little, and keeps others' files alive.
    let is_lazy = group == GROUPS - 1;
    if rng.random_bool(if is_lazy { 0.2 } else { 0.9 }) {
        let first = match rng.random_bool(0.1) {
            true => rng.random_range(*base + 1..=*last + 1),
            false => *last + 1,
        };
        let size = if rng.random_bool(0.01) { 6000 } else { rng.random_range(0..400) };
        let count = rng.random_range(1..4);
        batch.entries = (first..first + count).map(|index| entry(index, term, size)).collect();
        *last = first + count - 1;
    }
    if rng.random_bool(if is_lazy { 0.05 } else { 0.15 }) {
        *base = rng.random_range(*base..=*last);
        batch.compact = Some(position(*base));
    }
    batch
}

/// One life of the machine. Returns every state that it may come back with, oldest first.
fn live(disk: &SimulatedDisk, rng: &mut ChaCha8Rng, start: Logs) -> Vec<Logs> {
    let mut possible = vec![start];
    let Ok(mut store) = open(disk) else { return possible };
    assert_eq!(logs(&mut store), possible[0], "recovered");
    let mut model = model(&possible[0]);
    let mut spans: Vec<(u64, u64)> =
        possible[0].iter().map(|log| (log.base.index.0, log.last_index().0)).collect();
    let mut configured: Vec<bool> =
        possible[0].iter().map(|log| log.configuration.is_some()).collect();
    for _ in 0..rng.random_range(0..120) {
        let group = GroupId(rng.random_range(0..GROUPS));
        let (written, sync) = if !configured[group.0 as usize] {
            configured[group.0 as usize] = true;
            let configuration = eraftpb::ConfState { voters: vec![1], ..Default::default() };
            model.bootstrap(group, &configuration).unwrap();
            (store.bootstrap(group, &configuration), true)
        } else {
            let count = rng.random_range(1..3);
            let batches: Vec<LogBatch> =
                (0..count).map(|_| random_batch(rng, &mut spans)).collect();
            model.write(&batches, true).unwrap();
            let sync = rng.random_bool(0.6);
            (store.write(&batches, sync), sync)
        };
        if written.is_ok() && sync {
            possible.clear();
        }
        possible.push(logs(&mut model));
        if written.is_err() {
            break;
        }
        if rng.random_bool(0.05) {
            assert_eq!(logs(&mut store), possible[possible.len() - 1], "written");
        }
    }
    possible
}

fn lives(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let disk = SimulatedDisk::default();
    let mut state = vec![RecoveredLog::default(); GROUPS as usize];
    for life in 0..LIVES {
        disk.set(Faults {
            changes_left: rng.random_bool(0.8).then(|| rng.random_range(1..200)),
            write_bytes_max: rng.random_bool(0.2).then_some(700),
            ..Faults::default()
        });
        let possible = live(&disk, &mut rng, state);
        // Sometimes only the process ends, and the page cache is kept.
        match rng.random_bool(0.8) {
            true => disk.lose_power(LOSSES[rng.random_range(0..LOSSES.len())], &mut rng),
            false => disk.set(Faults::default()),
        }
        let recovered = open(&disk).map(|mut store| logs(&mut store));
        let recovered =
            recovered.unwrap_or_else(|error| panic!("seed {seed}, life {life}: {error}"));
        assert!(possible.contains(&recovered), "seed {seed}, life {life}: a state that never was");
        state = recovered;
    }
}

#[test]
fn a_power_loss_takes_nothing_that_was_synced_and_leaves_no_mixture() {
    (0..SEEDS).for_each(lives);
}
