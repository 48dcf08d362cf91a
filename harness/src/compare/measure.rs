//! What is compared: each measure is a function of what was seen and how often it was drawn.

use std::collections::BTreeSet;

use super::bootstrap::Weights;
use super::sample::{Group, Sample, Stretch};
use crate::report::numbers::LatencyScope;
use crate::report::words;

/// A quantile of fewer operations than this beyond it is noise.
const BEYOND_MIN: f64 = 5.0;

/// One thing that can be measured in a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    /// Operations that took effect per second.
    Throughput,
    /// Share of operations without a known outcome.
    Unanswered,
    /// A quantile of latency in thousandths, in a scope.
    Latency(LatencyScope, u16),
    /// Share of windows with a success, in a scope.
    Availability(LatencyScope),
    /// The longest time without a success, mean over runs.
    LongestGap,
    /// From the heal of a fault until all nodes served, mean; of one kind, or of any.
    Recovery(Option<String>),
}

/// What a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds; less is better.
    Nanoseconds,
    /// Operations per second; more is better.
    PerSecond,
    /// A share from 0 to 1, of time that was served; more is better.
    Served,
    /// A share from 0 to 1, of operations that were lost; less is better.
    Lost,
}

impl Unit {
    pub(super) fn more_is_better(self) -> bool {
        match self {
            Unit::PerSecond | Unit::Served => true,
            Unit::Nanoseconds | Unit::Lost => false,
        }
    }

    /// Shares are compared by their difference, everything else by its ratio.
    pub(super) fn is_share(self) -> bool {
        match self {
            Unit::Served | Unit::Lost => true,
            Unit::Nanoseconds | Unit::PerSecond => false,
        }
    }

    /// For people.
    pub(super) fn text(self, value: f64) -> String {
        match self {
            Unit::Nanoseconds => words::duration(value.max(0.0) as u64),
            Unit::PerSecond => format!("{value:.1}/s"),
            Unit::Served | Unit::Lost => format!("{:.2} %", value * 100.0),
        }
    }
}

impl Measure {
    pub(super) fn unit(&self) -> Unit {
        match self {
            Measure::Throughput => Unit::PerSecond,
            Measure::Unanswered => Unit::Lost,
            Measure::Availability(_) => Unit::Served,
            Measure::Latency(..) | Measure::LongestGap | Measure::Recovery(_) => Unit::Nanoseconds,
        }
    }

    /// `latency p99, no fault`
    pub(super) fn name(&self) -> String {
        match self {
            Measure::Throughput => "throughput".to_owned(),
            Measure::Unanswered => "operations without an answer".to_owned(),
            Measure::Latency(scope, thousandths) => {
                let percent = f64::from(*thousandths) / 10.0;
                format!("latency p{percent}, {}", scope_words(scope))
            }
            Measure::Availability(scope) => format!("availability, {}", scope_words(scope)),
            Measure::LongestGap => "longest time without a success".to_owned(),
            Measure::Recovery(None) => "recovery after a fault".to_owned(),
            Measure::Recovery(Some(kind)) => format!("recovery after {kind}"),
        }
    }

    /// How many units each run has that can be drawn.
    pub(super) fn units(&self, group: &Group) -> Vec<usize> {
        let of_run = |run: &Sample| match self {
            Measure::Throughput
            | Measure::Unanswered
            | Measure::Latency(..)
            | Measure::Availability(_) => run.stretches.len(),
            Measure::LongestGap => 1,
            Measure::Recovery(_) => run.recoveries.len(),
        };
        group.runs.iter().map(of_run).collect()
    }

    /// What all measures have that either group shows.
    pub(super) fn of_groups(groups: [&Group; 2]) -> BTreeSet<Measure> {
        let mut measures =
            BTreeSet::from([Measure::Throughput, Measure::Unanswered, Measure::LongestGap]);
        for run in groups.iter().flat_map(|group| &group.runs) {
            for stretch in &run.stretches {
                for scope in stretch.latencies.keys() {
                    measures
                        .extend([500, 900, 990, 999].map(|it| Measure::Latency(scope.clone(), it)));
                }
                measures.extend(stretch.served.keys().cloned().map(Measure::Availability));
            }
            if !run.recoveries.is_empty() {
                measures.insert(Measure::Recovery(None));
            }
            let kinds = run.recoveries.iter().map(|(kind, _)| Some(kind.clone()));
            measures.extend(kinds.map(Measure::Recovery));
        }
        // With one kind of fault, what is said of any fault would be said twice.
        let kinds: BTreeSet<&String> = measures
            .iter()
            .filter_map(|measure| match measure {
                Measure::Latency(LatencyScope::Fault(kind), _) => Some(kind),
                _ => None,
            })
            .collect();
        let single = kinds.len() == 1;
        measures.retain(|measure| match measure {
            Measure::Latency(LatencyScope::UnderFault, _) | Measure::Recovery(None) => !single,
            _ => true,
        });
        measures
    }
}

