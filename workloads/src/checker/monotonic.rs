//! Things that only grow: values and the timestamps that the store gives them.
//!
//! Jepsen's `monotonic` of CockroachDB and others: `add` inserts the greatest value so far plus one,
//! with the timestamp of its transaction, and a final `read` returns all rows. Sorted by timestamp the
//! values must grow. Beyond that, an addition that ended before another began has the smaller value
//! and the smaller timestamp, and no read goes back behind an earlier one.

use rustc_hash::{FxHashMap, FxHashSet};

use super::findings::{Findings, Spending, brief, measured};
use super::order::{Moment, acknowledged, by_key, moments};
use crate::checker::{Budget, Check, CheckOptions};
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;
use crate::plural::counted;

/// A value with its timestamp.
type Row = (i64, i64);

/// What an acknowledged operation says.
enum Action {
    Added(Row),
    Rows(Vec<Row>),
    /// A read of the greatest value alone.
    Greatest(i64),
    Nothing,
}

/// How new a read must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Freshness {
    /// As new as everything that ended before it began.
    RealTime,
    /// As new as what its process read before.
    Process,
}

/// Checks that values and timestamps grow.
///
/// Operations: `add`, with the result `[value, timestamp]`; `read`, with a list of such rows, or with
/// one integer that never goes down. Rows may also be maps with `val` and `sts`.
pub(super) fn check(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    judge(operations, budget, Freshness::RealTime)
}

/// As [`check`], but reads may be old: only those of one process must not go back.
pub(super) fn check_per_process(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    judge(operations, budget, Freshness::Process)
}

fn judge(
    operations: &[Operation],
    budget: &dyn Budget,
    freshness: Freshness,
) -> Result<Check, UnsuitableOperation> {
    let actions: Vec<Action> = operations.iter().map(action).collect::<Result<_, _>>()?;
    let mut findings = Findings::new(operations);
    let mut spending = Spending::new(budget);
    let (mut rows, mut spent) = (0_u64, None);
    for (key, members) in by_key(operations) {
        let mut judge = Judge {
            operations,
            actions: &actions,
            key,
            members: &members,
            findings: &mut findings,
            freshness,
        };
        let judged = judge.real_time(&mut spending).and_then(|()| judge.reads(&mut spending));
        match judged {
            Ok(count) => rows += count,
            Err(reason) => {
                spent = Some(reason);
                break;
            }
        }
    }
    let measurements =
        vec![measured("rows read", rows), measured("lost", findings.count("lost-row"))];
    let valid = || format!("{} in order", counted(rows, "row"));
    let name = match freshness {
        Freshness::RealTime => "monotonic",
        Freshness::Process => "monotonic-per-process",
    };
    Ok(findings.check(name, spent, valid, measurements))
}

fn action(operation: &Operation) -> Result<Action, UnsuitableOperation> {
    let unsuitable = || UnsuitableOperation {
        index: operation.invoke_index,
        expected: "add with a result [value, timestamp], or read with a list of such rows or an integer",
        got: format!("{} -> {}", operation.f, brief(&operation.result)),
    };
    match (operation.f.as_str(), operation.outcome, &operation.result) {
        ("add" | "read", Outcome::Fail | Outcome::Info, _) => Ok(Action::Nothing),
        ("add", Outcome::Ok, result) => row(result).map(Action::Added).ok_or_else(unsuitable),
        ("read", Outcome::Ok, Value::Int(value)) => Ok(Action::Greatest(*value)),
        ("read", Outcome::Ok, Value::List(rows)) => {
            rows.iter().map(row).collect::<Option<_>>().map(Action::Rows).ok_or_else(unsuitable)
        }
        _ => Err(unsuitable()),
    }
}

fn row(value: &Value) -> Option<Row> {
    match value.as_list() {
        Some([value, timestamp]) => Some((value.as_i64()?, timestamp.as_i64()?)),
        Some(_) => None,
        None => Some((value.get("val")?.as_i64()?, value.get("sts")?.as_i64()?)),
    }
}

struct Judge<'a, 'f> {
    operations: &'a [Operation],
    actions: &'a [Action],
    key: Option<&'a Value>,
    members: &'f [usize],
    findings: &'f mut Findings<'a>,
    freshness: Freshness,
}

impl Judge<'_, '_> {
    /// Who ended before another began has less.
    fn real_time(&mut self, spending: &mut Spending<'_>) -> Result<(), String> {
        // The greatest that was surely there: a value, a timestamp, what a read showed.
        let mut greatest: [Option<(i64, usize)>; 3] = [None; 3];
        let mut begun: FxHashMap<usize, [Option<(i64, usize)>; 3]> = FxHashMap::default();
        let mut read: FxHashMap<u64, (i64, usize)> = FxHashMap::default();
        for moment in moments(self.operations, self.members) {
            spending.step(1, self.members.len() * 16)?;
            let (position, completed) = match moment {
                Moment::Invoked(position) => (position, false),
                Moment::Completed(position) => (position, true),
            };
            let now: [Option<i64>; 3] = match &self.actions[position] {
                Action::Added((value, timestamp)) => [Some(*value), Some(*timestamp), None],
                Action::Greatest(value) => [None, None, Some(*value)],
                Action::Rows(_) | Action::Nothing => continue,
            };
            if !completed {
                let mut known = greatest;
                if self.freshness == Freshness::Process {
                    known[2] = read.get(&self.operations[position].process).copied();
                }
                begun.insert(position, known);
                continue;
            }
            if let Some(value) = now[2] {
                read.insert(self.operations[position].process, (value, position));
            }
            let before = begun.remove(&position).unwrap_or_default();
            let kinds = ["value-not-growing", "timestamp-not-growing", "read-went-back"];
            for (((kind, now), before), greatest) in
                kinds.into_iter().zip(now).zip(before).zip(&mut greatest)
            {
                let Some(now) = now else { continue };
                let late = |other: i64| match kind {
                    // Reads may show the same again.
                    "read-went-back" => now < other,
                    _ => now <= other,
                };
                if let Some((other, earlier)) = before.filter(|&(other, _)| late(other)) {
                    self.findings.add(kind, self.key, &[earlier, position], || {
                        vec![format!("A has {other} and ended before B began, but B has {now}.")]
                    });
                }
                if greatest.is_none_or(|(other, _)| now > other) {
                    *greatest = Some((now, position));
                }
            }
        }
        Ok(())
    }

