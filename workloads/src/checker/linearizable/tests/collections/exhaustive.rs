//! All small histories of collections, sets and logs: 2,912,760 of them.

use std::collections::BTreeSet;

use super::brute::{self, Kind};
use super::*;
use crate::model::OPEN;

/// Calls `visit` with each history of `count` operations out of `ops`, where each is used at most as
/// often as it is listed. Operations without a completion are crashed, if they may; some must.
fn histories<O: Clone + PartialEq>(
    ops: &[O],
    count: usize,
    may_crash: fn(&O) -> bool,
    must_crash: fn(&O) -> bool,
    visit: &mut impl FnMut(&[Entry<O>]),
) {
    let mut histories = Histories { left: ops.to_vec(), count, may_crash, must_crash };
    histories.extend(0, &mut Vec::new(), visit);
}

struct Histories<O> {
    left: Vec<O>,
    count: usize,
    may_crash: fn(&O) -> bool,
    must_crash: fn(&O) -> bool,
}

impl<O: Clone + PartialEq> Histories<O> {
    fn extend(
        &mut self,
        moment: u64,
        entries: &mut Vec<Entry<O>>,
        visit: &mut impl FnMut(&[Entry<O>]),
    ) {
        if entries.len() == self.count {
            if entries.iter().all(|entry| !entry.is_crashed() || (self.may_crash)(&entry.op)) {
                visit(entries);
            }
        } else {
            for at in 0..self.left.len() {
                if self.left[..at].contains(&self.left[at]) {
                    continue;
                }
                let op = self.left.remove(at);
                let id = entries.len();
                entries.push(Entry { id, op, invoked: moment, completed: OPEN });
                self.extend(moment + 2, entries, visit);
                let op = entries.pop().unwrap().op;
                self.left.insert(at, op);
            }
        }
        for position in 0..entries.len() {
            if entries[position].is_crashed() && !(self.must_crash)(&entries[position].op) {
                entries[position].completed = moment + 1;
                self.extend(moment + 2, entries, visit);
                entries[position].completed = OPEN;
            }
        }
    }
}

#[track_caller]
fn compare_all(kind: Kind, ops: &[CollectionOp], count: usize, expected: [usize; 3]) {
    let may_crash =
        |op: &CollectionOp| matches!(op, CollectionOp::Insert(_) | CollectionOp::RemoveUnknown);
    let must_crash = |op: &CollectionOp| *op == CollectionOp::RemoveUnknown;
    let mut tally = Tally::default();
    histories(ops, count, may_crash, must_crash, &mut |entries| {
        let truth = brute::is_linearizable(entries, &Vec::new(), &|state, op| {
            brute::collection(kind, state, *op)
        });
        match kind {
            Kind::Queue => tally.compare(&collection::<Queue>(4), entries, truth),
            Kind::Stack => tally.compare(&collection::<Stack>(4), entries, truth),
            Kind::Bag => tally.compare(&collection::<Bag>(4), entries, truth),
            Kind::PriorityQueue => {
                tally.compare(&collection::<PriorityQueue>(4), entries, truth);
            }
        }
    });
    tally.check(&format!("{kind:?} {ops:?}"), expected);
}

const ALL: [Kind; 4] = [Kind::Queue, Kind::Stack, Kind::Bag, Kind::PriorityQueue];

fn insert(value: u32) -> CollectionOp {
    CollectionOp::Insert(value)
}

fn remove(value: u32) -> CollectionOp {
    CollectionOp::Remove(value)
}

fn compare_each(ops: &[CollectionOp], count: usize, expected: [[usize; 3]; 4]) {
    for (kind, expected) in ALL.into_iter().zip(expected) {
        compare_all(kind, ops, count, expected);
    }
}

#[test]
fn two_elements_and_emptiness_agree() {
    let ops = [insert(1), remove(1), insert(2), remove(2), CollectionOp::Empty];
    compare_each(
        &ops,
        5,
        [[61_438, 102_362, 0], [60_102, 103_698, 0], [60_042, 103_758, 0], [61_266, 102_534, 0]],
    );
}

#[test]
fn two_elements_and_a_crashed_removal_agree() {
    let ops = [insert(1), remove(1), insert(2), CollectionOp::Empty, CollectionOp::RemoveUnknown];
    compare_each(
        &ops,
        5,
        [[8169, 25_851, 0], [7789, 26_231, 0], [7768, 26_252, 0], [7768, 26_252, 0]],
    );
}