pub(super) fn scope_words(scope: &LatencyScope) -> String {
    match scope {
        LatencyScope::All => "whole run".to_owned(),
        LatencyScope::Quiet => "no fault".to_owned(),
        LatencyScope::UnderFault => "any fault".to_owned(),
        LatencyScope::Fault(kind) => format!("under {kind}"),
    }
}

/// A measure of a group, ready to be computed many times.
pub(super) enum Prepared {
    /// Numerator and denominator of each unit of each run.
    Ratio(Vec<Vec<(f64, f64)>>),
    /// Latencies, ascending, each with its run and stretch.
    Quantile {
        /// From 0 to 1.
        share: f64,
        /// Latency, run, stretch.
        sorted: Vec<(u64, u32, u32)>,
    },
}

impl Prepared {
    pub(super) fn new(measure: &Measure, group: &Group) -> Prepared {
        let of_stretches = |pair: &dyn Fn(&Stretch) -> (f64, f64)| {
            let of_run = |run: &Sample| run.stretches.iter().map(pair).collect();
            Prepared::Ratio(group.runs.iter().map(of_run).collect())
        };
        match measure {
            Measure::Throughput => {
                of_stretches(&|stretch| (stretch.ok as f64, stretch.length as f64 / 1e9))
            }
            Measure::Unanswered => {
                of_stretches(&|stretch| (stretch.info as f64, stretch.invoked as f64))
            }
            Measure::Availability(scope) => of_stretches(&|stretch| {
                let (served, all) = stretch.served.get(scope).copied().unwrap_or_default();
                (served as f64, all as f64)
            }),
            Measure::LongestGap => Prepared::Ratio(
                group.runs.iter().map(|run| vec![(run.longest_gap as f64, 1.0)]).collect(),
            ),
            Measure::Recovery(wanted) => {
                let of_run = |run: &Sample| {
                    let of_fault = |(kind, time): &(String, u64)| match wanted
                        .as_ref()
                        .is_none_or(|wanted| wanted == kind)
                    {
                        true => (*time as f64, 1.0),
                        false => (0.0, 0.0),
                    };
                    run.recoveries.iter().map(of_fault).collect()
                };
                Prepared::Ratio(group.runs.iter().map(of_run).collect())
            }
            Measure::Latency(scope, thousandths) => {
                let share = f64::from(*thousandths) / 1000.0;
                Prepared::Quantile { share, sorted: sorted(group, scope) }
            }
        }
    }

    /// Steps that one computation takes.
    pub(super) fn cost(&self) -> usize {
        match self {
            Prepared::Ratio(units) => units.iter().map(Vec::len).sum(),
            Prepared::Quantile { sorted, .. } => sorted.len(),
        }
    }

    /// The number, with units drawn so often. None if nothing of the kind was drawn, or too little.
    pub(super) fn value(&self, weights: &Weights) -> Option<f64> {
        match self {
            Prepared::Ratio(units) => {
                let (mut above, mut below) = (0.0, 0.0);
                for (units, weights) in units.iter().zip(weights) {
                    for (&(numerator, denominator), &times) in units.iter().zip(weights) {
                        above += numerator * f64::from(times);
                        below += denominator * f64::from(times);
                    }
                }
                (below > 0.0).then(|| above / below)
            }
            Prepared::Quantile { share, sorted } => {
                let times = |&(_, run, stretch): &(u64, u32, u32)| {
                    u64::from(weights[run as usize][stretch as usize])
                };
                let total: u64 = sorted.iter().map(times).sum();
                if (total as f64) * (1.0 - share) < BEYOND_MIN {
                    return None;
                }
                let wanted = (total as f64 * share).ceil() as u64;
                let mut passed = 0;
                sorted.iter().find_map(|sample| {
                    passed += times(sample);
                    (passed >= wanted).then_some(sample.0 as f64)
                })
            }
        }
    }
}

fn sorted(group: &Group, scope: &LatencyScope) -> Vec<(u64, u32, u32)> {
    let mut sorted = Vec::new();
    for (run, sample) in (0..).zip(&group.runs) {
        for (position, stretch) in (0..).zip(&sample.stretches) {
            let latencies = stretch.latencies.get(scope).into_iter().flatten();
            sorted.extend(latencies.map(|&latency| (latency, run, position)));
        }
    }
    sorted.sort_unstable();
    sorted
}
