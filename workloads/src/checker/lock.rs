//! Locks: one holder at a time, and fencing tokens that grow.
//!
//! ```text
//! acquire ──────ok                 release ──────ok
//!               └── surely held ───┘
//! ```
//!
//! A client surely holds a lock from the completion of its `acquire` to the invocation of its
//! `release`, or until its lease is over by the times of the history, counted from the invocation of
//! the `acquire`. Two clients that surely hold it at once are a proof; what a crashed operation may
//! have done is nobody's certainty. A lock without a lease that is never released is held for ever.
//!
//! A lease cannot exclude two holders on real clocks, which is what fencing tokens are for: each
//! acquisition has a greater token than all before it, and what the lock protects accepts no token
//! smaller than one that it has accepted (Kleppmann, "How to do distributed locking", 2016).

use rustc_hash::FxHashMap;

use super::findings::{Findings, Spending, brief, measured};
use super::order::{Moment, by_key, moments};
use crate::checker::{Budget, Check, CheckOptions};
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;
use crate::moments::{self, duration};
use crate::plural::counted;

/// What an operation does to a lock.
#[derive(Clone, Copy)]
enum Action {
    /// The token that was given, and how long the lease lasts, nanoseconds.
    Acquire {
        token: Option<i64>,
        lease: Option<u64>,
    },
    Release,
    /// Something that the lock protects is used under a token.
    Use {
        token: i64,
    },
}

/// Checks that no two processes surely hold a lock at once.
///
/// Operations: `acquire`, whose result may be a token, or a map with `token` and `lease-ms`;
/// `release`; and `use` with a token, which this check leaves alone.
pub(super) fn check_exclusion(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    judge(operations, budget, Question::Exclusion)
}

/// Checks that tokens grow from acquisition to acquisition, and are used in their order.
pub(super) fn check_fencing(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    judge(operations, budget, Question::Fencing)
}

/// What is asked about a lock.
#[derive(Clone, Copy)]
enum Question {
    Exclusion,
    Fencing,
}

fn judge(
    operations: &[Operation],
    budget: &dyn Budget,
    question: Question,
) -> Result<Check, UnsuitableOperation> {
    let actions: Vec<Action> = operations.iter().map(action).collect::<Result<_, _>>()?;
    let mut findings = Findings::new(operations);
    let mut spending = Spending::new(budget);
    let (mut acquisitions, mut spent) = (0_u64, None);
    for (key, members) in by_key(operations) {
        let mut lock =
            Lock { operations, actions: &actions, key, members: &members, findings: &mut findings };
        let judged = match question {
            Question::Exclusion => lock.exclusion(&mut spending),
            Question::Fencing => lock.fencing(&mut spending),
        };
        if let Err(reason) = judged {
            spent = Some(reason);
            break;
        }
        let acquired = |&&it: &&usize| {
            matches!(actions[it], Action::Acquire { .. }) && operations[it].outcome == Outcome::Ok
        };
        acquisitions += members.iter().filter(acquired).count() as u64;
    }
    let measurements = vec![measured("acquisitions", acquisitions)];
    let valid = || format!("{} without a conflict", counted(acquisitions, "acquisition"));
    let name = match question {
        Question::Exclusion => "mutual-exclusion",
        Question::Fencing => "fencing",
    };
    Ok(findings.check(name, spent, valid, measurements))
}

