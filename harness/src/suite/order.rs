//! Which case comes next. Pure.
//!
//! Time is spent where it finds most: what failed lately comes first, then what was never run
//! (because it is new, or was changed), then what was not run for longest.

use std::collections::BTreeMap;

use super::record::{Case, Record};
use crate::exit_code;

/// Nights that count as lately.
const LATELY: usize = 5;

/// The positions of cases in the order in which they should be run; `nights` are earlier records,
/// newest first.
pub(super) fn order(cases: &[Case], nights: &[Record]) -> Vec<usize> {
    let mut last_run: BTreeMap<&str, &str> = BTreeMap::new();
    let mut failed: BTreeMap<&str, usize> = BTreeMap::new();
    for (age, night) in nights.iter().enumerate() {
        for run in &night.runs {
            let unchanged = |case: &&Case| case.id == run.case && cases.contains(case);
            if night.cases.iter().find(unchanged).is_none() {
                continue;
            }
            let newest = last_run.entry(&run.case).or_default();
            *newest = (*newest).max(&run.started);
            if age < LATELY && run.exit_code != exit_code::VALID {
                failed
                    .entry(&run.case)
                    .and_modify(|oldest| *oldest = age.min(*oldest))
                    .or_insert(age);
            }
        }
    }
    let mut positions: Vec<usize> = (0..cases.len()).collect();
    positions.sort_by_key(|&position| {
        let id = cases[position].id.as_str();
        let failed = failed.get(id).copied().unwrap_or(usize::MAX);
        (failed, last_run.get(id).copied().unwrap_or_default(), position)
    });
    positions
}

#[cfg(test)]
mod tests {
    use super::super::record::fixtures::{case, record, run};
    use super::*;
    use crate::suite::record::RunRecord;

    #[test]
    fn failures_then_new_cases_then_the_oldest() {
        let cases = ["a", "b", "c", "d"].map(|name| case(name, "kill"));
        let at = |case: &Case, code, started: &str| RunRecord {
            started: started.to_owned(),
            ..run(case, 1, code)
        };
        let last = vec![at(&cases[0], 0, "2026-11-21"), at(&cases[3], 1, "2026-11-21")];
        let before = vec![at(&cases[1], 0, "2026-11-20"), at(&cases[0], 0, "2026-11-20")];
        let nights = [record(cases.to_vec(), last), record(cases.to_vec(), before)];
        // d failed; c was never run; b was run before a.
        assert_eq!(order(&cases, &nights), [3, 2, 1, 0]);
        assert_eq!(order(&cases, &[]), [0, 1, 2, 3]);
    }

    #[test]
    fn a_case_that_was_changed_counts_as_new() {
        let old = case("a", "kill");
        let changed = Case { arguments: vec!["--nodes=3".to_owned()], ..old.clone() };
        let b = case("b", "kill");
        let night = record(
            vec![old.clone(), b.clone()],
            vec![run(&old, 1, 0), RunRecord { started: "2026-11-01".to_owned(), ..run(&b, 1, 0) }],
        );
        assert_eq!(order(&[b, changed], &[night]), [1, 0]);
    }
}
