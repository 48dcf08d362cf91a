//! Which candidates are tried, in the order of what they save.

use std::time::Duration;

use super::ddmin::ddmin;
use crate::nemesis::plan::{LEAD_IN, MARGIN};
use crate::scenario::{Scenario, Step};

/// Who says whether a scenario fails.
pub(super) trait Oracle {
    /// Does it fail? No, too, if there is no time left to find out.
    fn fails(&mut self, what: &str, candidate: &Scenario) -> bool;
}

/// Values that are tried in place of a larger one, smallest first.
const NODES: [i64; 2] = [1, 3];
const KEYS: [i64; 2] = [1, 2];
/// Rates below this see little of anything.
const RATE_MIN: f64 = 20.0;
/// Faults shorter than this hardly act.
const LENGTH_MIN: Duration = Duration::from_secs(1);
/// What operations need besides the time of the faults.
const TIME_MIN: Duration = Duration::from_secs(8);

/// The smallest scenario that was found to fail. `failed_at` is when the failure was complete, if that is known.
pub(super) fn minimise(
    start: Scenario,
    failed_at: Option<Duration>,
    oracle: &mut dyn Oracle,
) -> Scenario {
    let mut best = start;
    for step in &mut best.steps {
        // Milliseconds are finer than any fault acts, and people read them.
        (step.at, step.length) = (whole_milliseconds(step.at), whole_milliseconds(step.length));
    }
    if let Some(failed_at) = failed_at {
        let before: Vec<Step> =
            best.steps.iter().filter(|step| step.at <= failed_at).cloned().collect();
        let limit = (failed_at + MARGIN).max(end(&before));
        try_it(&mut best, oracle, "nothing after the failure", |candidate| {
            candidate.steps.clone_from(&before);
            set_limit(candidate, limit);
        });
    }
    let needed = ddmin(best.steps.clone(), |steps| {
        let what = format!("{} of {} steps", steps.len(), best.steps.len());
        oracle.fails(&what, &with_steps(&best, steps))
    });
    best = with_steps(&best, &needed);
    try_it(&mut best, oracle, "steps one after the other, from the start", closed_up);
    shorter(&mut best, oracle);
    for nodes in NODES {
        try_number(&mut best, oracle, "nodes", nodes);
    }
    for keys in KEYS {
        try_number(&mut best, oracle, "keys", keys);
    }
    while let Some(rate) = best.options.number("rate").filter(|&rate| rate / 2.0 >= RATE_MIN) {
        let what = format!("rate {}", rate / 2.0);
        if !try_it(&mut best, oracle, &what, |candidate| candidate.options.set("rate", rate / 2.0))
        {
            break;
        }
    }
    best
}

/// Keeps the change if it fails still.
fn try_it(
    best: &mut Scenario,
    oracle: &mut dyn Oracle,
    what: &str,
    change: impl FnOnce(&mut Scenario),
) -> bool {
    let mut candidate = best.clone();
    change(&mut candidate);
    let kept = candidate != *best && oracle.fails(what, &candidate);
    if kept {
        *best = candidate;
    }
    kept
}

/// Fewer nodes or keys; the clients become as few as they need, if their number was given.
fn try_number(best: &mut Scenario, oracle: &mut dyn Oracle, name: &str, number: i64) {
    let now = best.options.number(name);
    if now.is_none_or(|now| now <= number as f64) {
        return;
    }
    try_it(best, oracle, &format!("{name} {number}"), |candidate| {
        candidate.options.set(name, number);
        candidate.options.unset("concurrency");
    });
}

/// With these of its steps only. What goes on for long after the last one is left out, since the time
/// that a candidate takes decides how many can be tried.
fn with_steps(scenario: &Scenario, steps: &[Step]) -> Scenario {
    let mut candidate = scenario.clone();
    if steps.len() < scenario.steps.len() {
        candidate.steps = steps.to_vec();
        set_limit(&mut candidate, (end(steps) + 2 * MARGIN).max(TIME_MIN));
    }
    candidate
}

/// The same steps without the waits between them that are longer than needed.
fn closed_up(candidate: &mut Scenario) {
    const WAIT: Duration = Duration::from_secs(3);
    let mut shift = Duration::ZERO;
    let mut busy_until = LEAD_IN.saturating_sub(WAIT);
    for step in &mut candidate.steps {
        let at = step.at.saturating_sub(shift);
        let wanted = at.min(busy_until + WAIT);
        shift += at.saturating_sub(wanted);
        step.at = wanted;
        busy_until = busy_until.max(step.end());
    }
    set_limit(candidate, (end(&candidate.steps) + MARGIN).max(TIME_MIN));
}

