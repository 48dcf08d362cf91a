//! The check as a whole: from operations to a verdict about one level.

use super::circle::Circle;
use super::classify::{Existing, classify};
use super::findings::Findings;
use super::graph::Graph;
use super::kind::Kind;
use super::level::{Level, Levels};
use super::list_append;
use super::meter::{Meter, Stop};
use super::reasons::Reasons;
use super::transactions::{Model, NONE, Transactions};
use super::words;
use crate::checker::{Budget, Check, Measurement, Verdict, Witness};
use crate::history::{Operation, Value};
use crate::model::UnsuitableOperation;

/// What is known when a check ends.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) findings: Findings,
    /// Cycles that exist, also where none is shown.
    pub(super) existing: Existing,
    /// Why nothing found does not mean that nothing is wrong.
    pub(super) doubts: Vec<String>,
    /// What breaks the level only if assumptions hold.
    pub(super) assumed: Option<Assumed>,
    /// How the order of commits was looked for, if not by a complete decision.
    pub(super) incomplete: Option<&'static str>,
    /// Transactions in an order that explains them, if one was asked for.
    pub(super) order: Option<Vec<u32>>,
}

/// Anomalies that follow from an assumption.
pub(super) struct Assumed {
    /// For example `if writes follow reads`.
    pub(super) assumption: &'static str,
    /// Whether the level implies the assumption, so that the anomalies break it.
    pub(super) implied: bool,
    pub(super) findings: Findings,
}

/// Checks transactions that append to lists. If `witness`, a check of serializability that is valid
/// has the order of the transactions.
pub(super) fn check_list_append(
    operations: &[Operation],
    level: Level,
    witness: bool,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let mut outcome = Outcome::default();
    let end = judge_lists(operations, level, witness, &mut Meter::new(budget), &mut outcome);
    let order = outcome.order.take();
    let mut check = conclude(level, level, operations.len(), outcome, end)?;
    if let Some(order) = order.filter(|_| check.verdict == Verdict::Valid) {
        let order = order.iter().map(|&it| operations[it as usize].invoke_index).collect();
        check.witness.push(Witness { key: None, order });
    }
    Ok(check)
}

fn judge_lists(
    operations: &[Operation],
    level: Level,
    witness: bool,
    meter: &mut Meter<'_>,
    outcome: &mut Outcome,
) -> Result<(), Stop> {
    let transactions = Transactions::read(operations, Model::ListAppend, meter)?;
    meter.hold(transactions.bytes())?;
    let versions = list_append::Versions::new(&transactions, meter)?;
    meter.hold(transactions.bytes() + versions.bytes())?;
    doubt_ambiguous(&transactions, &versions.writes, outcome);
    versions.check_orders(&transactions, &mut outcome.findings, meter)?;
    list_append::check_within(&transactions, &versions, &mut outcome.findings, meter)?;
    list_append::check_seen(&transactions, &versions, &mut outcome.findings, meter)?;
    let (mut edges, present) = list_append::dependencies(&transactions, &versions, meter)?;
    let unordered = (witness && level == Level::Serializable).then(|| edges.clone());
    edges.add_processes(&transactions, &present);
    // What an order must keep, and whether real time too.
    let kept = match level {
        Level::Serializable => unordered.map(|edges| (edges, false)),
        Level::StrongSessionSerializable if witness => Some((edges.clone(), false)),
        Level::StrictSerializable if witness => Some((edges.clone(), true)),
        _ => None,
    };
    let ordered =
        kept.map(|(edges, realtime)| Graph::new(&transactions, edges, present.clone(), realtime));
    let reasons = Reasons {
        transactions: &transactions,
        writes: &versions.writes,
        order: Some((&versions.length, &versions.order)),
    };
    let held = transactions.bytes() + versions.bytes();
    let graph = Graph::new(&transactions, edges, present, true);
    let held = held + ordered.as_ref().map_or(0, Graph::bytes);
    judge_edges(graph, &reasons, level, held, meter, outcome)?;
    if let Some(ordered) = ordered {
        outcome.order = ordered.order(meter)?;
    }
    Ok(())
}

/// Says so if reads of some value could be of several writes.
pub(super) fn doubt_ambiguous(
    transactions: &Transactions<'_>,
    writes: &super::writes::Writes,
    outcome: &mut Outcome,
) {
    if let Some((writer, key, value)) = writes.ambiguity() {
        outcome.doubts.push(format!(
            "{} was written to {} more than once (again at event {}), so nobody knows which write was \
             read",
            words::plain(&transactions.values.values[value as usize]),
            words::plain(&transactions.keys[key as usize]),
            transactions.operations[writer as usize].invoke_index,
        ));
    }
}

