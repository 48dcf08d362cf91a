//! All measures of two groups side by side.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::bootstrap::{self, CONFIDENCE, Estimate};
use super::measure::{Measure, Prepared, Unit};
use super::sample::{Group, STRETCH, Sample};
use crate::report::terminal::verdict_word;

/// Version of what `--json` prints.
const FORMAT: u32 = 1;
/// Repetitions of each measure, if there is little data.
const REPETITIONS_MAX: usize = 4_000;
/// Fewer say nothing about what one of many measures shows by chance.
const REPETITIONS_MIN: usize = 1_000;
/// Steps spent on a measure.
const STEPS_MAX: usize = 60_000_000;

/// Two groups of runs side by side.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Version of this form.
    pub format: u32,
    /// What B is compared to.
    pub a: Side,
    /// What is compared.
    pub b: Side,
    /// Options that are not the same on both sides, in words.
    pub unlike: Vec<String>,
    /// Every measure.
    pub rows: Vec<Row>,
    /// How the intervals were made, in words.
    pub method: String,
}

/// One of the groups.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// As given.
    pub name: String,
    /// Names of the runs.
    pub runs: Vec<String>,
    /// How many of them ended with each verdict.
    pub verdicts: BTreeMap<String, usize>,
    /// Operations that were started.
    pub operations: u64,
}

/// One measure.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// For people: `latency p99, no fault`.
    pub name: String,
    /// What the numbers mean.
    pub unit: Unit,
    /// In A; none if A has nothing, or too little, of it.
    pub a: Option<Estimate>,
    /// In B.
    pub b: Option<Estimate>,
    /// B / A, or B - A for shares.
    pub change: Option<Estimate>,
    /// How often chance alone makes such a change, 0 to 1.
    pub chance: Option<f64>,
    /// What the change says, as one of many.
    pub difference: Difference,
}

/// What a change says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Difference {
    /// B is better, beyond what chance does to so many measures.
    Better,
    /// B is worse, likewise.
    Worse,
    /// Nothing beyond that.
    NotSeen,
    /// One of the sides has too little to say.
    NotMeasured,
}

impl Difference {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Difference::Better => "B is better",
            Difference::Worse => "B is worse",
            Difference::NotSeen => "no difference seen",
            Difference::NotMeasured => "not measured",
        }
    }

    /// A sign of its own for each, for those who see no colours.
    pub fn sign(self) -> &'static str {
        match self {
            Difference::Better => "▲",
            Difference::Worse => "▼",
            Difference::NotSeen => "=",
            Difference::NotMeasured => "–",
        }
    }
}

/// Compares B to A.
pub fn compare_groups(a: &Group, b: &Group) -> Comparison {
    let mut rows: Vec<Row> =
        Measure::of_groups([a, b]).iter().map(|measure| row(measure, a, b)).collect();
    let chances: Vec<f64> = rows.iter().filter_map(|row| row.chance).collect();
    let measured = rows.iter_mut().filter(|row| row.chance.is_some());
    for (row, is_seen) in measured.zip(bootstrap::discoveries(&chances, 1.0 - CONFIDENCE)) {
        if !is_seen {
            row.difference = Difference::NotSeen;
        }
    }
    Comparison {
        format: FORMAT,
        a: side(a),
        b: side(b),
        unlike: unlike(a, b),
        rows,
        method: method(a, b),
    }
}

fn side(group: &Group) -> Side {
    let mut verdicts = BTreeMap::new();
    for run in &group.runs {
        let word = run.verdict.map_or("not judged", verdict_word).to_lowercase();
        *verdicts.entry(word).or_insert(0) += 1;
    }
    let stretches = group.runs.iter().flat_map(|run| &run.stretches);
    Side {
        name: group.name.clone(),
        runs: group.runs.iter().map(|run| run.run.clone()).collect(),
        verdicts,
        operations: stretches.map(|stretch| stretch.invoked).sum(),
    }
}

