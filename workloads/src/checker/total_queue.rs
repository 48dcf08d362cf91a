//! Queues that are drained at the end: what goes in must come out.
//!
//! Jepsen's `checker/total-queue`, in any order of elements. The history must end with the queue
//! empty; what was acknowledged and never came out is then lost, unless an operation of unknown
//! outcome may have taken it: each crashed `dequeue` accounts for one element, a crashed `drain` for
//! all. An element may be enqueued more than once; the k-th one to come out needs k that went in.

use rustc_hash::FxHashMap;

use super::findings::{Findings, Spending, brief, measured, some_of};
use super::order::{Moment, by_key, moments};
use crate::checker::{Budget, Check, CheckOptions};
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;
use crate::plural::counted;

/// Lost elements that are named.
const NAMED_MAX: usize = 10;

/// What happened to one element so far.
#[derive(Default, Clone)]
struct Element {
    /// Enqueues asked for that did not fail.
    asked: u64,
    /// Those acknowledged, and the last of them.
    acknowledged: u64,
    last_enqueue: Option<usize>,
    failed: Option<usize>,
    taken: u64,
    /// How many came out before as many had been asked for.
    surplus: u64,
}

/// Checks that nothing is lost or comes from nowhere: at least once.
pub(super) fn check(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    judge(operations, options, budget, "total-queue", Repetition::Counted)
}

