//! Order of one client's writes: who sees a later one sees the earlier ones.
//!
//! Two of Jepsen's workloads. In `sequential`, a client writes the subkeys of a key one after the
//! other, and a read asks for them in the opposite order: once it has seen one, it must see all that
//! were written before, which it asks for later. In `comments`, everyone inserts values, and a read
//! that sees one must see all that were inserted before that one began: strict serializability.

use rustc_hash::FxHashMap;

use super::findings::{Findings, Spending, brief, measured};
use super::order::{acknowledged, by_key};
use crate::checker::{Budget, Check, CheckOptions};
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;
use crate::plural::counted;

/// Checks that no read misses a subkey after it has seen a later one.
///
/// Operations: `write` with anything, `read` with the list of all subkeys in the opposite order of
/// their writing, null for those that it did not find; or a pair of the key and that list.
pub(super) fn check_sequential(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let mut findings = Findings::new(operations);
    let mut spending = Spending::new(budget);
    let (mut counts, mut spent) = ([0_u64; 3], None);
    for (position, operation) in operations.iter().enumerate() {
        if operation.f != "read" || operation.outcome != Outcome::Ok {
            continue;
        }
        let subkeys = subkeys(&operation.result).ok_or_else(|| UnsuitableOperation {
            index: operation.invoke_index,
            expected: "read with a list of subkeys, null for those that were not found",
            got: brief(&operation.result),
        })?;
        let found = subkeys.iter().filter(|it| !it.is_null()).count();
        counts[if found == 0 {
            0
        } else if found < subkeys.len() {
            1
        } else {
            2
        }] += 1;
        if let Err(reason) = spending.step(subkeys.len() + 1, 0) {
            spent = Some(reason);
            break;
        }
        let first = subkeys.iter().position(|it| !it.is_null());
        let gap = first.and_then(|first| {
            let missing = subkeys[first..].iter().position(Value::is_null)?;
            Some((&subkeys[first], subkeys.len() - first, subkeys.len() - first - missing))
        });
        if let Some((seen, later, earlier)) = gap {
            findings.add("trailing-nil", operation.key.as_ref(), &[position], || {
                vec![
                    format!(
                        "A found {}, which is write number {later} of its client.",
                        brief(seen)
                    ),
                    format!(
                        "After that it looked for write number {earlier}, and did not find it."
                    ),
                    "That one was written before, so it must be visible before.".to_owned(),
                ]
            });
        }
    }
    let measurements = vec![
        measured("reads of nothing", counts[0]),
        measured("reads of some", counts[1]),
        measured("reads of all", counts[2]),
    ];
    let valid = || format!("{} in order", counted(counts.iter().sum::<u64>(), "read"));
    Ok(findings.check("sequential", spent, valid, measurements))
}

fn subkeys(value: &Value) -> Option<&[Value]> {
    match value.as_list()? {
        [key, Value::List(subkeys)] if key.as_list().is_none() => Some(subkeys),
        subkeys => Some(subkeys),
    }
}

