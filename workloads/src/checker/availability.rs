//! How available a system was: shares of operations that succeeded, and how long nothing did.
//!
//! These are measurements; no history is invalid for them.

use super::findings::measured;
use crate::checker::{Budget, Check, CheckOptions, Verdict};
use crate::history::{Float, Operation, Outcome, Value};
use crate::model::UnsuitableOperation;
use crate::moments::duration;

/// Windows of the check in the table.
const WINDOW: u64 = 1_000_000_000;

/// What happened to the operations that began in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Operations that took effect.
    pub ok: u64,
    /// Operations that failed.
    pub fail: u64,
    /// Operations of unknown outcome.
    pub info: u64,
}

impl Window {
    /// The share of operations that took effect; none if there were none.
    pub fn share(&self) -> Option<f64> {
        let total = self.ok + self.fail + self.info;
        (total > 0).then(|| self.ok as f64 / total as f64)
    }
}

/// A stretch of time in which operations ran and none succeeded, nanoseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When the last operation before succeeded, or the first one began.
    pub from: u64,
    /// When the next one succeeded, or the last operation of the history ended.
    pub to: u64,
}

impl Outage {
    /// How long, nanoseconds.
    pub fn length(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

/// How available a system was over a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// Length of a window, nanoseconds.
    pub window: u64,
    /// By when operations began, from 0 on.
    pub windows: Vec<Window>,
    /// All operations.
    pub all: Window,
    /// The longest stretch without a success, if there were operations.
    pub longest_outage: Option<Outage>,
}

/// Measures a history in windows of so many nanoseconds.
pub fn availability(operations: &[Operation], window: u64) -> Availability {
    let window = window.max(1);
    let mut windows: Vec<Window> = Vec::new();
    let mut all = Window::default();
    for operation in operations {
        let number = usize::try_from(operation.invoke_time / window).unwrap_or(usize::MAX);
        // A history with times that make no sense must not take all memory.
        let number = number.min(WINDOWS_MAX - 1);
        if windows.len() <= number {
            windows.resize(number + 1, Window::default());
        }
        for window in [&mut windows[number], &mut all] {
            match operation.outcome {
                Outcome::Ok => window.ok += 1,
                Outcome::Fail => window.fail += 1,
                Outcome::Info => window.info += 1,
            }
        }
    }
    Availability { window, windows, all, longest_outage: longest_outage(operations) }
}

/// Windows that are kept; later operations count in the last.
const WINDOWS_MAX: usize = 1 << 20;

fn longest_outage(operations: &[Operation]) -> Option<Outage> {
    let from = operations.iter().map(|it| it.invoke_time).min()?;
    let ends = operations.iter().map(|it| it.complete_time.unwrap_or(it.invoke_time));
    let to = ends.max()?;
    let mut successes: Vec<u64> = operations
        .iter()
        .filter(|it| it.outcome == Outcome::Ok)
        .filter_map(|it| it.complete_time)
        .collect();
    successes.sort_unstable();
    successes.insert(0, from);
    successes.push(to);
    let outages = successes.windows(2).map(|pair| Outage { from: pair[0], to: pair[1] });
    // The first of the longest.
    outages.rev().max_by_key(Outage::length)
}

/// How long after `moment` (nanoseconds since the run began) every node had answered again, and none
/// where one never did. Nodes are those that operations were sent to.
pub fn recovery(operations: &[Operation], moment: u64) -> Option<u64> {
    let mut first: std::collections::BTreeMap<Option<&str>, Option<u64>> =
        std::collections::BTreeMap::new();
    for operation in operations {
        let entry = first.entry(operation.node.as_deref()).or_default();
        let success = operation.complete_time.filter(|&completed| {
            operation.outcome == Outcome::Ok
                && operation.invoke_time >= moment
                && completed >= moment
        });
        if let Some(success) = success {
            *entry = Some(entry.map_or(success, |it| it.min(success)));
        }
    }
    let mut slowest = None;
    for success in first.into_values() {
        slowest = slowest.max(Some(success? - moment));
    }
    slowest
}

/// [`availability`] as a check of the table: always valid.
pub(super) fn check(
    operations: &[Operation],
    _options: &CheckOptions,
    _budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let measure = availability(operations, WINDOW);
    let share = |share: f64| Value::Float(Float(share));
    let mut measurements = vec![
        measured("ok", measure.all.ok),
        measured("fail", measure.all.fail),
        measured("info", measure.all.info),
    ];
    if let Some(all) = measure.all.share() {
        measurements.push(measured("share that succeeded", share(all)));
    }
    let worst = measure.windows.iter().filter_map(Window::share).min_by(f64::total_cmp);
    if let Some(worst) = worst {
        measurements.push(measured("share that succeeded in the worst second", share(worst)));
    }
    let outage = measure.longest_outage;
    if let Some(outage) = outage {
        let millis = |nanoseconds: u64| Value::Float(Float(nanoseconds as f64 / 1e6));
        measurements.push(measured("longest outage, ms", millis(outage.length())));
        measurements.push(measured("longest outage from, ms", millis(outage.from)));
    }
    let summary = format!(
        "{} of {} operations succeeded; the longest time without a success was {}",
        measure.all.ok,
        operations.len(),
        duration(outage.map_or(0, |it| it.length()))
    );
    Ok(Check { measurements, ..Check::new("availability", Verdict::Valid, summary) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::script::script;

    #[test]
    fn operations_count_where_they_began() {
        // Events are 1 ms apart: operations begin at 0, 2, 4 and 6 ms.
        let history = script("0 read -> 1 ; 0 read -> 1 ! ; 0 read -> 1 ; 0 read -> 1 ?");
        let measure = availability(&history, 4_000_000);
        assert_eq!(
            measure.windows,
            [Window { ok: 1, fail: 1, info: 0 }, Window { ok: 1, fail: 0, info: 1 }]
        );
        assert_eq!(measure.all.share(), Some(0.5));
    }

    #[test]
    fn the_longest_outage_is_between_two_successes() {
        let history =
            script("0 read -> 1 ; 0 read -> 1 ! ; 0 read -> 1 ! ; 0 read -> 1 ; 0 read -> 1");
        let outage = availability(&history, WINDOW).longest_outage.unwrap();
        assert_eq!(outage, Outage { from: 1_000_000, to: 7_000_000 });
    }

    #[test]
    fn an_outage_may_last_to_the_end() {
        let history = script("0 read -> 1 ; 0 read -> 1 ! ; 0 read -> 1 !");
        let outage = availability(&history, WINDOW).longest_outage.unwrap();
        assert_eq!(outage, Outage { from: 1_000_000, to: 5_000_000 });
        assert_eq!(availability(&[], WINDOW).longest_outage, None);
    }

    #[test]
    fn all_nodes_must_answer_again() {
        let mut history = script("0 read -> 1 ; 1 read -> 1 ; 0 read -> 1 ; 1 read -> 1");
        for operation in &mut history {
            operation.node = Some(format!("n{}", operation.process).into());
        }
        assert_eq!(recovery(&history, 2_000_000), Some(3_000_000));
        assert_eq!(recovery(&history, 5_000_000), None);
    }
}
