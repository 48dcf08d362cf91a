//! Two runs of the same inputs side by side.

use workloads::checker::Verdict;

use crate::nemesis::record::FaultRecord;
use crate::report::results::Results;
use crate::report::terminal::verdict_word;
use crate::report::words;

/// What is known of a run.
pub(super) struct Told<'a> {
    pub(super) results: &'a Results,
    pub(super) faults: &'a [FaultRecord],
}

/// A line for each thing: `what: before -> now`, or that it is the same.
pub(super) fn differences(before: &Told<'_>, now: &Told<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |what: &str, before: String, now: String| {
        lines.push(match before == now {
            true => format!("{what:<14} the same: {now}"),
            false => format!("{what:<14} {before} -> {now}"),
        });
    };
    line("verdict", verdict(before.results), verdict(now.results));
    line("failed checks", failed(before.results), failed(now.results));
    line("faults", faults(before), faults(now));
    line("operations", operations(before.results), operations(now.results));
    line("served", served(before.results), served(now.results));
    line("recovery", recovery(before.results), recovery(now.results));
    for fault in now.faults {
        let earlier = before.faults.iter().find(|earlier| earlier.index == fault.index);
        let described = |fault: &FaultRecord| format!("{}, {:?}", fault.description, fault.outcome);
        match earlier {
            Some(earlier) if described(earlier) == described(fault) => {}
            Some(earlier) => lines.push(format!(
                "fault {:<8} {} -> {}",
                fault.index,
                described(earlier),
                described(fault)
            )),
            None => lines.push(format!("fault {:<8} only now: {}", fault.index, described(fault))),
        }
    }
    lines
}

fn verdict(results: &Results) -> String {
    verdict_word(results.verdict).to_lowercase()
}

fn failed(results: &Results) -> String {
    let invalid = results.checks.iter().filter(|check| check.verdict == Verdict::Invalid);
    let names: Vec<&str> = invalid.map(|check| check.name.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn faults(told: &Told<'_>) -> String {
    let counts = told.results.faults.iter();
    let words: Vec<String> = counts.map(|it| format!("{} {}", it.installed, it.kind)).collect();
    if words.is_empty() { "none".to_owned() } else { words::list(&words) }
}

fn operations(results: &Results) -> String {
    let sum = |of: fn(&crate::report::numbers::FunctionCounts) -> u64| {
        words::count(results.operations.iter().map(of).sum())
    };
    format!("{} ok, {} fail, {} info", sum(|it| it.ok), sum(|it| it.fail), sum(|it| it.info))
}

fn served(results: &Results) -> String {
    let share = results.availability.overall;
    words::share(share.available, share.windows)
}

fn recovery(results: &Results) -> String {
    results.recovery.time.map_or("none".to_owned(), words::duration)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nemesis::record::FaultOutcome;
    use crate::report::{analysis, fixtures};

    #[test]
    fn what_changed_is_told_and_what_did_not_too() {
        let run = fixtures::run(&["kill"]);
        let results = |checks, faults: &[FaultRecord]| {
            analysis::analyze(&run, &fixtures::facts(), &fixtures::steady(), faults, checks)
        };
        let before_faults = [fixtures::fault("kill", FaultOutcome::Installed)];
        let mut now_faults = before_faults.clone();
        now_faults[0].description = "kill: n2".to_owned();
        let before = results(vec![fixtures::invalid_check()], &before_faults);
        let now = results(vec![fixtures::valid_check()], &now_faults);
        let lines = differences(
            &Told { results: &before, faults: &before_faults },
            &Told { results: &now, faults: &now_faults },
        );
        for line in [
            "verdict        invalid -> valid",
            "failed checks  linearizable -> none",
            "faults         the same: 1 kill",
            "fault 0        kill: n1, Installed -> kill: n2, Installed",
        ] {
            assert!(lines.iter().any(|known| known == line), "{line} is not in {lines:#?}");
        }
    }
}