    /// Each read of all rows, and the last one for what is lost. Returns the rows read.
    fn reads(&mut self, spending: &mut Spending<'_>) -> Result<u64, String> {
        let mut count = 0;
        let mut last = None;
        for &position in self.members {
            let Action::Rows(rows) = &self.actions[position] else { continue };
            spending.step(rows.len(), rows.len() * 16)?;
            count += rows.len() as u64;
            last = Some((position, rows));
            let mut sorted = rows.clone();
            sorted.sort_unstable_by_key(|&(value, timestamp)| (timestamp, value));
            for pair in sorted.windows(2) {
                let [(first, earlier), (second, later)] = [pair[0], pair[1]];
                if first == second {
                    self.findings.add("duplicate-row", self.key, &[position], || {
                        vec![format!("A has the value {first} twice.")]
                    });
                } else if first > second {
                    self.findings.add("values-out-of-order", self.key, &[position], || {
                        vec![format!(
                            "In A, the value {first} has timestamp {earlier} and the smaller value {second} \
                             has timestamp {later}."
                        )]
                    });
                }
            }
        }
        // Where reads may be old, the last one may be too.
        let fresh = last.filter(|_| self.freshness == Freshness::RealTime);
        let Some((last, rows)) = fresh else { return Ok(count) };
        let values: FxHashSet<i64> = rows.iter().map(|&(value, _)| value).collect();
        let began = self.operations[last].invoke_index;
        for &position in self.members {
            let Action::Added((value, _)) = self.actions[position] else { continue };
            spending.step(1, values.len() * 16)?;
            let surely = acknowledged(&self.operations[position]).is_some_and(|it| it < began);
            if surely && !values.contains(&value) {
                self.findings.add("lost-row", self.key, &[position, last], || {
                    vec![format!(
                        "A added {value} and ended before B began, but B does not have it."
                    )]
                });
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Verdict;
    use crate::checker::script::{judged, kinds, words};

    #[track_caller]
    fn valid(text: &str) {
        let check = judged(check, text);
        assert_eq!(check.verdict, Verdict::Valid, "{text}: {}", words(&check));
    }

    #[track_caller]
    fn invalid(text: &str, kind: &str) {
        assert_eq!(kinds(&judged(check, text)), [kind], "{text}");
    }

    #[test]
    fn values_grow_with_timestamps() {
        valid("0 add -> [1,10] ; 1 add -> [2,20] ; 0 read -> [[2,20],[1,10]]");
        invalid("0 read -> [[1,20],[2,10]]", "values-out-of-order");
        invalid("0 read -> [[1,10],[1,20]]", "duplicate-row");
        valid(r#"0 read -> [{"val":1,"sts":10},{"val":2,"sts":20}]"#);
    }

    #[test]
    fn later_additions_have_more() {
        invalid("0 add -> [2,10] ; 1 add -> [1,20]", "value-not-growing");
        invalid("0 add -> [1,20] ; 1 add -> [2,10]", "timestamp-not-growing");
        valid("0 add -> [1,20] | 1 add -> [2,10]");
    }

    #[test]
    fn what_was_added_is_read() {
        invalid("0 add -> [1,10] ; 1 read -> []", "lost-row");
        valid("0 add -> [1,10] | 1 read -> []");
        valid("0 add -> [1,10] ? ; 1 read -> []");
        valid("0 add -> [1,10] ? ; 1 read -> [[1,10]]");
    }

    #[test]
    fn a_read_does_not_go_back() {
        valid("0 read -> 1 ; 1 read -> 1 ; 0 read -> 2");
        invalid("0 read -> 2 ; 1 read -> 1", "read-went-back");
        valid("0 read -> 2 | 1 read -> 1");
    }

    #[test]
    fn per_process_a_read_may_be_old_and_not_older_than_the_one_before() {
        let kinds_of = |text: &str| {
            let check = judged(check_per_process, text);
            kinds(&check).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(kinds_of("0 read -> 2 ; 1 read -> 1 ; 0 read -> 2").is_empty());
        assert!(kinds_of("0 add -> [1,10] ; 1 read -> []").is_empty());
        assert_eq!(kinds_of("0 read -> 2 ; 0 read -> 1"), ["read-went-back"]);
        assert_eq!(kinds_of("0 read -> [[1,20],[2,10]]"), ["values-out-of-order"]);
    }
}
