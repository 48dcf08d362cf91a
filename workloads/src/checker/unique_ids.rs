//! Generators of unique ids: no two operations are given the same one.
//!
//! Jepsen's `checker/unique-ids`. An operation of unknown outcome may have used an id up, which
//! nobody can see; so only acknowledged ones count, and the check is exact.

use rustc_hash::FxHashMap;

use super::findings::{Findings, Spending, brief, measured};
use super::order::by_key;
use crate::checker::{Budget, Check, CheckOptions};
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;
use crate::plural::counted;

/// Checks that the results of `generate` are unique, for each key.
pub(super) fn check(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    if let Some(other) = operations.iter().find(|it| it.f != "generate") {
        return Err(UnsuitableOperation {
            index: other.invoke_index,
            expected: "generate",
            got: format!("{} {}", other.f, brief(&other.invoked)),
        });
    }
    let mut findings = Findings::new(operations);
    let mut spending = Spending::new(budget);
    let (mut acknowledged, mut spent) = (0_u64, None);
    let mut range: Option<(&Value, &Value)> = None;
    'keys: for (key, members) in by_key(operations) {
        let mut owners: FxHashMap<&Value, usize> = FxHashMap::default();
        for position in members {
            let operation = &operations[position];
            if operation.outcome != Outcome::Ok {
                continue;
            }
            if let Err(reason) = spending.step(1, owners.capacity() * 24) {
                spent = Some(reason);
                break 'keys;
            }
            acknowledged += 1;
            let id = &operation.result;
            range = Some(range.map_or((id, id), |(low, high)| (low.min(id), high.max(id))));
            let owner = *owners.entry(id).or_insert(position);
            if owner != position {
                findings.add("duplicate-id", key, &[owner, position], || {
                    vec![format!("A and B were both given {}.", brief(id))]
                });
            }
        }
    }
    let duplicated = findings.count("duplicate-id");
    let mut measurements = vec![
        measured("attempted", operations.len() as u64),
        measured("acknowledged", acknowledged),
        measured("duplicates", duplicated),
    ];
    if let Some((low, high)) = range {
        measurements.push(measured("lowest", low.clone()));
        measurements.push(measured("highest", high.clone()));
    }
    let valid = || format!("{}, each given once", counted(acknowledged, "id"));
    Ok(findings.check("unique-ids", spent, valid, measurements))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Verdict;
    use crate::checker::script::{judged, kinds, number};

    #[test]
    fn an_id_that_is_given_twice() {
        let check =
            judged(check, "0 generate -> 1 ; 1 generate -> 2 ; 0 generate -> 1 ; 1 generate -> 1");
        assert_eq!(kinds(&check), ["duplicate-id"]);
        assert_eq!(number(&check, "duplicates"), 2.into());
        assert_eq!(number(&check, "highest"), 2.into());
    }

    #[test]
    fn ids_that_nobody_was_given_do_not_count() {
        let check = judged(check, "0 generate -> 1 ; 1 generate -> 1 ? ; 2 generate -> 1 !");
        assert_eq!(check.verdict, Verdict::Valid);
    }

    #[test]
    fn each_key_has_its_own_ids() {
        assert_eq!(
            judged(check, "0 @a generate -> 1 ; 0 @b generate -> 1").verdict,
            Verdict::Valid
        );
    }

    #[test]
    fn the_text_1_is_not_the_number_1() {
        assert_eq!(judged(check, "0 generate -> 1 ; 0 generate -> \"1\"").verdict, Verdict::Valid);
    }
}