/// Looks for cycles.
pub(super) fn judge_edges(
    graph: Graph,
    reasons: &Reasons<'_, '_>,
    level: Level,
    held: usize,
    meter: &mut Meter<'_>,
    outcome: &mut Outcome,
) -> Result<(), Stop> {
    meter.hold(held + graph.bytes())?;
    if graph.has_no_data() {
        let doubt = "no transaction read or overwrote what another one wrote";
        outcome.doubts.push(doubt.to_owned());
    }
    let circles = graph.circles(meter)?;
    let mut scratch = if circles.is_empty() { vec![] } else { vec![NONE; graph.nodes() as usize] };
    for members in circles {
        let circle = Circle::new(&graph, members, &mut scratch);
        let (existing, findings) = (&mut outcome.existing, &mut outcome.findings);
        classify(&circle, reasons, level, existing, findings, meter)?;
    }
    Ok(())
}

impl Outcome {
    /// All kinds of anomalies that exist.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.findings.kinds().chain(self.existing.iter().copied())
    }
}

/// The verdict about a level. It is broken if `judged` is: the same level, or the one that it stands
/// for.
pub(super) fn conclude(
    level: Level,
    judged: Level,
    transactions: usize,
    outcome: Outcome,
    end: Result<(), Stop>,
) -> Result<Check, UnsuitableOperation> {
    let spent = match end {
        Ok(()) => None,
        Err(Stop::Spent(spent)) => Some(spent),
        Err(Stop::Unsuitable(unsuitable)) => return Err(unsuitable),
    };
    let broken = Levels::broken(outcome.kinds());
    let name = level.name();
    let counted = |breaking: bool| {
        let counts = outcome.findings.counts().iter();
        let of = counts.filter(|(kind, _)| Levels::broken([**kind]).contains(judged) == breaking);
        of.map(|(kind, count)| format!("{kind} ({count})")).collect::<Vec<_>>().join(", ")
    };
    let (mut breaking, mut others) = (counted(true), counted(false));
    if breaking.is_empty() && broken.contains(judged) {
        std::mem::swap(&mut breaking, &mut others);
    }
    if !others.is_empty() {
        others = format!("; also seen, but allowed at this level: {others}");
    }
    let mut reason = None;
    let (verdict, summary) = if broken.contains(judged) {
        reason = spent.map(|spent| format!("not searched to the end: {spent}"));
        (Verdict::Invalid, format!("not {name}: {breaking}{others}"))
    } else if let Some(spent) = spent {
        reason = Some(spent);
        (Verdict::Unknown, format!("{name} could not be decided{others}"))
    } else if let Some(Assumed { assumption, .. }) = &outcome.assumed {
        reason = Some(format!("{name} is broken {assumption}; reads alone do not tell"));
        (Verdict::Unknown, format!("no anomaly follows from reads alone, but some {assumption}"))
    } else if let Some(doubt) = outcome.doubts.first() {
        reason = Some(doubt.clone());
        (Verdict::Unknown, format!("no anomaly found, but {doubt}{others}"))
    } else {
        let summary = match (outcome.incomplete, level) {
            (Some(how), _) => {
                format!("{transactions} transactions, no anomaly found ({how}){others}")
            }
            (None, Level::Serializable) => {
                format!("{transactions} transactions fit in one order{others}")
            }
            (None, Level::StrongSessionSerializable | Level::StrictSerializable) => {
                format!("{transactions} transactions fit in one order, {}{others}", keeps(level))
            }
            (None, _) => {
                format!("{transactions} transactions, no anomaly that {name} rules out{others}")
            }
        };
        (Verdict::Valid, summary)
    };
    let count = |count: usize| Value::from(count as u64);
    let mut measurements =
        vec![Measurement { name: "transactions".to_owned(), value: count(transactions) }];
    for (kind, &number) in outcome.findings.counts() {
        measurements.push(Measurement { name: kind.to_string(), value: count(number) });
    }
    let mut anomalies = outcome.findings.into_shown();
    if let Some(Assumed { assumption, implied, findings }) = outcome.assumed {
        for mut anomaly in findings.into_shown() {
            let implied = if implied { format!(", as {name} implies") } else { String::new() };
            anomaly.explanation.insert(0, format!("This holds {assumption}{implied}."));
            anomalies.push(anomaly);
        }
    }
    Ok(Check {
        reason,
        anomalies,
        broken: broken.weakest().map(|level| level.name().to_owned()).collect(),
        measurements,
        ..Check::new(name, verdict, summary)
    })
}

fn keeps(level: Level) -> &'static str {
    match level {
        Level::StrictSerializable => "which keeps the order of real time",
        _ => "which keeps the order of each process",
    }
}
