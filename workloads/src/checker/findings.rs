//! What checkers that look for anomalies share: a limited list of findings, and words for operations.

use std::collections::BTreeMap;

use crate::checker::{Anomaly, Budget, Check, CounterexampleOperation, Measurement, Verdict};
use crate::history::{EventKind, Operation, Outcome, Value};

/// Anomalies of one kind that are shown; further ones are only counted.
pub(super) const SHOWN_MAX: usize = 8;
/// Characters of a value that are shown.
const VALUE_CHARS: usize = 60;
/// Steps between two questions to the budget.
const STEPS_PER_QUESTION: u64 = 4096;

/// What a checker found in `operations`.
pub(super) struct Findings<'a> {
    operations: &'a [Operation],
    counts: BTreeMap<&'static str, u64>,
    shown: Vec<Anomaly>,
}

impl<'a> Findings<'a> {
    /// Nothing yet.
    pub(super) fn new(operations: &'a [Operation]) -> Self {
        Self { operations, counts: BTreeMap::new(), shown: Vec::new() }
    }

    /// Adds an anomaly that the operations at positions `involved` show.
    ///
    /// `words` is asked only if the anomaly is shown. It calls the operations A, B and so on, in the
    /// order of `involved`.
    pub(super) fn add(
        &mut self,
        kind: &'static str,
        key: Option<&Value>,
        involved: &[usize],
        words: impl FnOnce() -> Vec<String>,
    ) {
        self.add_told(kind, key, involved, &[], text, words);
    }

    /// The same, where operations are told in words of their own, and those at the positions `wrong` of
    /// `involved` contradict the others.
    pub(super) fn add_told(
        &mut self,
        kind: &'static str,
        key: Option<&Value>,
        involved: &[usize],
        wrong: &[usize],
        text: impl Fn(&Operation) -> String,
        words: impl FnOnce() -> Vec<String>,
    ) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count > SHOWN_MAX as u64 {
            return;
        }
        let operations = involved
            .iter()
            .enumerate()
            .map(|(number, &position)| {
                let operation = &self.operations[position];
                evidence(label(number), text(operation), operation)
            })
            .collect();
        self.shown.push(Anomaly {
            kind: kind.to_owned(),
            key: key.cloned(),
            operations,
            edges: Vec::new(),
            wrong: wrong.to_vec(),
            explanation: words(),
        });
    }

    /// Anomalies of this kind, shown or not.
    pub(super) fn count(&self, kind: &str) -> u64 {
        self.counts.get(kind).copied().unwrap_or(0)
    }

    /// The check: invalid if anything was found, else unknown if `spent` says why, else valid.
    pub(super) fn check(
        self,
        name: &str,
        spent: Option<String>,
        valid: impl FnOnce() -> String,
        measurements: Vec<Measurement>,
    ) -> Check {
        let (verdict, summary) = match (&spent, self.counts.is_empty()) {
            (_, false) => (Verdict::Invalid, self.summary()),
            (Some(spent), true) => (Verdict::Unknown, format!("not decided: {spent}")),
            (None, true) => (Verdict::Valid, valid()),
        };
        Check {
            reason: spent,
            anomalies: self.shown,
            measurements,
            ..Check::new(name, verdict, summary)
        }
    }

    /// For example `found 2 lost-element, 1 duplicate-element`.
    fn summary(&self) -> String {
        let counts: Vec<String> =
            self.counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        format!("found {}", counts.join(", "))
    }
}

/// A, B, ... Z, A1, B1, ...
pub(super) fn label(number: usize) -> String {
    let letter = char::from(b'A' + u8::try_from(number % 26).expect("less than 26"));
    match number / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

fn evidence(label: String, text: String, operation: &Operation) -> CounterexampleOperation {
    CounterexampleOperation {
        label,
        process: operation.process,
        node: operation.node.as_ref().map(ToString::to_string),
        f: operation.f.to_string(),
        text,
        outcome: match operation.outcome {
            Outcome::Ok => EventKind::Ok,
            Outcome::Fail => EventKind::Fail,
            Outcome::Info => EventKind::Info,
        },
        invoke_index: operation.invoke_index,
        invoke_time: operation.invoke_time,
        complete_time: operation.complete_time.filter(|_| operation.outcome == Outcome::Ok),
    }
}

/// In words, such as `add 3`, `read -> [1,2]` or `add 3 (unknown outcome)`.
pub(super) fn text(operation: &Operation) -> String {
    let argument = match &operation.invoked {
        Value::Null => String::new(),
        value => format!(" {}", brief(value)),
    };
    let f = &operation.f;
    match operation.outcome {
        Outcome::Ok if operation.result == operation.invoked && !operation.invoked.is_null() => {
            format!("{f}{argument}")
        }
        Outcome::Ok if operation.result.is_null() => format!("{f}{argument} -> nothing"),
        Outcome::Ok if operation.invoked.is_null() => {
            format!("{f} -> {}", brief(&operation.result))
        }
        Outcome::Ok => format!("{f}{argument} -> {}", brief(&operation.result)),
        Outcome::Fail => format!("{f}{argument} (failed)"),
        Outcome::Info => format!("{f}{argument} (unknown outcome)"),
    }
}

/// A value, cut if it is long.
pub(super) fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_CHARS) {
        Some((cut, _)) => format!("{}... ({} characters)", &text[..cut], text.chars().count()),
        None => text,
    }
}

/// Values in words: at most `limit` of them, and how many there are besides.
pub(super) fn some_of<'v>(
    values: impl ExactSizeIterator<Item = &'v Value>,
    limit: usize,
) -> String {
    let total = values.len();
    let mut words: Vec<String> = values.take(limit).map(brief).collect();
    if total > limit {
        words.push(format!("and {} more", total - limit));
    }
    words.join(", ")
}

/// One number of a verdict.
pub(super) fn measured(name: &str, value: impl Into<Value>) -> Measurement {
    Measurement { name: name.to_owned(), value: value.into() }
}

/// A time in seconds, such as `0.0028 s`, for texts with moments in seconds.
pub(super) fn seconds(nanoseconds: u64) -> String {
    let text = format!("{:.9}", nanoseconds as f64 / 1e9);
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Asks the budget now and then.
pub(super) struct Spending<'a> {
    budget: &'a dyn Budget,
    steps: u64,
}

impl<'a> Spending<'a> {
    /// Asks `budget`.
    pub(super) fn new(budget: &'a dyn Budget) -> Self {
        Self { budget, steps: 0 }
    }

    /// Counts `steps`; says what ran out. `bytes` is what is held in memory.
    pub(super) fn step(&mut self, steps: usize, bytes: usize) -> Result<(), String> {
        let before = self.steps / STEPS_PER_QUESTION;
        self.steps += steps as u64;
        if self.steps / STEPS_PER_QUESTION == before {
            return Ok(());
        }
        self.budget.exhausted(bytes).map_or(Ok(()), Err)
    }
}