#[test]
fn two_crashed_removals_and_two_observations_agree() {
    let ops = [
        insert(1),
        insert(2),
        CollectionOp::Empty,
        CollectionOp::Empty,
        CollectionOp::RemoveUnknown,
        CollectionOp::RemoveUnknown,
    ];
    compare_each(
        &ops,
        5,
        [[2804, 21_316, 0], [2804, 21_316, 0], [2804, 21_316, 0], [2804, 21_316, 0]],
    );
}

#[test]
fn three_elements_and_a_crashed_removal_agree() {
    let ops = [insert(1), remove(1), insert(2), remove(2), insert(3), CollectionOp::RemoveUnknown];
    compare_each(
        &ops,
        5,
        [
            [195_378, 188_382, 0],
            [169_294, 214_466, 16],
            [166_490, 217_270, 0],
            [169_958, 213_802, 0],
        ],
    );
}

#[test]
fn repeated_values_and_peeks_agree() {
    let ops = [insert(1), insert(1), remove(1), remove(1), CollectionOp::Peek(1), insert(2)];
    compare_each(
        &ops,
        4,
        [[8127, 8943, 15_090], [7740, 9330, 15_090], [7686, 9384, 15_090], [7686, 9384, 15_090]],
    );
}

fn read(elements: &[u32]) -> SetOp {
    SetOp::Read(elements.to_vec().into())
}

#[track_caller]
fn compare_sets(ops: &[SetOp], count: usize, expected: [usize; 3]) {
    let operations: Vec<Operation> = (0..4).map(|value| invoked("add", value)).collect();
    let operations: Vec<&Operation> = operations.iter().collect();
    let model = Set::encode(&operations, &Initial::Any).unwrap().0;
    let may_crash = |op: &SetOp| matches!(op, SetOp::Add(_, None) | SetOp::Remove(_, None));
    let mut tally = Tally::default();
    histories(ops, count, may_crash, |_| false, &mut |entries| {
        let truth = brute::is_linearizable(entries, &BTreeSet::new(), &brute::set);
        tally.compare(&model, entries, truth);
    });
    tally.check(&format!("{ops:?}"), expected);
}

#[test]
fn one_member_agrees() {
    let ops = [
        SetOp::Add(1, Some(true)),
        SetOp::Add(1, None),
        SetOp::Remove(1, Some(true)),
        SetOp::Remove(1, None),
        SetOp::Contains(1, true),
        SetOp::Contains(1, false),
        SetOp::Add(1, Some(false)),
    ];
    compare_sets(&ops, 4, [44_580, 70_620, 65_520]);
    let ops = [
        SetOp::Add(1, None),
        SetOp::Remove(1, None),
        SetOp::Contains(1, true),
        SetOp::Contains(1, false),
        SetOp::Contains(1, false),
    ];
    compare_sets(&ops, 5, [22_325, 59_575, 0]);
}

#[test]
fn two_members_and_reads_agree() {
    let ops = [
        SetOp::Add(1, None),
        SetOp::Add(2, None),
        SetOp::Add(2, None),
        read(&[]),
        read(&[1]),
        read(&[2]),
        read(&[1, 2]),
    ];
    compare_sets(&ops, 4, [55_948, 17_432, 0]);
    let ops = [
        SetOp::Add(1, None),
        SetOp::Remove(1, Some(true)),
        SetOp::Contains(1, true),
        read(&[1]),
        read(&[]),
    ];
    compare_sets(&ops, 4, [8344, 6776, 15_120]);
}

#[test]
fn logs_agree() {
    let operations: Vec<Operation> = (0..4).map(|value| invoked("append", value)).collect();
    let operations: Vec<&Operation> = operations.iter().collect();
    let model = Log::encode(&operations, &Initial::Any).unwrap().0;
    let append = |value, offset| LogOp::Append { value, offset, exact: true };
    let ops = [
        append(1, Some(0)),
        append(2, Some(1)),
        append(3, None),
        append(2, None),
        LogOp::Read(0, [1].into()),
        LogOp::Read(0, [2, 3].into()),
        LogOp::Read(1, [2].into()),
        LogOp::Nothing(0),
        LogOp::Nothing(1),
    ];
    let is_open = |op: &LogOp| matches!(op, LogOp::Append { offset: None, .. });
    let mut tally = Tally::default();
    histories(&ops, 4, is_open, is_open, &mut |entries| {
        let truth =
            brute::is_linearizable(entries, &Vec::new(), &|state, op| brute::log(state, op));
        tally.compare(&model, entries, truth);
    });
    tally.check("log", [115_616, 20_464, 0]);
}