/// As [`check`], and nothing comes out twice: exactly once.
pub(super) fn check_exactly_once(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    judge(operations, options, budget, "exactly-once", Repetition::Forbidden)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repetition {
    Counted,
    Forbidden,
}

#[derive(Default)]
struct Tally {
    attempted: u64,
    acknowledged: u64,
    out: u64,
    lost: u64,
    perhaps_taken: u64,
    duplicated: u64,
    recovered: u64,
}

fn judge(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
    name: &str,
    repetition: Repetition,
) -> Result<Check, UnsuitableOperation> {
    for operation in operations {
        taken(operation)?;
    }
    let mut findings = Findings::new(operations);
    let mut spending = Spending::new(budget);
    let mut tally = Tally::default();
    let mut spent = None;
    for (key, members) in by_key(operations) {
        let mut queue = Queue {
            operations,
            key,
            repetition,
            elements: FxHashMap::default(),
            takers: 0,
            drained_perhaps: false,
            findings: &mut findings,
            tally: &mut tally,
        };
        if let Err(reason) = queue.judge(&members, &mut spending) {
            spent = Some(reason);
            break;
        }
    }
    let measurements = vec![
        measured("attempted", tally.attempted),
        measured("acknowledged", tally.acknowledged),
        measured("came out", tally.out),
        measured("lost", tally.lost),
        measured("perhaps taken by crashed dequeues", tally.perhaps_taken),
        measured("duplicated", tally.duplicated),
        measured("recovered", tally.recovered),
    ];
    let valid = || format!("{} came out, none is lost", counted(tally.out, "element"));
    Ok(findings.check(name, spent, valid, measurements))
}

/// The elements that an acknowledged operation took out.
fn taken(operation: &Operation) -> Result<&[Value], UnsuitableOperation> {
    let acknowledged = operation.outcome == Outcome::Ok;
    match (operation.f.as_str(), &operation.result) {
        ("enqueue", _) => Ok(&[]),
        ("dequeue" | "drain", _) if !acknowledged => Ok(&[]),
        ("dequeue" | "drain", Value::Null) => Ok(&[]),
        ("dequeue", element) => Ok(std::slice::from_ref(element)),
        ("drain", Value::List(elements)) => Ok(elements),
        _ => Err(UnsuitableOperation {
            index: operation.invoke_index,
            expected: "enqueue with an element, dequeue with its result, or drain with a list",
            got: format!(
                "{} {} -> {}",
                operation.f,
                brief(&operation.invoked),
                brief(&operation.result)
            ),
        }),
    }
}

struct Queue<'a, 'f> {
    operations: &'a [Operation],
    key: Option<&'a Value>,
    repetition: Repetition,
    elements: FxHashMap<&'a Value, Element>,
    /// Dequeues of unknown outcome: each may have taken one element.
    takers: u64,
    /// Whether a drain of unknown outcome may have taken any number.
    drained_perhaps: bool,
    findings: &'f mut Findings<'a>,
    tally: &'f mut Tally,
}

impl<'a> Queue<'a, '_> {
    fn judge(&mut self, members: &[usize], spending: &mut Spending<'_>) -> Result<(), String> {
        for &position in members {
            let operation = &self.operations[position];
            if operation.f == "enqueue" && operation.outcome == Outcome::Fail {
                self.elements.entry(&operation.invoked).or_default().failed = Some(position);
            }
        }
        let operations = self.operations;
        for moment in moments(operations, members) {
            spending.step(1, self.elements.capacity() * (size_of::<Element>() + 9))?;
            let (Moment::Invoked(position) | Moment::Completed(position)) = moment;
            let operation = &operations[position];
            match (operation.f.as_str(), moment, operation.outcome) {
                (_, _, Outcome::Fail) => {}
                ("enqueue", Moment::Invoked(_), _) => {
                    self.tally.attempted += 1;
                    self.elements.entry(&operation.invoked).or_default().asked += 1;
                }
                ("enqueue", Moment::Completed(_), Outcome::Ok) => {
                    self.tally.acknowledged += 1;
                    let element = self.elements.entry(&operation.invoked).or_default();
                    element.acknowledged += 1;
                    element.last_enqueue = Some(position);
                }
                ("dequeue", Moment::Invoked(_), Outcome::Info) => self.takers += 1,
                ("drain", Moment::Invoked(_), Outcome::Info) => self.drained_perhaps = true,
                (_, Moment::Completed(_), Outcome::Ok) => {
                    for element in taken(operation).unwrap_or(&[]) {
                        self.take(element, position);
                    }
                }
                (_, Moment::Invoked(_) | Moment::Completed(_), Outcome::Ok | Outcome::Info) => {}
            }
        }
        self.duplicates(members);
        self.lost(members);
        Ok(())
    }

    /// An element came out at this moment, so it must have been put in by now.
    fn take(&mut self, value: &'a Value, position: usize) {
        self.tally.out += 1;
        let element = self.elements.entry(value).or_default();
        let name = brief(value);
        if element.asked == 0 {
            match element.failed {
                Some(failed) => {
                    self.findings.add(
                        "failed-enqueue-visible",
                        self.key,
                        &[failed, position],
                        || {
                            vec![
                                format!("A, the only enqueue of {name} by then, failed."),
                                format!("B took {name} out: what failed must have no effect."),
                            ]
                        },
                    );
                }
                None => self.findings.add("unexpected-element", self.key, &[position], || {
                    vec![format!(
                        "A took out {name}, and by the time it ended nobody had tried to put it in."
                    )]
                }),
            }
            return;
        }
        element.taken += 1;
        element.surplus = element.surplus.max(element.taken.saturating_sub(element.asked));
    }

    /// Elements that came out more often than they can have gone in.
    fn duplicates(&mut self, members: &[usize]) {
        let surplus: u64 = self.elements.values().map(|it| it.surplus).sum();
        self.tally.duplicated += surplus;
        if surplus == 0 || self.repetition == Repetition::Counted {
            return;
        }
        let mut takers: FxHashMap<&Value, Vec<usize>> = FxHashMap::default();
        for &position in members {
            for value in taken(&self.operations[position]).unwrap_or(&[]) {
                if self.elements[value].surplus > 0 {
                    takers.entry(value).or_default().push(position);
                }
            }
        }
        let mut takers: Vec<(&Value, Vec<usize>)> = takers.into_iter().collect();
        takers.sort_unstable_by_key(|(_, positions)| positions.first().copied());
        for (value, mut positions) in takers {
            let (times, surplus) = (positions.len() as u64, self.elements[value].surplus);
            positions.truncate(4);
            let enqueue = self.elements[value].last_enqueue;
            let once = enqueue.filter(|_| self.elements[value].asked == 1);
            positions.splice(0..0, once);
            let came_out = format!("{} came out {}", brief(value), counted(times, "time"));
            self.findings.add("duplicate-element", self.key, &positions, || match once {
                Some(_) => vec![
                    format!("A put in {}, once, and nobody else did.", brief(value)),
                    format!("But {came_out}: B took it, and so did C."),
                    "What is put in once may come out once.".to_owned(),
                ],
                None => vec![format!(
                    "{came_out}: {surplus} more than anybody had tried to put in by then."
                )],
            });
        }
    }

    /// Elements that were acknowledged and never came out, beyond what crashed dequeues explain.
    fn lost(&mut self, members: &[usize]) {
        let mut missing: Vec<(&Value, usize, u64)> = self
            .elements
            .iter()
            .filter(|(_, it)| it.acknowledged > it.taken)
            .filter_map(|(value, it)| Some((*value, it.last_enqueue?, it.acknowledged - it.taken)))
            .collect();
        missing.sort_unstable_by_key(|&(_, position, _)| position);
        self.tally.recovered += self
            .elements
            .values()
            .map(|it| it.taken.min(it.asked).saturating_sub(it.acknowledged))
            .sum::<u64>();
        let count: u64 = missing.iter().map(|(_, _, count)| count).sum();
        let explained = if self.drained_perhaps { count } else { count.min(self.takers) };
        self.tally.perhaps_taken += explained;
        self.tally.lost += count - explained;
        if count == explained {
            return;
        }
        if explained == 0 {
            let dequeues = members.iter().filter(|&&it| self.operations[it].f != "enqueue").count();
            for (value, position, _) in missing {
                self.findings.add("lost-element", self.key, &[position], || {
                    vec![
                        format!("A put in {} and was acknowledged.", brief(value)),
                        format!(
                            "None of the {} took it out, and none is of unknown outcome.",
                            counted(dequeues as u64, "dequeue")
                        ),
                        "The history takes out all there is, so it was lost.".to_owned(),
                    ]
                });
            }
            return;
        }
        let shown: Vec<usize> = missing.iter().map(|&(_, position, _)| position).take(4).collect();
        let takers = self.takers;
        self.findings.add("lost-element", self.key, &shown, || {
            let names: Vec<&Value> = missing.iter().map(|&(value, _, _)| value).collect();
            vec![
                format!(
                    "{} acknowledged and never came out: {}.",
                    if count == 1 { "1 element was".to_owned() } else { format!("{count} elements were") },
                    some_of(names.into_iter(), NAMED_MAX)
                ),
                format!(
                    "The {} of unknown outcome may have taken {explained} of them; at least {} lost.",
                    counted(takers, "dequeue"),
                    if count - explained == 1 { "1 is".to_owned() } else { format!("{} are", count - explained) },
                ),
            ]
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Verdict;
    use crate::checker::script::{judged, kinds, number, words};

    #[track_caller]
    fn valid(text: &str) {
        let check = judged(check_exactly_once, text);
        assert_eq!(check.verdict, Verdict::Valid, "{text}: {}", words(&check));
    }

    #[track_caller]
    fn invalid(text: &str, kind: &str) {
        let check = judged(check, text);
        assert_eq!(check.verdict, Verdict::Invalid, "{text}");
        assert_eq!(kinds(&check), [kind], "{text}: {}", words(&check));
    }

    #[test]
    fn what_goes_in_comes_out() {
        valid("0 enqueue 1 ; 0 enqueue 2 ; 1 dequeue -> 2 ; 1 dequeue -> 1 ; 1 dequeue -> null");
        valid("0 enqueue 1 ; 0 enqueue 2 ; 1 drain -> [2,1]");
        invalid("0 enqueue 1 ; 0 enqueue 2 ; 1 dequeue -> 2", "lost-element");
    }

    #[test]
    fn what_nobody_put_in_does_not_come_out() {
        invalid("0 dequeue -> 7", "unexpected-element");
        invalid("0 enqueue 7 ! ; 0 dequeue -> 7", "failed-enqueue-visible");
        invalid("0 dequeue -> 7 ; 0 enqueue 7 ; 1 drain -> [7]", "unexpected-element");
        // The enqueue may have taken effect while the dequeue ran.
        valid("0 dequeue ... ; 1 enqueue 7 ; 0 ok -> 7");
        valid("0 enqueue 7 ! ; 0 enqueue 7 ; 0 dequeue -> 7");
    }

    #[test]
    fn an_enqueue_of_unknown_outcome_may_come_out_or_not() {
        valid("0 enqueue 1 ? ; 1 drain -> []");
        let check = judged(check, "0 enqueue 1 ? ; 1 dequeue -> 1");
        assert_eq!(check.verdict, Verdict::Valid);
        assert_eq!(number(&check, "recovered"), 1.into());
    }

    #[test]
    fn a_dequeue_of_unknown_outcome_may_have_taken_one() {
        valid("0 enqueue 1 ; 1 dequeue ? ; 2 drain -> []");
        valid("0 enqueue 1 ; 0 enqueue 2 ; 1 drain ? ; 2 drain -> []");
        invalid("0 enqueue 1 ; 0 enqueue 2 ; 1 dequeue ? ; 2 drain -> []", "lost-element");
        invalid("0 enqueue 1 ; 1 dequeue ! ; 2 drain -> []", "lost-element");
    }

    #[test]
    fn duplicates_are_counted_or_forbidden() {
        let twice = "0 enqueue 1 ; 1 dequeue -> 1 ; 2 dequeue -> 1";
        let at_least_once = judged(check, twice);
        assert_eq!(at_least_once.verdict, Verdict::Valid);
        assert_eq!(number(&at_least_once, "duplicated"), 1.into());
        let exactly_once = judged(check_exactly_once, twice);
        assert_eq!(kinds(&exactly_once), ["duplicate-element"]);
        valid("0 enqueue 1 ; 0 enqueue 1 ; 1 dequeue -> 1 ; 2 dequeue -> 1");
        valid("0 enqueue 1 ; 0 enqueue 1 ? ; 1 dequeue -> 1 ; 2 dequeue -> 1");
    }

    #[test]
    fn a_duplicate_is_told_with_what_was_put_in() {
        let check = judged(check_exactly_once, "0 enqueue 1 ; 1 dequeue -> 1 ; 2 dequeue -> 1");
        let told = words(&check);
        for expected in [
            "A: enqueue 1",
            "A put in 1, once, and nobody else did.",
            "But 1 came out 2 times: B took it, and so did C.",
        ] {
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn each_key_is_a_queue() {
        invalid("0 @a enqueue 1 ; 1 @b dequeue ? ; 2 @a drain -> []", "lost-element");
    }

    #[test]
    fn how_many_are_lost_is_told() {
        let check = judged(check, "0 enqueue 1 ; 0 enqueue 2 ; 1 dequeue ? ; 2 drain -> []");
        expect_test::expect![[r#"
            lost-element
              A: enqueue 1
              B: enqueue 2
              2 elements were acknowledged and never came out: 1, 2.
              The 1 dequeue of unknown outcome may have taken 1 of them; at least 1 is lost.
        "#]]
        .assert_eq(&words(&check));
    }
}
