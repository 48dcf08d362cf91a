//! Verdicts that follow from the definition, and what surrounds them.

use crate::history::{Outcome, Value};

use super::simulate::{Simulation, simulate};
use super::*;
use crate::checker::exercised;

#[test]
fn crashed_operations_act_or_do_not() {
    assert_eq!(verdict("p0 w1? ; p1 r1", "null"), Verdict::Valid);
    assert_eq!(verdict("p0 w1? ; p1 r_", "null"), Verdict::Valid);
    assert_eq!(verdict("p0 w1? ; p1 r_ ; p2 r1", "null"), Verdict::Valid);
    assert_eq!(verdict("p0 w1? ; p1 r1 ; p2 r_", "null"), Verdict::Invalid);
    assert_eq!(verdict("p0 w1 ; p1 c1:2? ; p2 r2 ; p3 r2", "null"), Verdict::Valid);
    assert_eq!(verdict("p0 w1 ; p1 c1:2? ; p2 r2 ; p3 r1", "null"), Verdict::Invalid);
}

#[test]
fn failed_operations_had_no_effect() {
    assert_eq!(verdict("p0 w1 ; p1 c1:2! ; p2 r1", "null"), Verdict::Valid);
    assert_eq!(verdict("p0 w1 ; p1 c1:2! ; p2 r2", "null"), Verdict::Invalid);
    assert_eq!(verdict("p0 w1 ; p1 r7!", "null"), Verdict::Valid);
}

#[test]
fn the_initial_value_counts() {
    assert_eq!(verdict("p0 r_", "null"), Verdict::Valid);
    assert_eq!(verdict("p0 r_", "0"), Verdict::Invalid);
    assert_eq!(verdict("p0 r0", "0"), Verdict::Valid);
    assert_eq!(verdict("p0 r5 ; p1 r5 ; p2 w1", "any"), Verdict::Valid);
    assert_eq!(verdict("p0 r5 ; p1 r6", "any"), Verdict::Invalid);
    assert_eq!(verdict("p0 r5 ; p1 w5 ; p2 w6 ; p3 r5", "any"), Verdict::Invalid);
}

#[test]
fn keys_are_independent() {
    let mut operations = parse("p0 w1 ; p1 r_ ; p2 w2 ; p3 r2");
    operations[1].key = Some(Value::from("other"));
    let check = check_with(&operations, "null");
    assert_eq!(check.verdict, Verdict::Valid);
    assert_eq!(check.partitions.unwrap().valid, 2);
    operations[1].result = Value::from(9);
    let check = check_with(&operations, "null");
    assert_eq!((check.verdict, check.partitions.unwrap().invalid), (Verdict::Invalid, 1));
    assert_eq!(check.counterexamples[0].key, Some(Value::from("other")));
    assert_eq!(check.summary, "1 of 2 keys cannot be explained by any order");
}

#[test]
fn a_spent_budget_is_named_with_its_key() {
    let mut operations = parse("p0 w1 ; p1 r1");
    for operation in &mut operations {
        operation.key = Some(Value::from(7));
    }
    let options = LinearizableOptions { initial: "null".parse().unwrap(), threads: 1 };
    let budget = StepBudget::new(0);
    let check = check(&operations, model("cas-register").unwrap(), &options, &budget).unwrap();
    assert_eq!(check.verdict, Verdict::Unknown);
    assert_eq!(check.reason.as_deref(), Some("key 7: budget of 0 questions"));
}

#[test]
fn a_hard_search_ends_with_its_budget() {
    let simulation =
        Simulation { seed: 3, clients: 30, operations: 20_000, crashes: 1, values: Some(5) };
    let operations = simulate(&simulation);
    let options = LinearizableOptions { initial: "null".parse().unwrap(), threads: 1 };
    // The check asks once at the start and the search once more, then once in a thousand steps.
    let budget = StepBudget::new(2);
    let check = check(&operations, model("register").unwrap(), &options, &budget).unwrap();
    assert_eq!(check.verdict, Verdict::Unknown, "{}", check.summary);
}

#[test]
fn an_impossible_history_of_many_clients_and_few_values_takes_few_steps() {
    let simulation =
        Simulation { seed: 5, clients: 30, operations: 2_000, crashes: 0, values: Some(5) };
    let mut operations = simulate(&simulation);
    let end = operations.iter().filter_map(|it| it.complete_index).max().unwrap();
    // Two reads after everything else, of different values.
    for value in 0..2_u64 {
        let mut read = operations[0].clone();
        (read.process, read.f, read.outcome) = (1_000, "read".into(), Outcome::Ok);
        (read.invoked, read.result) = (Value::Null, Value::from(value));
        (read.invoke_index, read.complete_index) = (end + 1 + 2 * value, Some(end + 2 + 2 * value));
        operations.push(read);
    }
    let options = LinearizableOptions { initial: "null".parse().unwrap(), threads: 1 };
    let budget = StepBudget::new(2_000);
    let check = check(&operations, model("register").unwrap(), &options, &budget).unwrap();
    assert_eq!(check.verdict, Verdict::Invalid, "{:?}", check.reason);
}

#[test]
fn operations_that_a_register_does_not_have_are_refused() {
    let options = LinearizableOptions { initial: "null".parse().unwrap(), threads: 1 };
    let refuse = |operations: &[Operation]| {
        check(operations, model("register").unwrap(), &options, &Unlimited).unwrap_err().to_string()
    };
    let mut operations = parse("p0 w1 ; p1 c1:2");
    operations[1].invoked = Value::from(3);
    assert_eq!(refuse(&operations), "event 2: expected a cas with value [expected, new], got 3");
    operations[1].f = "append".into();
    assert_eq!(
        refuse(&operations),
        "event 2: expected a function of a register: read, write, cas or delete, got `append`"
    );
}

#[test]
fn a_kind_that_never_succeeded_makes_a_run_unknown() {
    let operations = parse("p0 w1 ; p1 r1 ; p2 c1:2!");
    let check = exercised(&operations, &["read", "write"]);
    assert_eq!((check.verdict, check.reason), (Verdict::Valid, None));
    let check = exercised(&operations, &["read", "write", "cas"]);
    assert_eq!(check.verdict, Verdict::Unknown);
    assert_eq!(check.reason.as_deref(), Some("no cas ever succeeded"));
}