/// Half as long a fault, again and again, one after the other.
fn shorter(best: &mut Scenario, oracle: &mut dyn Oracle) {
    for position in 0..best.steps.len() {
        while best.steps[position].length / 2 >= LENGTH_MIN {
            let what = format!("step {} half as long", position + 1);
            let kept = try_it(best, oracle, &what, |candidate| {
                let step = &mut candidate.steps[position];
                step.length = whole_milliseconds(step.length / 2);
            });
            if !kept {
                break;
            }
        }
    }
    try_it(best, oracle, "no waits", closed_up);
}

fn end(steps: &[Step]) -> Duration {
    steps.iter().map(Step::end).max().unwrap_or_default()
}

fn whole_milliseconds(duration: Duration) -> Duration {
    Duration::from_millis(duration.as_millis() as u64)
}

/// Never longer than it was.
fn set_limit(candidate: &mut Scenario, limit: Duration) {
    let now = candidate.options.get("time-limit");
    let now = now.and_then(|text| humantime::parse_duration(&text).ok()).unwrap_or(Duration::MAX);
    // Whole seconds, which people read.
    let limit = Duration::from_secs(limit.as_secs_f64().ceil() as u64).min(now);
    candidate.options.set("time-limit", humantime::format_duration(limit).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Options, StepSeed};

    /// Fails if all of these kinds are there, and there are three nodes at least.
    struct Needs {
        kinds: Vec<&'static str>,
        asked: Vec<String>,
    }

    impl Oracle for Needs {
        fn fails(&mut self, what: &str, candidate: &Scenario) -> bool {
            self.asked.push(what.to_owned());
            let has = |kind: &&str| candidate.steps.iter().any(|step| step.fault == *kind);
            self.kinds.iter().all(has) && candidate.options.number("nodes") >= Some(3.0)
        }
    }

    fn scenario() -> Scenario {
        let mut options = Options::default();
        for (name, value) in [("nodes", 5), ("keys", 3), ("concurrency", 15), ("rate", 250)] {
            options.set(name, value);
        }
        options.set("time-limit", "1m");
        let step = |(position, fault): (u64, &str)| Step {
            at: Duration::from_secs(3 + 9 * position),
            length: Duration::from_secs(4),
            fault: fault.to_owned(),
            variant: None,
            seed: Some(StepSeed(position)),
        };
        let kinds = ["kill", "pause", "partition", "kill", "clock", "pause"];
        Scenario::new(String::new(), options, (0..).zip(kinds).map(step).collect())
    }

    #[test]
    fn everything_that_is_not_needed_goes() {
        let mut oracle = Needs { kinds: vec!["partition", "clock"], asked: Vec::new() };
        let smallest = minimise(scenario(), None, &mut oracle);
        let steps: Vec<(u64, u64, &str)> = smallest
            .steps
            .iter()
            .map(|step| (step.at.as_secs(), step.length.as_secs(), step.fault.as_str()))
            .collect();
        assert_eq!(steps, [(3, 1, "partition"), (7, 1, "clock")]);
        let option = |name| smallest.options.get(name).unwrap();
        assert_eq!((option("nodes"), option("keys")), ("3".to_owned(), "1".to_owned()));
        assert_eq!(smallest.options.get("concurrency"), None);
        assert_eq!(option("time-limit"), "13s");
        assert!(smallest.options.number("rate").unwrap() < 40.0);
        // The seeds stay, so that each step does what it did.
        assert_eq!(smallest.steps[0].seed, Some(StepSeed(2)));
    }

    #[test]
    fn what_comes_after_the_failure_goes_first() {
        let mut oracle = Needs { kinds: vec!["kill"], asked: Vec::new() };
        let smallest = minimise(scenario(), Some(Duration::from_secs(10)), &mut oracle);
        assert_eq!(oracle.asked[0], "nothing after the failure");
        assert_eq!(smallest.steps.len(), 1);
    }

    #[test]
    fn nothing_is_changed_where_nothing_fails_again() {
        let mut oracle = Needs { kinds: vec!["earthquake"], asked: Vec::new() };
        assert_eq!(minimise(scenario(), None, &mut oracle), scenario());
    }
}