fn action(operation: &Operation) -> Result<Action, UnsuitableOperation> {
    let unsuitable = |expected| UnsuitableOperation {
        index: operation.invoke_index,
        expected,
        got: format!(
            "{} {} -> {}",
            operation.f,
            brief(&operation.invoked),
            brief(&operation.result)
        ),
    };
    match operation.f.as_str() {
        "acquire" => {
            let result = match operation.outcome {
                Outcome::Ok => &operation.result,
                Outcome::Fail | Outcome::Info => &Value::Null,
            };
            let token = result.as_i64().or_else(|| result.get("token")?.as_i64());
            let lease = result.get("lease-ms").and_then(Value::as_u64);
            Ok(Action::Acquire { token, lease: lease.map(|it| it.saturating_mul(1_000_000)) })
        }
        "release" => Ok(Action::Release),
        "use" => {
            let value = &operation.invoked;
            let token = value.as_i64().or_else(|| value.get("token")?.as_i64());
            token.map(|token| Action::Use { token }).ok_or_else(|| unsuitable("use with a token"))
        }
        _ => Err(unsuitable("acquire, release, or use with a token")),
    }
}

/// A process that surely holds the lock.
#[derive(Clone, Copy)]
struct Holder {
    acquire: usize,
    /// When its lease is over, nanoseconds since the run began.
    until: Option<u64>,
}

struct Lock<'a, 'f> {
    operations: &'a [Operation],
    actions: &'a [Action],
    key: Option<&'a Value>,
    members: &'f [usize],
    findings: &'f mut Findings<'a>,
}

impl Lock<'_, '_> {
    fn exclusion(&mut self, spending: &mut Spending<'_>) -> Result<(), String> {
        let operations = self.operations;
        let mut holders: FxHashMap<u64, Holder> = FxHashMap::default();
        for moment in moments(operations, self.members) {
            spending.step(1, self.members.len() * 16)?;
            let (Moment::Invoked(position) | Moment::Completed(position)) = moment;
            let operation = &operations[position];
            match (self.actions[position], moment) {
                (Action::Release, Moment::Invoked(_)) if operation.outcome != Outcome::Fail => {
                    holders.remove(&operation.process);
                }
                (Action::Acquire { lease, .. }, Moment::Completed(_))
                    if operation.outcome == Outcome::Ok =>
                {
                    let now = operation.complete_time.unwrap_or(0);
                    let until = lease.map(|lease| operation.invoke_time.saturating_add(lease));
                    holders.retain(|_, holder| holder.until.is_none_or(|until| now < until));
                    if until.is_some_and(|until| until <= now) {
                        continue;
                    }
                    let other = holders
                        .iter()
                        .filter(|(process, _)| **process != operation.process)
                        .map(|(_, holder)| *holder)
                        .min_by_key(|holder| holder.acquire);
                    if let Some(holder) = other {
                        self.two_holders(holder, position);
                    }
                    holders.insert(operation.process, Holder { acquire: position, until });
                }
                (Action::Acquire { .. } | Action::Release | Action::Use { .. }, _) => {}
            }
        }
        Ok(())
    }

    fn two_holders(&mut self, holder: Holder, position: usize) {
        let operations = self.operations;
        let actions = self.actions;
        let members = self.members;
        // The release that comes too late, if there is one.
        let first = &operations[holder.acquire];
        let release = members.iter().copied().find(|&it| {
            matches!(actions[it], Action::Release)
                && operations[it].process == first.process
                && operations[it].invoke_index > first.invoke_index
                && operations[it].outcome != Outcome::Fail
        });
        let mut involved = vec![holder.acquire, position];
        involved.extend(release);
        self.findings.add("two-holders", self.key, &involved, || {
            let held = first.complete_index.unwrap_or(first.invoke_index);
            let end = match (release, holder.until) {
                (_, Some(until)) => {
                    format!("and its lease lasted until {}", moments::text(until, 3))
                }
                (Some(_), None) => "and did not ask to release it before C".to_owned(),
                (None, None) => "and never asked to release it".to_owned(),
            };
            vec![
                format!("A got the lock (event {held}) {end}."),
                format!(
                    "B got it too, {} after A, while A surely held it.",
                    duration(
                        operations[position]
                            .complete_time
                            .unwrap_or(0)
                            .saturating_sub(first.complete_time.unwrap_or(0))
                    )
                ),
            ]
        });
    }

