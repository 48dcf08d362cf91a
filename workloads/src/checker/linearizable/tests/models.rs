//! All small histories of every model: the checker, the search and the search with the step function
//! alone against brute force; and the verdicts that follow from each definition.

use super::super::decide::decide;
use super::super::meter::Meter;
use super::super::search::search;
use super::super::{Unlimited, check_object, verify};
use crate::checker::doublecheck::Plain;
use crate::checker::{CheckOptions, Verdict};
use crate::history::{Operation, Outcome, Value};
use crate::model::{
    Counter, Decision, Entry, FencingLock, KvAppend, Model, MultiRegister, Mutex, ObjectModel,
    Register, VersionedRegister,
};

/// Function, argument and result, as JSON.
type Template = (&'static str, &'static str, &'static str);

/// All orders, one after the other.
fn brute<M: Model>(
    model: &M,
    entries: &[Entry<M::Op>],
    done: &mut [bool],
    state: &M::State,
) -> bool {
    if entries.iter().zip(&*done).all(|(entry, &done)| done || entry.is_crashed()) {
        return true;
    }
    (0..entries.len()).any(|next| {
        let must_wait = (0..entries.len())
            .any(|other| !done[other] && entries[other].completed < entries[next].invoked);
        if done[next] || must_wait {
            return false;
        }
        let Some(after) = model.step(state, &entries[next].op) else { return false };
        done[next] = true;
        let explained = brute(model, entries, done, &after);
        done[next] = false;
        explained
    })
}

fn operation(template: Template, id: usize, moment: u64) -> Operation {
    Operation {
        process: id as u64,
        f: template.0.into(),
        key: None,
        invoked: template.1.parse().unwrap(),
        result: Value::Null,
        outcome: Outcome::Info,
        invoke_index: moment,
        invoke_time: moment,
        complete_index: None,
        complete_time: None,
        node: None,
        error: None,
    }
}

/// Calls `visit` with each history of `count` operations; some never complete.
fn histories(templates: &[Template], count: usize, visit: &mut impl FnMut(&[Operation])) {
    fn extend(
        templates: &[Template],
        count: usize,
        moment: u64,
        chosen: &mut Vec<Template>,
        operations: &mut Vec<Operation>,
        visit: &mut impl FnMut(&[Operation]),
    ) {
        if operations.len() == count {
            visit(operations);
        } else {
            for &template in templates {
                operations.push(operation(template, operations.len(), moment));
                chosen.push(template);
                extend(templates, count, moment + 1, chosen, operations, visit);
                operations.pop();
                chosen.pop();
            }
        }
        for at in 0..operations.len() {
            if operations[at].outcome == Outcome::Info {
                operations[at].outcome = Outcome::Ok;
                operations[at].result = chosen[at].2.parse().unwrap();
                operations[at].complete_index = Some(moment);
                extend(templates, count, moment + 1, chosen, operations, visit);
                operations[at].outcome = Outcome::Info;
                operations[at].result = Value::Null;
                operations[at].complete_index = None;
            }
        }
    }
    extend(templates, count, 0, &mut Vec::new(), &mut Vec::new(), visit);
}

#[track_caller]
fn agree<M: Model>(
    way: &str,
    model: &M,
    entries: &[Entry<M::Op>],
    decision: Decision,
    expected: bool,
) {
    match decision {
        Decision::Order(order) => {
            assert!(expected, "{way} says linearizable: {entries:?}");
            assert_eq!(verify(model, entries, &order), Ok(()), "{way}: {entries:?}");
        }
        Decision::Impossible => assert!(!expected, "{way} says impossible: {entries:?}"),
    }
}

/// Compares all histories of so many operations; how many are not, and are linearizable.
#[track_caller]
fn compare_all<M: ObjectModel>(templates: &[Template], count: usize) -> [usize; 2] {
    let mut seen = [0; 2];
    histories(templates, count, &mut |operations| {
        let operations: Vec<&Operation> = operations.iter().collect();
        let (model, entries) = M::encode(&operations, &M::usual_initial()).unwrap();
        let expected = brute(&model, &entries, &mut vec![false; entries.len()], &model.initial());
        let mut meter = Meter::new(&Unlimited);
        let plain = Plain(&model);
        agree("checker", &model, &entries, decide(&model, &entries, &mut meter).unwrap(), expected);
        agree("search", &model, &entries, search(&model, &entries, &mut meter).unwrap(), expected);
        agree("plain", &model, &entries, search(&plain, &entries, &mut meter).unwrap(), expected);
        seen[usize::from(expected)] += 1;
    });
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
    seen
}

const MUTEX: &[Template] = &[("acquire", "null", "null"), ("release", "null", "null")];

#[test]
fn all_small_histories_of_a_lock_agree() {
    assert_eq!(compare_all::<Mutex>(MUTEX, 4).iter().sum::<usize>(), 4_256);
    assert_eq!(compare_all::<Mutex>(MUTEX, 5).iter().sum::<usize>(), 77_792);
}

#[test]
fn all_small_histories_of_a_lock_with_tokens_agree() {
    let templates = [
        ("acquire", "null", "1"),
        ("acquire", "null", "2"),
        ("acquire", "null", "4"),
        ("release", "null", "null"),
        ("release", "2", "null"),
    ];
    compare_all::<FencingLock>(&templates, 2);
    compare_all::<FencingLock>(&templates, 3);
    compare_all::<FencingLock>(&templates, 4);
}

#[test]
fn all_small_histories_of_a_counter_agree() {
    let templates = [
        ("add", "1", "null"),
        ("add", "2", "null"),
        ("add", "-1", "null"),
        ("read", "null", "0"),
        ("read", "null", "1"),
        ("read", "null", "3"),
    ];
    compare_all::<Counter>(&templates, 3);
    compare_all::<Counter>(&templates, 4);
}

#[test]
fn all_small_histories_of_several_registers_agree() {
    let templates = [
        ("txn", r#"[["write","x",1]]"#, r#"[["write","x",1]]"#),
        ("txn", r#"[["write","x",2],["write","y",2]]"#, r#"[["write","x",2],["write","y",2]]"#),
        ("txn", r#"[["read","x",null]]"#, r#"[["read","x",1]]"#),
        ("txn", r#"[["read","x",null],["read","y",null]]"#, r#"[["read","x",1],["read","y",2]]"#),
        ("txn", r#"[["read","y",null],["write","x",1]]"#, r#"[["read","y",2],["write","x",1]]"#),
    ];
    compare_all::<MultiRegister>(&templates, 3);
    compare_all::<MultiRegister>(&templates, 4);
}

#[test]
fn all_small_histories_of_revisions_agree() {
    let templates = [
        ("write", "[null,1]", "[1,1]"),
        ("write", "[null,1]", "[3,1]"),
        ("write", "[null,2]", "[2,2]"),
        ("read", "null", "[1,1]"),
        ("read", "null", "[2,1]"),
        ("read", "null", "null"),
        ("cas", "[null,[1,2]]", "[2,[1,2]]"),
    ];
    compare_all::<VersionedRegister>(&templates, 3);
    compare_all::<VersionedRegister>(&templates, 4);
}

#[test]
fn all_small_histories_of_appends_agree() {
    let templates = [
        ("append", r#""a""#, "null"),
        ("append", r#""b""#, "null"),
        ("write", r#""w""#, "null"),
        ("read", "null", r#""ab""#),
        ("read", "null", r#""wa""#),
        ("read", "null", r#""""#),
    ];
    compare_all::<KvAppend>(&templates, 3);
    compare_all::<KvAppend>(&templates, 4);
}

/// Placed appends stand for the same as texts: what is said of them must not depend on it.
#[test]
fn placed_and_loose_appends_agree() {
    let templates = [
        ("append", r#""a""#, "null"),
        ("append", r#""b""#, "null"),
        ("write", r#""w""#, "null"),
        ("read", "null", r#""a""#),
        ("read", "null", r#""ab""#),
        ("read", "null", r#""wb""#),
        ("read", "null", r#""x""#),
    ];
    let mut seen = [0; 2];
    histories(&templates, 4, &mut |operations| {
        let by_reference: Vec<&Operation> = operations.iter().collect();
        let (placed, entries) =
            KvAppend::encode(&by_reference, &KvAppend::usual_initial()).unwrap();
        let (loose, texts) = KvAppend::encode_loose(&by_reference).unwrap();
        let mut meter = Meter::new(&Unlimited);
        let decision = decide(&placed, &entries, &mut meter).unwrap();
        let expected = brute(&loose, &texts, &mut vec![false; texts.len()], &loose.initial());
        assert_eq!(matches!(decision, Decision::Order(_)), expected, "{operations:#?}");
        seen[usize::from(expected)] += 1;
    });
    assert!(seen.iter().all(|&count| count > 1_000), "{seen:?}");
}

#[track_caller]
fn verdict<M: ObjectModel>(
    operations: &[(Template, u64, Option<u64>)],
    expected: Verdict,
) -> String {
    let operations: Vec<Operation> = operations
        .iter()
        .enumerate()
        .map(|(id, &(template, invoked, completed))| {
            let mut operation = operation(template, id, invoked);
            if completed.is_some() {
                operation.outcome = Outcome::Ok;
                operation.complete_index = completed;
                operation.complete_time = completed.map(|it| it * 1_000_000);
                operation.result = template.2.parse().unwrap();
            }
            operation.invoke_time *= 1_000_000;
            operation
        })
        .collect();
    let options = CheckOptions::default();
    let check = check_object::<M>(&operations, &options, &Unlimited).unwrap();
    assert_eq!(check.verdict, expected, "{:?}", check.reason);
    check.counterexamples.first().map_or(String::new(), |it| it.explanation.join("\n"))
}

#[test]
fn a_lock_that_two_hold_is_told_in_words() {
    let text = verdict::<Mutex>(
        &[
            (MUTEX[0], 0, Some(1)),
            (MUTEX[1], 2, None),
            (MUTEX[0], 3, Some(4)),
            (MUTEX[0], 5, Some(6)),
        ],
        Verdict::Invalid,
    );
    expect_test::expect![[r#"
        At first, the lock is free. These 4 operations must take effect one after the other, each between its start and its end.
        In this order they make sense: A (acquire), then B (release (unknown outcome)), then C (acquire); then the lock is held.
        D cannot come next: it got the lock, but somebody else holds it.
        Every other order gets stuck as early or earlier, so no order explains them."#]]
    .assert_eq(&text);
}

#[test]
fn a_token_that_does_not_grow_is_refused() {
    let acquire = |token: &'static str| ("acquire", "null", token);
    let release = ("release", "null", "null");
    let history =
        |token| [(acquire("5"), 0, Some(1)), (release, 2, Some(3)), (acquire(token), 4, Some(5))];
    verdict::<FencingLock>(&history("6"), Verdict::Valid);
    verdict::<FencingLock>(&history("5"), Verdict::Invalid);
    // Somebody may have got token 6 in between and given it back.
    let crashed = [
        (acquire("5"), 0, Some(1)),
        (release, 2, Some(3)),
        (acquire("6"), 4, None),
        (release, 5, Some(6)),
        (acquire("6"), 7, Some(8)),
    ];
    verdict::<FencingLock>(&crashed, Verdict::Invalid);
}

#[test]
fn revisions_tell_a_lost_write() {
    let text = verdict::<VersionedRegister>(
        &[
            (("write", "[null,7]", "[3,7]"), 0, Some(1)),
            (("write", "[null,8]", "[4,8]"), 2, Some(3)),
            (("read", "null", "[3,7]"), 4, Some(5)),
        ],
        Verdict::Invalid,
    );
    expect_test::expect![[r#"
        At first, the register holds nothing at revision 0. These 3 operations must take effect one after the other, each between its start and its end.
        In this order they make sense: A (write 7 (revision 3)), then B (write 8 (revision 4)); then the register holds 8 at revision 4.
        C cannot come next: read -> 7 (revision 3) does not fit, because the register holds 8 at revision 4.
        Every other order gets stuck as early or earlier, so no order explains them."#]]
    .assert_eq(&text);
}

#[test]
fn null_is_what_an_unwritten_register_holds() {
    verdict::<Register>(&[(("read", "null", "null"), 0, Some(1))], Verdict::Valid);
    verdict::<Register>(
        &[
            (("write", "1", "1"), 0, Some(1)),
            (("delete", "null", "null"), 2, Some(3)),
            (("read", "null", "null"), 4, Some(5)),
        ],
        Verdict::Valid,
    );
}