/// `rate: 250 in A, 500 in B`
fn unlike(a: &Group, b: &Group) -> Vec<String> {
    let values = |group: &Group, name: &str| -> Vec<String> {
        let of_run = |run: &Sample| run.options.get(name).cloned();
        let values: BTreeSet<String> =
            group.runs.iter().map(of_run).map(|it| it.unwrap_or("none".to_owned())).collect();
        values.into_iter().collect()
    };
    let runs = a.runs.iter().chain(&b.runs);
    let names: BTreeSet<&String> = runs.flat_map(|run| run.options.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let (in_a, in_b) = (values(a, name), values(b, name));
            let said = |values: Vec<String>| values.join(" and ");
            (in_a != in_b).then(|| format!("{name}: {} in A, {} in B", said(in_a), said(in_b)))
        })
        .collect()
}

fn row(measure: &Measure, a: &Group, b: &Group) -> Row {
    let unit = measure.unit();
    let sides = [(a, 0), (b, 1)].map(|(group, side)| {
        let prepared = Prepared::new(measure, group);
        let units = measure.units(group);
        let seen = prepared.value(&bootstrap::as_seen(&units));
        let repetitions =
            (STEPS_MAX / prepared.cost().max(1)).clamp(REPETITIONS_MIN, REPETITIONS_MAX);
        let drawn: Vec<Option<f64>> = bootstrap::draws(&units, repetitions, side)
            .iter()
            .map(|weights| prepared.value(weights))
            .collect();
        // One number, such as the longest gap of a single run, does not say how it varies.
        let varies = units.iter().sum::<usize>() > 1;
        (seen, drawn, varies)
    });
    let estimate = |side: usize| {
        let (seen, drawn, _) = &sides[side];
        bootstrap::interval((*seen)?, drawn.iter().copied())
    };
    let pairs = sides[0].1.iter().zip(&sides[1].1);
    let changes = || pairs.clone().map(|(a, b)| changed(unit, (*a)?, (*b)?));
    let change = sides[0].0.zip(sides[1].0).and_then(|(in_a, in_b)| {
        bootstrap::interval(changed(unit, in_a, in_b)?, changes())
            .filter(|_| sides[0].2 && sides[1].2)
    });
    let chance = change.map(|_| bootstrap::chance(unchanged(unit), changes()));
    let difference = change.map_or(Difference::NotMeasured, |change| difference(unit, change));
    Row { name: measure.name(), unit, a: estimate(0), b: estimate(1), change, chance, difference }
}

/// What [`changed`] says of two equal numbers.
fn unchanged(unit: Unit) -> f64 {
    if unit.is_share() { 0.0 } else { 1.0 }
}

/// A share changes by a difference, everything else by a factor.
fn changed(unit: Unit, a: f64, b: f64) -> Option<f64> {
    match unit.is_share() {
        true => Some(b - a),
        false => (a > 0.0).then(|| b / a),
    }
}

fn difference(unit: Unit, change: Estimate) -> Difference {
    let none = unchanged(unit);
    let (more, less) = match unit.more_is_better() {
        true => (Difference::Better, Difference::Worse),
        false => (Difference::Worse, Difference::Better),
    };
    match change {
        Estimate { low, .. } if low > none => more,
        Estimate { high, .. } if high < none => less,
        _ => Difference::NotSeen,
    }
}

fn method(a: &Group, b: &Group) -> String {
    let runs = match (a.runs.len(), b.runs.len()) {
        (1, _) | (_, 1) => {
            "One run on a side only shows how that run varies in itself: before a change is judged by \
             it, make several runs of each, in turn, and compare the folders."
        }
        _ => "Runs are drawn first, and then the stretches of each.",
    };
    format!(
        "Intervals hold the middle {:.0} % of up to {REPETITIONS_MAX} repetitions in which stretches \
         of {} s are drawn again with replacement (bootstrap). {runs} With so many measures \
         some intervals miss \"no change\" by chance: a difference is named only if, of all that \
         are named, no more than {:.0} % are expected to be chance (Benjamini and Hochberg 1995).",
        CONFIDENCE * 100.0,
        STRETCH / 1_000_000_000,
        (1.0 - CONFIDENCE) * 100.0
    )
}

