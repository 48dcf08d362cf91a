//! The types of a file of evidence. Operations go by the index of their invocation.

use serde::{Deserialize, Serialize};

use crate::checker::{Anomaly, Check, CheckOptions, Verdict, Witness};
use crate::history::Value;
use crate::model::Initial;

/// Version of [`Evidence`].
pub const EVIDENCE_FORMAT: u32 = 1;

/// What proves a verdict on a history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evidence {
    /// [`EVIDENCE_FORMAT`].
    pub format: u32,
    /// The model, as on the command line.
    pub model: String,
    /// The property, as on the command line.
    pub property: String,
    /// What is claimed.
    pub verdict: Verdict,
    /// What objects held before the first operation: JSON, or `any`; none is what the model says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<String>,
    /// Orders that explain the history: one for each object, or one of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<Witness>,
    /// Operations that no order explains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub impossible: Vec<ImpossibleSet>,
    /// Transactions that would have to come before themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cycles: Vec<Cycle>,
    /// Anomalies that are no cycles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<Claim>,
    /// The sum of all accounts of a bank, if somebody told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
}

/// An anomaly that a few operations show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its name, such as `G1a` or `lost-element`.
    pub kind: String,
    /// The object, if the history has several.
    pub key: Option<Value>,
    /// The operations, by the index of their invocation; none if all on the object show it together.
    pub operations: Vec<u64>,
}

/// Operations on one object that no order explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImpossibleSet {
    /// The object, if the history has several.
    pub key: Option<Value>,
    /// The operations, by the index of their invocation.
    pub operations: Vec<u64>,
}

/// A cycle of operations, each of which must come before the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// Its name in the literature, such as `G-single`.
    pub kind: String,
    /// The edges, in order.
    pub edges: Vec<CycleEdge>,
}

/// Why one operation comes before another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleEdge {
    /// The one that comes before.
    pub from: u64,
    /// The one that comes after.
    pub to: u64,
    /// `ww`, `wr`, `rw`, `process`, `realtime`, or another kind that the checker documents.
    pub kind: String,
    /// In words.
    pub reason: String,
}

impl Evidence {
    /// The evidence that a check carries.
    pub fn of(check: &Check, model: &str, property: &str, options: &CheckOptions) -> Evidence {
        let impossible = check.counterexamples.iter().map(|counterexample| ImpossibleSet {
            key: counterexample.key.clone(),
            operations: counterexample.operations.iter().map(|it| it.invoke_index).collect(),
        });
        let cycles = check.anomalies.iter().filter(|it| !it.edges.is_empty()).map(|anomaly| {
            let index =
                |position: usize| anomaly.operations.get(position).map(|it| it.invoke_index);
            let edges = anomaly.edges.iter().filter_map(|edge| {
                Some(CycleEdge {
                    from: index(edge.from)?,
                    to: index(edge.to)?,
                    kind: edge.kind.clone(),
                    reason: edge.reason.clone(),
                })
            });
            Cycle { kind: anomaly.kind.clone(), edges: edges.collect() }
        });
        let is_claim = |it: &&Anomaly| it.edges.is_empty();
        let claims = check.anomalies.iter().filter(is_claim).map(|anomaly| Claim {
            kind: anomaly.kind.clone(),
            key: anomaly.key.clone(),
            operations: anomaly.operations.iter().map(|it| it.invoke_index).collect(),
        });
        Evidence {
            format: EVIDENCE_FORMAT,
            model: model.to_owned(),
            property: property.to_owned(),
            verdict: check.verdict,
            initial: options.initial.as_ref().map(|initial| match initial {
                Initial::Any => "any".to_owned(),
                Initial::Value(value) => value.to_string(),
            }),
            orders: check.witness.clone(),
            impossible: impossible.collect(),
            cycles: cycles.collect(),
            claims: claims.collect(),
            total: options.total,
        }
    }
}
