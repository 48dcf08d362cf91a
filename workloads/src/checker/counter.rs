//! Counters: every read lies between what must have been added and what may have been.
//!
//! Jepsen's `checker/counter`, with decrements, other initial values and several keys. The bounds
//! are necessary for linearizability and not sufficient: two reads that are each within their bounds
//! may still contradict each other.

use super::bounds::Bounds;
use super::findings::{Findings, Spending, brief, measured};
use super::order::{Moment, by_key, moments};
use crate::checker::{Budget, Check, CheckOptions};
use crate::history::{Operation, Outcome, Value};
use crate::model::{Initial, UnsuitableOperation};
use crate::plural::counted;

/// What an operation does to a counter.
#[derive(Clone, Copy)]
enum Action {
    Add(i64),
    Read,
}

/// What a read knew when it began.
#[derive(Clone, Copy)]
struct Begun {
    position: usize,
    since: u64,
    /// The last addition that had been acknowledged.
    last: Option<usize>,
}

/// A read with the initial values that could explain it.
#[derive(Clone, Copy)]
struct Demand {
    position: usize,
    from: i128,
    to: i128,
}

/// Checks that each counter stays within its bounds.
///
/// Operations: `add` (an integer), `increment` and `decrement` (by 1, or by their value), `read`.
/// Counters start at 0, at the initial value given, or anywhere (`any`).
pub(super) fn check(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let start = match &options.initial {
        None | Some(Initial::Value(Value::Null)) => Some(0),
        Some(Initial::Value(value)) => value.as_i64(),
        Some(Initial::Any) => None,
    };
    let actions: Vec<Action> = operations.iter().map(action).collect::<Result<_, _>>()?;
    let mut judge = Judge {
        operations,
        actions: &actions,
        start,
        findings: Findings::new(operations),
        reads: 0,
    };
    let mut spending = Spending::new(budget);
    let held = actions.len() * size_of::<Action>();
    let mut spent = None;
    for (key, members) in by_key(operations) {
        if let Err(reason) = judge.key(key, &members, held, &mut spending) {
            spent = Some(reason);
            break;
        }
    }
    let reads = judge.reads;
    let measurements = vec![
        measured("reads", reads),
        measured("reads too low", judge.findings.count("counter-too-low")),
        measured("reads too high", judge.findings.count("counter-too-high")),
    ];
    let valid = || format!("{} within bounds", counted(reads, "read"));
    Ok(judge.findings.check("counter-bounds", spent, valid, measurements))
}

fn action(operation: &Operation) -> Result<Action, UnsuitableOperation> {
    let amount = || match (&operation.invoked, operation.f.as_str()) {
        (Value::Null, "increment" | "decrement") => Some(1),
        // So that an amount can be negated, and sums of them cannot overflow.
        (Value::Int(amount), _) => Some(*amount).filter(|it| *it != i64::MIN),
        _ => None,
    };
    let action = match operation.f.as_str() {
        "add" | "increment" => amount().map(Action::Add),
        "decrement" => amount().map(|amount| Action::Add(-amount)),
        "read" if operation.outcome != Outcome::Ok || operation.result.as_i64().is_some() => {
            Some(Action::Read)
        }
        _ => None,
    };
    action.ok_or_else(|| UnsuitableOperation {
        index: operation.invoke_index,
        expected: "add, increment or decrement with an integer, or read with an integer result",
        got: format!(
            "{} {} -> {}",
            operation.f,
            brief(&operation.invoked),
            brief(&operation.result)
        ),
    })
}

struct Judge<'a> {
    operations: &'a [Operation],
    actions: &'a [Action],
    /// Where counters start; none if anywhere.
    start: Option<i64>,
    findings: Findings<'a>,
    reads: u64,
}

