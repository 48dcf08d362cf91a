//! What was compared, and what came of it.

use crate::checker::{Check, CheckOptions, Verdict};
use crate::evidence::{Evidence, Outcome, verify};
use crate::history::Operation;

/// Disagreements that are kept in words, of different histories.
const TOLD_MAX: usize = 5;

/// Counts of compared histories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Histories that were compared.
    pub cases: u64,
    /// Of these, how many have the property by its definition.
    pub holds: u64,
    /// Cases that a checker left open: unknown, or found nothing where it does not claim to find all.
    pub open: u64,
    /// Verdicts whose evidence the verifier confirmed.
    pub confirmed: u64,
    /// Verdicts without evidence that the verifier can confirm.
    pub unproved: u64,
    /// Cases in which somebody is wrong.
    pub disagreements: u64,
    /// The first of them, in words.
    pub told: Vec<String>,
}

impl Tally {
    /// Adds what another one has.
    pub fn add(&mut self, other: Tally) {
        self.cases += other.cases;
        self.holds += other.holds;
        self.open += other.open;
        self.confirmed += other.confirmed;
        self.unproved += other.unproved;
        self.disagreements += other.disagreements;
        self.told.extend(other.told);
        self.told.truncate(TOLD_MAX);
    }

    /// Counts a case.
    pub fn case(&mut self, holds: bool) {
        self.cases += 1;
        self.holds += u64::from(holds);
    }

    /// Counts a verdict. `complete`: whether valid must mean that the property holds.
    pub(super) fn verdict(
        &mut self,
        way: &str,
        check: &Check,
        holds: bool,
        complete: bool,
        operations: &[Operation],
    ) {
        match check.verdict {
            Verdict::Unknown => self.open += 1,
            Verdict::Valid if !holds && !complete => self.open += 1,
            verdict if (verdict == Verdict::Valid) == holds => {}
            verdict => {
                self.disagree(&format!("{way} says {verdict:?}: {}", check.summary), operations);
            }
        }
    }

    /// Counts what the verifier says of the evidence of a verdict.
    pub(super) fn evidence(
        &mut self,
        check: &Check,
        model: &str,
        property: &str,
        options: &CheckOptions,
        operations: &[Operation],
    ) {
        if check.verdict == Verdict::Unknown {
            return;
        }
        let evidence = Evidence::of(check, model, property, options);
        match verify(&evidence, operations).outcome {
            Outcome::Confirmed => self.confirmed += 1,
            Outcome::Unproved(_) => self.unproved += 1,
            Outcome::Refuted(why) => {
                let evidence = serde_json::to_string(&evidence).unwrap_or_default();
                self.disagree(&format!("evidence is refuted: {why}\n  {evidence}"), operations);
            }
        }
    }

    /// Counts a case in which somebody is wrong.
    pub fn disagree(&mut self, what: &str, operations: &[Operation]) {
        self.disagreements += 1;
        if self.told.len() < TOLD_MAX {
            let mut text = String::new();
            for it in operations {
                let Operation { process, f, invoked, result, outcome, .. } = it;
                let (from, to) = (it.invoke_index, it.complete_index);
                let to = to.map_or(String::new(), |to| to.to_string());
                text += &format!("\n  {process} {from}-{to} {f} {invoked} -> {result} {outcome:?}");
            }
            if !self.told.last().is_some_and(|last| last.ends_with(&text)) {
                self.told.push(format!("{what}{text}"));
            }
        }
    }
}
