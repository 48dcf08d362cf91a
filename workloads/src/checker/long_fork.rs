//! Long forks: two reads that disagree on the order of two writes.
//!
//! ```text
//! A reads x = 1, y = nothing      x was written before y
//! B reads x = nothing, y = 1      y was written before x
//! ```
//!
//! Parallel snapshot isolation allows them and snapshot isolation does not (Sovran et al., SOSP 2011);
//! the check is named after the workload's search for the one where the other was promised, as in
//! Jepsen's `tests.long-fork`. A key is written once, or what is not nothing tells no order.
//!
//! For each pair of keys that is read together it is enough to remember one read that saw the first
//! without the second, so the time is linear in the history for reads of few keys.

use rustc_hash::FxHashMap;

use super::findings::{Findings, Spending, brief, measured};
use crate::checker::{Budget, Check, CheckOptions, Verdict};
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;
use crate::plural::counted;

/// A read or a write of one key.
enum Micro<'a> {
    Read(&'a Value, &'a Value),
    Write(&'a Value, &'a Value),
}

/// Who wrote a value, by outcome.
#[derive(Default, Clone, Copy)]
struct Writers {
    may_have: bool,
    failed: Option<usize>,
}

/// Checks that all reads can be put in one order.
///
/// Operations have lists of micro-operations as values: `["r", key, value]` and `["w", key, value]`;
/// each operation only reads, or only writes.
pub(super) fn check(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let mut keys: FxHashMap<&Value, u32> = FxHashMap::default();
    let mut writers: FxHashMap<(u32, &Value), Writers> = FxHashMap::default();
    let mut writes: Vec<u32> = Vec::new();
    let mut reads: Vec<usize> = Vec::new();
    for (position, operation) in operations.iter().enumerate() {
        let mut wrote = false;
        let list = micro_operations(operation)?;
        for micro in list {
            if let Micro::Write(key, value) = parse(micro).ok_or_else(|| unsuitable(operation))? {
                wrote = true;
                let next = keys.len() as u32;
                let key = *keys.entry(key).or_insert(next);
                writes.resize(keys.len(), 0);
                writes[key as usize] += 1;
                let writers = writers.entry((key, value)).or_default();
                match operation.outcome {
                    Outcome::Ok | Outcome::Info => writers.may_have = true,
                    Outcome::Fail => writers.failed = Some(position),
                }
            }
        }
        if !wrote && operation.outcome == Outcome::Ok {
            reads.push(position);
        }
    }
    let mut judge = Judge {
        findings: Findings::new(operations),
        writers,
        seen_without: FxHashMap::default(),
        early: 0,
        late: 0,
    };
    let mut spending = Spending::new(budget);
    let mut spent = None;
    for &position in &reads {
        let steps = judge.read(operations, position, &mut keys);
        let held = judge.seen_without.len() * 32 + keys.len() * 64 + judge.writers.len() * 64;
        if let Err(reason) = spending.step(steps, held) {
            spent = Some(reason);
            break;
        }
    }
    let measurements = vec![
        measured("reads", reads.len() as u64),
        measured("reads too early to tell", judge.early),
        measured("reads too late to tell", judge.late),
    ];
    let forks = judge.findings.count("long-fork");
    let valid = || format!("{} in one order", counted(reads.len() as u64, "read"));
    let mut check = judge.findings.check("long-fork", spent, valid, measurements);
    if forks > 0 {
        check.broken.push("snapshot-isolation".to_owned());
    }
    if check.verdict == Verdict::Valid
        && let Some(key) = writes.iter().position(|&writes| writes > 1)
    {
        let name = keys.iter().find(|(_, number)| **number == key as u32);
        let reason = format!(
            "key {} was written more than once, so reads of it tell no order",
            name.map_or_else(String::new, |(name, _)| brief(name))
        );
        check.verdict = Verdict::Unknown;
        check.summary = format!("not decided: {reason}");
        check.reason = Some(reason);
    }
    Ok(check)
}