impl<'a> Judge<'a> {
    fn key(
        &mut self,
        key: Option<&Value>,
        members: &[usize],
        held: usize,
        spending: &mut Spending<'_>,
    ) -> Result<(), String> {
        let mut bounds = Bounds::default();
        let mut open: Vec<Begun> = Vec::new();
        let mut last = None;
        // With an unknown start, the reads that pin it down most.
        let mut highest: Option<Demand> = None;
        let mut lowest: Option<Demand> = None;
        for (now, moment) in (0_u64..).zip(moments(self.operations, members)) {
            spending.step(1, held + members.len() * 96)?;
            let (Moment::Invoked(position) | Moment::Completed(position)) = moment;
            let operation = &self.operations[position];
            if operation.outcome == Outcome::Fail {
                continue;
            }
            let acknowledged = operation.outcome == Outcome::Ok;
            match (self.actions[position], moment) {
                (Action::Add(amount), Moment::Invoked(_)) => bounds.asked(now, amount),
                (Action::Add(amount), Moment::Completed(_)) if acknowledged => {
                    bounds.acknowledged(now, amount);
                    last = Some(position);
                }
                (Action::Read, Moment::Invoked(_)) if acknowledged => {
                    bounds.note(now);
                    open.push(Begun { position, since: now, last });
                }
                (Action::Read, Moment::Completed(_)) if acknowledged => {
                    let begun = open.iter().position(|begun| begun.position == position);
                    let begun = open.swap_remove(begun.expect("a completion has an invocation"));
                    self.reads += 1;
                    let value = i128::from(operation.result.as_i64().unwrap_or(0));
                    let (low, high) = bounds.since(begun.since);
                    match self.start.map(i128::from) {
                        Some(start) if value < start + low => {
                            self.too_low(key, begun, start + low, value);
                        }
                        Some(start) if value > start + high => {
                            self.too_high(key, position, members, start + high, value);
                        }
                        Some(_) => {}
                        None => {
                            let demand = Demand { position, from: value - high, to: value - low };
                            if highest.is_none_or(|it| demand.from > it.from) {
                                highest = Some(demand);
                            }
                            if lowest.is_none_or(|it| demand.to < it.to) {
                                lowest = Some(demand);
                            }
                            self.contradiction(key, &mut highest, &mut lowest);
                        }
                    }
                }
                (_, Moment::Completed(_)) | (Action::Read, Moment::Invoked(_)) => {}
            }
        }
        Ok(())
    }

    fn too_low(&mut self, key: Option<&Value>, begun: Begun, least: i128, value: i128) {
        let operations = self.operations;
        let involved: Vec<usize> = std::iter::once(begun.position).chain(begun.last).collect();
        self.findings.add("counter-too-low", key, &involved, || {
            let mut words = vec![format!("A read {value}.")];
            let began = operations[begun.position].invoke_index;
            words.push(format!(
                "By event {began}, where A began, so much had been acknowledged that the counter was \
                 never less than {least} from there on, even if nothing of unknown outcome happened."
            ));
            if begun.last.is_some() {
                words.push("B was the last addition that was acknowledged before A began.".to_owned());
            }
            words.push(format!("Additions of {} in all are missing from A.", least - value));
            words
        });
    }

    fn too_high(
        &mut self,
        key: Option<&Value>,
        position: usize,
        members: &[usize],
        most: i128,
        value: i128,
    ) {
        let operations = self.operations;
        let actions = self.actions;
        self.findings.add("counter-too-high", key, &[position], || {
            let mut words = vec![
                format!("A read {value}."),
                format!(
                    "By the time A ended, so little had been asked for that the counter was never more \
                     than {most}, even if everything of unknown outcome happened."
                ),
                format!("A saw {} that nobody added.", value - most),
            ];
            let mut failed = members.iter().filter(|&&it| {
                let earlier = operations[it].invoke_index < operations[position].invoke_index;
                operations[it].outcome == Outcome::Fail
                    && earlier
                    && matches!(actions[it], Action::Add(amount) if i128::from(amount) == value - most)
            });
            if let Some(&failed) = failed.next_back() {
                words.push(format!(
                    "Process {} had asked for exactly that (event {}), but was told that it had failed: \
                     what failed must have no effect.",
                    operations[failed].process, operations[failed].invoke_index
                ));
            }
            words
        });
    }