    fn fencing(&mut self, spending: &mut Spending<'_>) -> Result<(), String> {
        let operations = self.operations;
        let mut owners: FxHashMap<i64, usize> = FxHashMap::default();
        // The greatest token that was surely given, or accepted, and by which operation.
        let mut given: Option<(i64, usize)> = None;
        let mut accepted: Option<(i64, usize)> = None;
        // What these were when an operation began.
        let mut begun: FxHashMap<usize, Option<(i64, usize)>> = FxHashMap::default();
        for moment in moments(operations, self.members) {
            spending.step(1, owners.capacity() * 24 + self.members.len() * 16)?;
            let (Moment::Invoked(position) | Moment::Completed(position)) = moment;
            if operations[position].outcome != Outcome::Ok {
                continue;
            }
            let (token, greatest, kind) = match self.actions[position] {
                Action::Acquire { token: Some(token), .. } => {
                    (token, &mut given, "token-not-growing")
                }
                Action::Use { token } => (token, &mut accepted, "stale-token-accepted"),
                Action::Acquire { token: None, .. } | Action::Release => continue,
            };
            match moment {
                Moment::Invoked(_) => {
                    begun.insert(position, *greatest);
                }
                Moment::Completed(_) => {
                    let before = begun.remove(&position).flatten();
                    if let Some((other, earlier)) = before.filter(|&(other, _)| token < other) {
                        self.findings.add(kind, self.key, &[earlier, position], || match kind {
                            "token-not-growing" => vec![format!(
                                "A was given token {other} and ended before B began; B was given the \
                                 smaller token {token}."
                            )],
                            _ => vec![format!(
                                "A was accepted with token {other} and ended before B began; B was \
                                 accepted with the older token {token}."
                            )],
                        });
                    }
                    if greatest.is_none_or(|(other, _)| token > other) {
                        *greatest = Some((token, position));
                    }
                    if matches!(self.actions[position], Action::Acquire { .. }) {
                        let owner = *owners.entry(token).or_insert(position);
                        if owner != position {
                            self.findings.add("token-reused", self.key, &[owner, position], || {
                                vec![format!("A and B were both given token {token}.")]
                            });
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Verdict;
    use crate::checker::script::{judged, kinds, words};

    #[track_caller]
    fn valid(text: &str) {
        let check = judged(check_exclusion, text);
        assert_eq!(check.verdict, Verdict::Valid, "{text}: {}", words(&check));
    }

    #[track_caller]
    fn invalid(text: &str) {
        let check = judged(check_exclusion, text);
        assert_eq!(kinds(&check), ["two-holders"], "{text}");
    }

    #[test]
    fn one_after_the_other() {
        valid("0 acquire ; 0 release ; 1 acquire ; 1 release");
        // The release may have taken effect as soon as it began.
        valid("0 acquire ; 0 release ... ; 1 acquire ; 1 release");
        valid("0 acquire ; 0 release ? ; 1 acquire ; 1 release");
        valid("0 acquire | 1 acquire ! ; 0 release");
    }

    #[test]
    fn two_at_once() {
        invalid("0 acquire ; 1 acquire");
        invalid("0 acquire ; 1 acquire ; 0 release ; 1 release");
        // The release failed, so the lock is still held.
        invalid("0 acquire ; 0 release ! ; 1 acquire");
        invalid("0 acquire | 1 acquire ; 0 release | 1 release");
    }

    #[test]
    fn an_acquisition_of_unknown_outcome_is_nobodys_certainty() {
        valid("0 acquire ? ; 1 acquire ; 1 release");
        valid("0 acquire ! ; 1 acquire");
    }

    #[test]
    fn each_key_is_a_lock() {
        valid("0 @a acquire ; 1 @b acquire");
    }

    #[test]
    fn a_lease_ends_by_itself() {
        let lease =
            |millis| format!(r#"0 acquire -> {{"token":1,"lease-ms":{millis}}} ; 1 acquire"#);
        // Events are 1 ms apart: the second acquisition completes at 3 ms.
        valid(&lease(3));
        invalid(&lease(4));
    }

    #[test]
    fn the_late_release_is_shown() {
        let check = judged(check_exclusion, "0 acquire ; 1 acquire ; 0 release");
        expect_test::expect![[r#"
            two-holders
              A: acquire -> nothing
              B: acquire -> nothing
              C: release -> nothing
              A got the lock (event 1) and did not ask to release it before C.
              B got it too, 2 ms after A, while A surely held it.
        "#]]
        .assert_eq(&words(&check));
    }

    #[test]
    fn tokens_grow() {
        let fenced = |text: &str| judged(check_fencing, text);
        assert_eq!(fenced("0 acquire -> 1 ; 1 acquire -> 2").verdict, Verdict::Valid);
        assert_eq!(kinds(&fenced("0 acquire -> 2 ; 1 acquire -> 1")), ["token-not-growing"]);
        assert_eq!(kinds(&fenced("0 acquire -> 1 ; 1 acquire -> 1")), ["token-reused"]);
        // Side by side, either may have been first.
        assert_eq!(fenced("0 acquire -> 2 | 1 acquire -> 1").verdict, Verdict::Valid);
        assert_eq!(fenced("0 acquire -> 2 ; 1 acquire -> 1 ?").verdict, Verdict::Valid);
    }

    #[test]
    fn an_older_token_is_not_accepted_after_a_newer_one() {
        let fenced = |text: &str| judged(check_fencing, text);
        assert_eq!(fenced("0 use 1 ; 1 use 2 ; 1 use 2").verdict, Verdict::Valid);
        assert_eq!(kinds(&fenced("1 use 2 ; 0 use 1")), ["stale-token-accepted"]);
        assert_eq!(fenced("1 use 2 ; 0 use 1 !").verdict, Verdict::Valid);
        assert_eq!(fenced("1 use 2 | 0 use 1").verdict, Verdict::Valid);
    }

    /// Against the definition, which looks at each pair of acquisitions.
    #[test]
    fn holders_overlap_as_in_the_definition() {
        use crate::checker::script::options;
        use crate::synthetic::{SyntheticOptions, generate, synthetic};
        use rand::{RngExt, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        let mut invalid = 0;
        for seed in 0..1000 {
            let shape = SyntheticOptions {
                operations: 12,
                concurrency: 3,
                crash_rate: 0.1,
                keys: 1,
                at: 0.0,
                seed,
            };
            let (mut history, _) = generate(synthetic("lock").unwrap(), None, &shape).unwrap();
            for operation in &mut history {
                if operation.outcome == Outcome::Fail && random.random_bool(0.2) {
                    operation.outcome = Outcome::Ok;
                }
            }
            let held: Vec<(u64, u64, u64)> = history
                .iter()
                .filter(|it| it.f == "acquire" && it.outcome == Outcome::Ok)
                .map(|it| {
                    let since = it.complete_index.unwrap();
                    let releases = history.iter().filter(|release| {
                        release.f == "release"
                            && release.process == it.process
                            && release.outcome != Outcome::Fail
                            && release.invoke_index > since
                    });
                    let until = releases.map(|it| it.invoke_index).min().unwrap_or(u64::MAX);
                    (it.process, since, until)
                })
                .collect();
            let overlap = held
                .iter()
                .any(|one| held.iter().any(|two| one.0 != two.0 && one.1 < two.1 && two.1 < one.2));
            let unlimited = crate::checker::linearizable::Unlimited;
            let check = check_exclusion(&history, &options(), &unlimited).unwrap();
            assert_eq!(check.verdict == Verdict::Invalid, overlap, "{seed}");
            invalid += u64::from(overlap);
        }
        assert!((100..900).contains(&invalid), "{invalid}");
    }
}