/// The micro-operations of a transaction: as completed if it was, with what it read.
fn micro_operations(operation: &Operation) -> Result<&[Value], UnsuitableOperation> {
    let value = match operation.outcome {
        Outcome::Ok => &operation.result,
        Outcome::Fail | Outcome::Info => &operation.invoked,
    };
    value.as_list().ok_or_else(|| unsuitable(operation))
}

fn parse(micro: &Value) -> Option<Micro<'_>> {
    let [f, key, value] = micro.as_list()? else { return None };
    match f.as_str()? {
        "r" | "read" => Some(Micro::Read(key, value)),
        "w" | "write" => Some(Micro::Write(key, value)),
        _ => None,
    }
}

fn unsuitable(operation: &Operation) -> UnsuitableOperation {
    UnsuitableOperation {
        index: operation.invoke_index,
        expected: r#"a list of micro-operations such as ["r",1,null] or ["w",1,1]"#,
        got: format!("{} {}", operation.f, brief(&operation.invoked)),
    }
}

struct Judge<'a> {
    findings: Findings<'a>,
    writers: FxHashMap<(u32, &'a Value), Writers>,
    /// A read that saw the first key of the pair and not the second.
    seen_without: FxHashMap<(u32, u32), usize>,
    early: u64,
    late: u64,
}

impl<'a> Judge<'a> {
    /// Judges one read, and says how many steps that took.
    fn read(
        &mut self,
        operations: &'a [Operation],
        position: usize,
        keys: &mut FxHashMap<&'a Value, u32>,
    ) -> usize {
        let mut seen: Vec<(u32, &Value)> = Vec::new();
        let mut unseen: Vec<(u32, &Value)> = Vec::new();
        for micro in operations[position].result.as_list().unwrap_or(&[]) {
            let Some(Micro::Read(key, value)) = parse(micro) else { continue };
            let next = keys.len() as u32;
            let number = *keys.entry(key).or_insert(next);
            if value.is_null() {
                unseen.push((number, key));
                continue;
            }
            seen.push((number, key));
            self.aborted(operations, position, (number, value), key);
        }
        self.early += u64::from(seen.is_empty());
        self.late += u64::from(unseen.is_empty() && !seen.is_empty());
        for &(first, x) in &seen {
            for &(second, y) in &unseen {
                self.seen_without.entry((first, second)).or_insert(position);
                let Some(&other) = self.seen_without.get(&(second, first)) else { continue };
                if other == position {
                    continue;
                }
                self.findings.add("long-fork", None, &[other, position], || {
                    fork(&brief(x), &brief(y), operations, other, position)
                });
                // One pair of keys is enough for these two reads.
                return seen.len() * unseen.len();
            }
        }
        1 + seen.len() * unseen.len()
    }

    /// A value that only operations wrote that failed.
    fn aborted(
        &mut self,
        operations: &[Operation],
        position: usize,
        written: (u32, &Value),
        key: &Value,
    ) {
        let Some(&Writers { may_have: false, failed: Some(failed) }) = self.writers.get(&written)
        else {
            return;
        };
        let (f, event) = (&operations[failed].f, operations[failed].invoke_index);
        self.findings.add("G1a", Some(key), &[failed, position], || {
            vec![
                format!(
                    "A, the only {f} of {} to {}, failed (event {event}).",
                    brief(written.1),
                    brief(key)
                ),
                format!("B read {} from {}.", brief(written.1), brief(key)),
                "What failed must have no effect.".to_owned(),
            ]
        });
    }
}