    /// With an unknown start: two reads that no start explains. Begins anew after it found some.
    fn contradiction(
        &mut self,
        key: Option<&Value>,
        highest: &mut Option<Demand>,
        lowest: &mut Option<Demand>,
    ) {
        let (Some(high), Some(low)) = (*highest, *lowest) else { return };
        if high.from <= low.to {
            return;
        }
        let kind =
            if high.position > low.position { "counter-too-high" } else { "counter-too-low" };
        let mut involved = [high.position, low.position];
        // A read that contradicts itself cannot be: `from` is at most `to`.
        involved.sort_unstable();
        let (first, second) = if high.position < low.position { ("A", "B") } else { ("B", "A") };
        self.findings.add(kind, key, &involved, || {
            vec![
                format!(
                    "{first} is possible only if the counter started at {} or more.",
                    high.from
                ),
                format!("{second} is possible only if it started at {} or less.", low.to),
                "Both cannot be.".to_owned(),
            ]
        });
        *highest = None;
        *lowest = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Verdict;
    use crate::checker::script::{judged, judged_with, kinds, number, options, words};

    #[track_caller]
    fn valid(text: &str) {
        let check = judged(check, text);
        assert_eq!(check.verdict, Verdict::Valid, "{text}: {}", words(&check));
    }

    #[track_caller]
    fn invalid(text: &str, kind: &str) {
        let check = judged(check, text);
        assert_eq!(check.verdict, Verdict::Invalid, "{text}");
        assert_eq!(kinds(&check), [kind], "{text}");
    }

    #[test]
    fn a_read_sees_what_was_acknowledged() {
        valid("0 add 2 ; 1 read -> 2");
        invalid("0 add 2 ; 1 read -> 1", "counter-too-low");
        invalid("0 add 2 ; 1 read -> 3", "counter-too-high");
    }

    #[test]
    fn a_read_may_or_may_not_see_what_runs_beside_it() {
        for seen in [0, 2] {
            valid(&format!("0 add 2 | 1 read -> {seen}"));
            valid(&format!("0 add 2 ? ; 1 read -> {seen}"));
            valid(&format!("0 add 2 ... ; 1 read -> {seen}"));
        }
        invalid("0 add 2 | 1 read -> 4", "counter-too-high");
    }

    #[test]
    fn a_crashed_addition_may_take_effect_late() {
        valid("0 add 2 ? ; 1 read -> 0 ; 1 read -> 2");
    }

    #[test]
    fn a_failed_addition_is_not_seen() {
        valid("0 add 2 ! ; 1 read -> 0");
        let check = judged(check, "0 add 2 ! ; 1 read -> 2");
        assert!(words(&check).contains("had failed"), "{}", words(&check));
    }

    #[test]
    fn decrements_count_downwards() {
        valid("0 add 5 ; 0 decrement 2 ; 1 read -> 3");
        valid("0 add 5 ; 0 decrement 2 ? ; 1 read -> 5 ; 1 read -> 3");
        invalid("0 add 5 ; 0 decrement 2 ; 1 read -> 4", "counter-too-high");
        invalid("0 add 5 ; 0 add -2 ; 1 read -> 2", "counter-too-low");
        valid("0 increment ; 0 increment ; 0 decrement ; 1 read -> 1");
    }

    #[test]
    fn each_key_is_a_counter() {
        valid("0 @x add 2 ; 1 @y read -> 0 ; 1 @x read -> 2");
        invalid("0 @x add 2 ; 1 @y read -> 2", "counter-too-high");
    }

    #[test]
    fn a_history_without_reads_is_valid() {
        valid("0 add 1 ; 0 add 1");
    }

    #[test]
    fn the_start_can_be_given_or_unknown() {
        let with = |initial, text| {
            judged_with(check, &CheckOptions { initial: Some(initial), ..options() }, text)
        };
        assert_eq!(with(Initial::Value(7.into()), "0 read -> 7").verdict, Verdict::Valid);
        assert_eq!(with(Initial::Value(7.into()), "0 read -> 0").verdict, Verdict::Invalid);
        assert_eq!(
            with(Initial::Any, "0 read -> 9 ; 0 add 1 ; 0 read -> 10").verdict,
            Verdict::Valid
        );
        let check = with(Initial::Any, "0 read -> 9 ; 0 add 1 ; 0 read -> 9");
        assert_eq!(kinds(&check), ["counter-too-low"]);
        let check = with(Initial::Any, "0 read -> 9 ; 0 add 1 ; 0 read -> 11");
        assert_eq!(kinds(&check), ["counter-too-high"]);
    }

    #[test]
    fn all_reads_out_of_bounds_are_counted() {
        let text = vec!["0 read -> 1"; 20].join(" ; ");
        let check = judged(check, &text);
        assert_eq!(number(&check, "reads too high"), 20.into());
        assert_eq!(check.anomalies.len(), 8);
    }

    #[test]
    fn other_operations_are_refused() {
        let history = crate::checker::script::script("0 add \"x\"");
        assert!(check(&history, &options(), &crate::checker::linearizable::Unlimited).is_err());
    }
}