/// Checks that whoever sees a write sees all that ended before it began.
///
/// Operations: `write` or `insert` with a value that is written once, `read` with the list of all.
pub(super) fn check_comments(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let mut findings = Findings::new(operations);
    let mut spending = Spending::new(budget);
    let (mut reads, mut spent) = (0_u64, None);
    'keys: for (key, members) in by_key(operations) {
        let mut writers: FxHashMap<&Value, usize> = FxHashMap::default();
        // When each acknowledged write ended, and whose it is; by time.
        let mut ended: Vec<(u64, usize)> = Vec::new();
        for &position in &members {
            let operation = &operations[position];
            match operation.f.as_str() {
                "write" | "insert" if operation.outcome != Outcome::Fail => {
                    writers.insert(&operation.invoked, position);
                    ended.extend(acknowledged(operation).map(|it| (it, position)));
                }
                "write" | "insert" => {}
                "read" if operation.outcome != Outcome::Ok => {}
                "read" if operation.result.as_list().is_some() => {}
                _ => {
                    return Err(UnsuitableOperation {
                        index: operation.invoke_index,
                        expected: "write or insert with a value, or read with a list of values",
                        got: format!("{} -> {}", operation.f, brief(&operation.result)),
                    });
                }
            }
        }
        ended.sort_unstable();
        for &position in &members {
            let Some(seen) = operations[position].result.as_list() else { continue };
            if operations[position].f != "read" || operations[position].outcome != Outcome::Ok {
                continue;
            }
            reads += 1;
            if let Err(reason) = spending.step(seen.len() + 1, writers.len() * 40) {
                spent = Some(reason);
                break 'keys;
            }
            // What must be there grows with the write that began last.
            let mut found: Vec<usize> =
                seen.iter().filter_map(|it| writers.get(it).copied()).collect();
            let Some(last) = found.iter().copied().max() else { continue };
            let began = operations[last].invoke_index;
            let expected = &ended[..ended.partition_point(|&(completed, _)| completed < began)];
            found.sort_unstable();
            found.dedup();
            let before = |it: &&usize| acknowledged(&operations[**it]).is_some_and(|it| it < began);
            if found.iter().filter(before).count() == expected.len() {
                continue;
            }
            let missing = expected.iter().find(|(_, it)| found.binary_search(it).is_err());
            let Some(&(_, missing)) = missing else { continue };
            findings.add("causal-reverse", key, &[missing, last, position], || {
                vec![
                    format!("A wrote {} and ended.", brief(&operations[missing].invoked)),
                    format!("Then B began, and wrote {}.", brief(&operations[last].invoked)),
                    "C saw what B wrote and not what A wrote.".to_owned(),
                ]
            });
        }
    }
    let valid = || format!("{} in order", counted(reads, "read"));
    let mut check = findings.check("comments", spent, valid, vec![measured("reads", reads)]);
    if !check.anomalies.is_empty() {
        check.broken.push("strict-serializable".to_owned());
    }
    Ok(check)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::Verdict;
    use crate::checker::script::{judged, kinds, words};

    #[test]
    fn a_later_subkey_without_an_earlier_one() {
        let verdict = |list: &str| judged(check_sequential, &format!("0 read -> {list}")).verdict;
        for legal in ["[null,null]", "[null,\"x_0\"]", "[\"x_1\",\"x_0\"]", "[]"] {
            assert_eq!(verdict(legal), Verdict::Valid, "{legal}");
        }
        assert_eq!(verdict("[\"x_1\",null]"), Verdict::Invalid);
        let check = judged(check_sequential, r#"0 read -> [7,[null,"x_1",null]]"#);
        assert_eq!(kinds(&check), ["trailing-nil"]);
        assert!(words(&check).contains("write number 2"), "{}", words(&check));
        assert!(words(&check).contains("write number 1"), "{}", words(&check));
    }

    #[test]
    fn a_later_write_without_an_earlier_one() {
        let of = |text: &str| judged(check_comments, text);
        let check = of("0 write 1 ; 1 write 2 ; 2 read -> [2]");
        assert_eq!(kinds(&check), ["causal-reverse"]);
        assert_eq!(check.broken, ["strict-serializable"]);
        for legal in [
            "0 write 1 ; 1 write 2 ; 2 read -> [1]",
            "0 write 1 ; 1 write 2 ; 2 read -> [1,2]",
            "0 write 1 | 1 write 2 ; 2 read -> [2]",
            "0 write 1 ? ; 1 write 2 ; 2 read -> [2]",
            "0 write 1 ! ; 1 write 2 ; 2 read -> [2]",
            "0 write 1 ; 1 write 2 ; 2 read -> []",
        ] {
            assert_eq!(of(legal).verdict, Verdict::Valid, "{legal}");
        }
        // What is written beside the last one does not make up for what is missing.
        assert_eq!(
            kinds(&of("0 write 1 ; 3 write 9 ... ; 1 write 2 ; 3 ok ; 2 read -> [2,9]")),
            ["causal-reverse"]
        );
    }
}
