//! The verdict on a piece of evidence.

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::claim::verify_claim;
use super::cycle::verify_cycle;
use super::document::{EVIDENCE_FORMAT, Evidence};
use super::impossible::verify_impossible;
use super::object::Object;
use super::order::{Kept, verify_orders};
use crate::checker::Verdict;
use crate::history::{Operation, Value};
use crate::model::Initial;

/// What a verification found out about something that was claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is true.
    Confirmed,
    /// It is not, and why.
    Refuted(String),
    /// The verifier cannot tell, and why.
    Unproved(String),
}

/// One piece of evidence, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was claimed, such as `a cycle G-single of 3 transactions`.
    pub claim: String,
    /// Whether it holds.
    pub outcome: Outcome,
}

/// Everything that was looked at, and the sum of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// A finding for each piece.
    pub findings: Vec<Finding>,
    /// Whether the verdict is proved: by the orders together, or by any set or cycle; refuted if any
    /// piece is wrong.
    pub outcome: Outcome,
}

/// The operations of a history by the index of their invocation.
pub(super) struct History<'a> {
    pub(super) operations: &'a [Operation],
    pub(super) initial: Option<&'a Initial>,
    by_index: FxHashMap<u64, usize>,
}

impl<'a> History<'a> {
    pub(super) fn get(&self, index: u64) -> Option<&'a Operation> {
        self.by_index.get(&index).map(|&position| &self.operations[position])
    }
}

/// Confirms evidence, or not, from the history alone.
pub fn verify(evidence: &Evidence, operations: &[Operation]) -> Verification {
    let only = |outcome: Outcome| Verification { findings: Vec::new(), outcome };
    if evidence.format != EVIDENCE_FORMAT {
        let why = format!("format {} is not {EVIDENCE_FORMAT}", evidence.format);
        return only(Outcome::Unproved(why));
    }
    let initial = match evidence.initial.as_deref().map(str::parse::<Initial>).transpose() {
        Ok(initial) => initial,
        Err(error) => return only(Outcome::Unproved(error.to_string())),
    };
    let start = Object::new(&evidence.model, initial.as_ref());
    let by_index = (0..).zip(operations).map(|(position, it)| (it.invoke_index, position));
    let history = History { operations, initial: initial.as_ref(), by_index: by_index.collect() };
    let findings = match evidence.verdict {
        Verdict::Valid => verify_valid(evidence, start.as_ref(), &history),
        Verdict::Invalid => verify_invalid(evidence, start.as_ref(), &history),
        Verdict::Unknown => {
            return only(Outcome::Unproved("an unknown verdict claims nothing".to_owned()));
        }
    };
    let refuted = findings.iter().find(|it| matches!(it.outcome, Outcome::Refuted(_)));
    let confirmed = findings.iter().find(|it| it.outcome == Outcome::Confirmed);
    let outcome = match refuted.or(confirmed).or(findings.first()) {
        Some(finding) => finding.outcome.clone(),
        None => Outcome::Unproved(
            "the evidence holds neither orders, sets, cycles nor claims".to_owned(),
        ),
    };
    Verification { findings, outcome }
}

fn verify_valid(
    evidence: &Evidence,
    start: Option<&Object>,
    history: &History<'_>,
) -> Vec<Finding> {
    if evidence.orders.is_empty() {
        return Vec::new();
    }
    let placed: usize = evidence.orders.iter().map(|witness| witness.order.len()).sum();
    let outcome = match (start, Kept::of_property(&evidence.property)) {
        (Some(start), Some(kept)) => verify_orders(&evidence.orders, start, kept, history),
        (None, _) => unknown_model(evidence),
        (_, None) => Outcome::Unproved(format!("no order proves {}", evidence.property)),
    };
    let claim = match evidence.orders.len() {
        1 => format!("an order of {placed} operations"),
        objects => format!("orders of {placed} operations on {objects} objects"),
    };
    vec![Finding { claim, outcome }]
}

fn verify_invalid(
    evidence: &Evidence,
    start: Option<&Object>,
    history: &History<'_>,
) -> Vec<Finding> {
    let of_key =
        |key: &Option<Value>| key.as_ref().map_or(String::new(), |key| format!(" on key {key}"));
    let sets = evidence.impossible.iter().map(|set| Finding {
        claim: format!("{} operations{} without an order", set.operations.len(), of_key(&set.key)),
        outcome: match (start, evidence.property.as_str()) {
            (Some(start), "linearizable" | "strict-serializable") => {
                verify_impossible(set, &evidence.model, start, history)
            }
            (None, _) => unknown_model(evidence),
            (_, property) => Outcome::Unproved(format!(
                "sets of operations are tried for linearizability, not {property}"
            )),
        },
    });
    let cycles = evidence.cycles.iter().map(|cycle| Finding {
        claim: format!("a cycle {} of {} transactions", cycle.kind, cycle.edges.len()),
        outcome: verify_cycle(cycle, &evidence.model, &evidence.property, history),
    });
    let claims = evidence.claims.iter().map(|claim| Finding {
        claim: format!(
            "{} of {} operations{}",
            claim.kind,
            claim.operations.len(),
            of_key(&claim.key)
        ),
        outcome: verify_claim(claim, &evidence.model, &evidence.property, evidence.total, history),
    });
    sets.chain(cycles).chain(claims).collect()
}

fn unknown_model(evidence: &Evidence) -> Outcome {
    Outcome::Unproved(format!("the verifier does not know the model {}", evidence.model))
}
