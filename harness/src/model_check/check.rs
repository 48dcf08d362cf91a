//! Runs stateright on the model and says what it found.

use std::fmt;
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model, Property};

use super::cluster::Cluster;
use super::model::{Action, ClusterModel, ModelOptions};
use super::prefix::Start;

/// When an exploration ends, apart from a finding.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Actions from a starting state.
    pub depth: usize,
    /// States that may be generated, equal ones counted again.
    pub states: usize,
    /// Real time.
    pub time: Duration,
    /// Threads that explore; not a limit, but what the others are spent with.
    pub threads: usize,
}

/// A property that does not hold, and how it is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The property.
    pub property: &'static str,
    /// The state that the actions start from.
    pub start: Start,
    /// The actions that break it. With one thread there is no shorter way.
    pub actions: Vec<String>,
}

/// What an exploration showed.
#[derive(Debug, Clone)]
pub struct ModelCheckReport {
    /// States that were generated, equal ones counted again.
    pub generated: usize,
    /// Distinct states.
    pub states: usize,
    /// The longest path, in states.
    pub depth_max: usize,
    /// How long it took.
    pub elapsed: Duration,
    /// Was everything within the bounds explored?
    pub exhausted: bool,
    /// Broken properties.
    pub findings: Vec<Finding>,
    /// Coverage properties that some state had.
    pub covered: Vec<&'static str>,
    /// Coverage properties that no state had.
    pub uncovered: Vec<&'static str>,
}

/// Explores the model breadth first.
pub fn model_check(options: &ModelOptions, limits: Limits) -> ModelCheckReport {
    let start = Instant::now();
    let properties: Vec<Property<ClusterModel>> = ClusterModel::new(options.clone()).properties();
    let checker = ClusterModel::new(options.clone())
        .checker()
        .threads(limits.threads)
        .target_max_depth(limits.depth)
        .target_state_count(limits.states)
        .timeout(limits.time)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let elapsed = start.elapsed();
    let discoveries = checker.discoveries();
    let discoveries_are_harmless = properties
        .iter()
        .filter(|property| property.expectation.discovery_is_failure())
        .all(|property| !discoveries.contains_key(property.name));
    let mut report = ModelCheckReport {
        generated: checker.state_count(),
        states: checker.unique_state_count(),
        depth_max: checker.max_depth(),
        elapsed,
        exhausted: discoveries_are_harmless
            && checker.max_depth() < limits.depth
            && checker.state_count() < limits.states
            && elapsed < limits.time,
        findings: Vec::new(),
        covered: Vec::new(),
        uncovered: Vec::new(),
    };
    for property in properties {
        let discovery = discoveries.get(property.name);
        match (property.expectation.discovery_is_failure(), discovery) {
            (true, None) => {}
            (true, Some(path)) => {
                let steps: Vec<(Cluster, Option<Action>)> = path.clone().into_vec();
                let start = steps.first().map_or(Start::Fresh, |(state, _)| state.start);
                let actions = steps
                    .into_iter()
                    .filter_map(|(state, action)| Some(state.describe(action?)))
                    .collect();
                report.findings.push(Finding { property: property.name, start, actions });
            }
            (false, Some(_)) => report.covered.push(property.name),
            (false, None) => report.uncovered.push(property.name),
        }
    }
    report
}

impl fmt::Display for ModelCheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "states:    {} distinct, {} generated", self.states, self.generated)?;
        writeln!(f, "depth:     {}", self.depth_max)?;
        writeln!(f, "time:      {:.1} s", self.elapsed.as_secs_f64())?;
        let end = if self.exhausted { "everything within the bounds" } else { "a limit was hit" };
        writeln!(f, "explored:  {end}")?;
        for name in &self.covered {
            writeln!(f, "seen:      {name}")?;
        }
        for name in &self.uncovered {
            writeln!(f, "not seen:  {name}")?;
        }
        for finding in &self.findings {
            writeln!(f, "broken:    {}, from {:?}", finding.property, finding.start)?;
            for action in &finding.actions {
                writeln!(f, "           {action}")?;
            }
        }
        match self.findings.is_empty() {
            true => writeln!(f, "verdict:   valid within the bounds"),
            false => writeln!(f, "verdict:   invalid"),
        }
    }
}