fn fork(x: &str, y: &str, operations: &[Operation], other: usize, position: usize) -> Vec<String> {
    let mut words = vec![
        format!("A saw the write of {y} and not that of {x}: so {y} was written before {x}."),
        format!("B saw the write of {x} and not that of {y}: so {x} was written before {y}."),
        "No single order of the two writes explains both reads.".to_owned(),
    ];
    if super::order::precedes(&operations[other], &operations[position]) {
        words.push("A had even ended before B began, so B lost sight of what A saw.".to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::script::{judged, kinds, number, words};

    const FORK: &str = r#"0 txn [["w","x",1]] | 1 txn [["w","y",1]] | 2 read [["r","x",null],["r","y",null]] -> [["r","x",1],["r","y",null]] | 3 read [["r","y",null],["r","x",null]] -> [["r","y",1],["r","x",null]]"#;

    #[test]
    fn two_reads_that_disagree_on_the_order_of_two_writes() {
        let check = judged(check, FORK);
        assert_eq!(kinds(&check), ["long-fork"]);
        assert_eq!(check.broken, ["snapshot-isolation"]);
        let words = words(&check);
        assert!(words.contains(r#"A saw the write of "x" and not that of "y""#), "{words}");
    }

    #[test]
    fn reads_in_one_order_are_valid() {
        let check = judged(
            check,
            r#"0 txn [["w",1,1]] | 1 txn [["w",2,1]] | 2 read [["r",1,null],["r",2,null]] -> [["r",1,1],["r",2,null]] ; 3 read [["r",1,null],["r",2,null]] -> [["r",1,1],["r",2,1]] ; 3 read [["r",1,null],["r",2,null]] -> [["r",1,null],["r",2,null]]"#,
        );
        assert_eq!(check.verdict, Verdict::Valid, "{}", words(&check));
        assert_eq!(number(&check, "reads too early to tell"), 1.into());
        assert_eq!(number(&check, "reads too late to tell"), 1.into());
    }

    #[test]
    fn reads_of_other_groups_of_keys_are_compared_too() {
        let check = judged(
            check,
            r#"0 read [["r",1,null],["r",2,null],["r",3,null]] -> [["r",1,1],["r",2,null],["r",3,null]] ; 0 read [["r",1,null],["r",2,null]] -> [["r",1,null],["r",2,1]]"#,
        );
        assert_eq!(kinds(&check), ["long-fork"]);
    }

    #[test]
    fn a_key_that_is_written_twice_leaves_it_open() {
        let twice =
            r#"0 txn [["w",1,1]] ; 0 txn [["w",1,2]] ; 0 read [["r",1,null]] -> [["r",1,2]]"#;
        let check = judged(check, twice);
        assert_eq!(check.verdict, Verdict::Unknown);
        assert!(check.reason.is_some_and(|it| it.contains("written more than once")));
    }

    #[test]
    fn what_failed_is_not_read() {
        let text =
            |end| format!(r#"0 txn [["w",1,1]] {end} ; 1 read [["r",1,null]] -> [["r",1,1]]"#);
        assert_eq!(kinds(&judged(check, &text("!"))), ["G1a"]);
        assert_eq!(judged(check, &text("?")).verdict, Verdict::Valid);
    }

    /// Against the definition: some two reads see two keys the other way round.
    #[test]
    fn the_pairs_are_those_of_the_definition() {
        // Two reads of three keys each, all of the 64 combinations, and a third that saw nothing.
        for pattern in 0..64_u32 {
            let read = |bits: u32| {
                let micro = |key: u32| {
                    let value = if bits >> key & 1 == 1 { "1" } else { "null" };
                    format!(r#"["r",{key},{value}]"#)
                };
                format!("read null -> [{},{},{}]", micro(0), micro(1), micro(2))
            };
            let (first, second) = (pattern & 7, pattern >> 3);
            let text = format!("0 {} ; 1 {} ; 2 {}", read(first), read(second), read(0));
            let forked = first & !second != 0 && second & !first != 0;
            let expected = if forked { Verdict::Invalid } else { Verdict::Valid };
            assert_eq!(judged(check, &text).verdict, expected, "{first:03b} {second:03b}");
        }
    }
}
