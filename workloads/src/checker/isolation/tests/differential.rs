//! Against brute force, on thousands of small histories.

use super::{Level, lists, registers};
use crate::checker::Verdict;
use crate::differential::all_appends_are_read;
use crate::differential::databases::{Database, Simulation, simulate};
use crate::differential::levels::{Keep, serializable, snapshot_isolation};
use crate::history::Operation;

const DATABASES: [Database; 5] = [
    Database::StrictSerializable,
    Database::Serializable,
    Database::SnapshotIsolation,
    Database::ReadUncommitted,
    Database::Broken,
];

/// Small histories: of each database, with and without lies.
fn small(lists: bool, cases: u64, transactions: usize) -> impl Iterator<Item = Vec<Operation>> {
    (0..cases).map(move |seed| {
        simulate(&Simulation {
            seed,
            database: DATABASES[(seed % 5) as usize],
            lists,
            transactions,
            clients: 1 + seed % 4,
            keys: 1 + seed / 5 % 3,
            steps: 1 + (seed / 15 % 4) as usize,
            unknown: if seed % 3 == 0 { 20 } else { 0 },
            fail: if seed % 7 == 0 { 20 } else { 0 },
            wrong: if seed % 2 == 0 { 15 } else { 0 },
        })
    })
}

/// Compares a level with its definition. `complete`: whether nothing found must mean that it holds.
#[track_caller]
fn compare(
    level: Level,
    histories: impl Iterator<Item = Vec<Operation>>,
    check: impl Fn(&[Operation], Level) -> crate::checker::Check,
    truth: impl Fn(&[Operation]) -> bool,
    complete: impl Fn(&[Operation]) -> bool,
) {
    let (mut valid, mut invalid, mut unknown, mut missed) = (0, 0, 0, 0);
    for history in histories {
        let check = check(&history, level);
        let holds = truth(&history);
        let told = || -> Vec<String> {
            history
                .iter()
                .map(|it| {
                    format!(
                        "{} {}-{:?} {:?} {}",
                        it.process, it.invoke_index, it.complete_index, it.outcome, it.invoked
                    )
                })
                .collect()
        };
        match check.verdict {
            Verdict::Valid if holds => valid += 1,
            Verdict::Valid if !complete(&history) => missed += 1,
            Verdict::Valid => panic!("{level:?} does not hold: {:#?}\n{}", told(), check.summary),
            Verdict::Invalid if !holds => invalid += 1,
            Verdict::Invalid => panic!("{level:?} holds: {:#?}\n{check:#?}", told()),
            Verdict::Unknown => unknown += 1,
        }
    }
    eprintln!(
        "{}: {valid} hold, {invalid} do not, {unknown} unknown, {missed} missed",
        level.name()
    );
    assert!(valid > 100 && invalid > 100, "too few of one kind: {valid} and {invalid}");
}

const SERIAL: [(Level, Keep); 3] = [
    (Level::Serializable, Keep::Nothing),
    (Level::StrongSessionSerializable, Keep::Sessions),
    (Level::StrictSerializable, Keep::RealTime),
];

const SNAPSHOTS: [(Level, Keep); 3] = [
    (Level::SnapshotIsolation, Keep::Nothing),
    (Level::StrongSessionSnapshotIsolation, Keep::Sessions),
    (Level::StrongSnapshotIsolation, Keep::RealTime),
];

#[test]
fn orders_of_transactions_on_lists_agree_with_their_definition() {
    for (level, keep) in SERIAL {
        let truth = |history: &[Operation]| serializable(history, keep);
        compare(level, small(true, 3_000, 5), lists, truth, |_| true);
    }
}

#[test]
fn snapshots_of_lists_agree_with_their_definition() {
    for (level, keep) in SNAPSHOTS {
        let truth = |history: &[Operation]| snapshot_isolation(history, keep);
        compare(level, small(true, 2_000, 4), lists, truth, all_appends_are_read);
    }
}

#[test]
fn orders_of_transactions_on_registers_agree_with_their_definition() {
    for (level, keep) in &SERIAL[..2] {
        let (level, truth) = (*level, |history: &[Operation]| serializable(history, *keep));
        compare(level, small(false, 3_000, 5), registers, truth, |_| true);
    }
}

#[test]
fn snapshots_of_registers_agree_with_their_definition() {
    for (level, keep) in &SNAPSHOTS[..2] {
        let (level, truth) = (*level, |history: &[Operation]| snapshot_isolation(history, *keep));
        compare(level, small(false, 2_000, 4), registers, truth, |_| true);
    }
}

#[test]
fn inferred_orders_of_registers_are_never_wrong() {
    let truth = |history: &[Operation]| serializable(history, Keep::RealTime);
    compare(Level::StrictSerializable, small(false, 3_000, 5), registers, truth, |_| false);
    let truth = |history: &[Operation]| snapshot_isolation(history, Keep::RealTime);
    compare(Level::StrongSnapshotIsolation, small(false, 2_000, 4), registers, truth, |_| false);
}