/// How many runs ended with each verdict: `2 valid, 1 invalid`.
pub(super) fn verdicts(side: &Side) -> String {
    let counts: Vec<String> =
        side.verdicts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    counts.join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use workloads::checker::Verdict;

    use super::super::sample::Stretch;
    use super::*;
    use crate::report::numbers::LatencyScope;

    /// A run of 20 stretches; latencies around `ms`, with some spread.
    pub(crate) fn run(name: &str, ms: u64, rate: &str) -> Sample {
        let stretch = |position: u64| {
            let latencies: Vec<u64> = (0..200)
                .map(|it| (ms * 1_000_000) * (80 + (it * 7 + position) % 41) / 100)
                .collect();
            Stretch {
                length: STRETCH,
                ok: 200,
                invoked: 201,
                info: 1,
                latencies: BTreeMap::from([(LatencyScope::All, latencies)]),
                served: BTreeMap::from([(LatencyScope::All, (49 + position % 2, 50))]),
            }
        };
        Sample {
            run: name.to_owned(),
            options: BTreeMap::from([("rate".to_owned(), rate.to_owned())]),
            verdict: Some(Verdict::Valid),
            stretches: (0..20).map(stretch).collect(),
            recoveries: vec![
                ("kill".to_owned(), ms * 10_000_000),
                ("kill".to_owned(), ms * 11_000_000),
            ],
            longest_gap: 1_000_000_000,
        }
    }

    pub(crate) fn group(name: &str, ms: &[u64], rate: &str) -> Group {
        Group { name: name.to_owned(), runs: ms.iter().map(|&ms| run(name, ms, rate)).collect() }
    }

    fn found(comparison: &Comparison, name: &str) -> Difference {
        comparison.rows.iter().find(|row| row.name == name).unwrap().difference
    }

    #[test]
    fn twice_the_latency_is_seen_and_the_same_is_not() {
        let (a, b) = (group("a", &[10, 11, 10], "250"), group("b", &[20, 21, 22], "250"));
        let worse = compare_groups(&a, &b);
        assert_eq!(found(&worse, "latency p50, whole run"), Difference::Worse);
        assert_eq!(found(&worse, "recovery after kill"), Difference::Worse);
        assert_eq!(found(&worse, "throughput"), Difference::NotSeen);
        let better = compare_groups(&b, &a);
        assert_eq!(found(&better, "latency p99, whole run"), Difference::Better);
        let same = compare_groups(&a, &group("c", &[10, 11, 10], "250"));
        assert!(same.rows.iter().all(|row| row.difference != Difference::Worse), "{same:?}");
        assert!(same.unlike.is_empty());
    }

    #[test]
    fn options_that_differ_are_told() {
        let comparison = compare_groups(&group("a", &[10], "250"), &group("b", &[10], "500"));
        assert_eq!(comparison.unlike, ["rate: 250 in A, 500 in B"]);
        assert!(comparison.method.contains("several runs of each"));
    }

    #[test]
    fn a_tail_of_a_few_operations_is_not_measured() {
        let mut few = group("a", &[10], "250");
        for stretch in &mut few.runs[0].stretches {
            stretch.latencies.values_mut().for_each(|latencies| latencies.truncate(3));
        }
        let comparison = compare_groups(&few, &group("b", &[10], "250"));
        assert_eq!(found(&comparison, "latency p99, whole run"), Difference::NotMeasured);
        assert_ne!(found(&comparison, "latency p50, whole run"), Difference::NotMeasured);
        // One run on each side has one longest gap.
        assert_eq!(found(&comparison, "longest time without a success"), Difference::NotMeasured);
    }
}
