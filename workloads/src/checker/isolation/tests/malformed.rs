//! Any shape of value is judged or refused, never a panic.

use proptest::prelude::*;

use super::super::CHECKERS;
use crate::checker::CheckOptions;
use crate::checker::linearizable::{StepBudget, Unlimited};
use crate::history::{Operation, Outcome, Value};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => (0i64..3).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        2 => prop_oneof![Just("r"), Just("w"), Just("append"), Just("x")].prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((inner.clone(), inner), 0..2)
                .prop_map(|entries| Value::Map(entries.into())),
        ]
    })
}

/// Mostly what a transaction looks like.
fn transaction() -> impl Strategy<Value = Value> {
    let small = (0i64..4).prop_map(Value::from);
    let read = prop_oneof![
        prop::collection::vec(small.clone(), 0..4).prop_map(Value::from),
        small.clone(),
        Just(Value::Null)
    ];
    let step = prop_oneof![
        3 => (0i64..3, small).prop_map(|(key, value)| Value::from(vec!["append".into(), key.into(), value])),
        3 => (0i64..3, 0i64..9).prop_map(|(key, value)| Value::from(vec!["w".into(), key.into(), value.into()])),
        6 => (0i64..3, read).prop_map(|(key, value)| Value::from(vec!["r".into(), key.into(), value])),
    ];
    prop_oneof![
        12 => prop::collection::vec(step, 0..5).prop_map(Value::from),
        1 => value(),
    ]
}

fn keep(list: bool, steps: &Value) -> Value {
    let unfit = if list { "w" } else { "append" };
    match steps.as_list() {
        Some(steps) => {
            Value::list(steps.iter().filter(|step| step[0].as_str() != Some(unfit)).cloned())
        }
        None => steps.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_history_makes_a_checker_panic(
        parts in prop::collection::vec((transaction(), transaction(), 0u8..3, 0u64..3, any::<bool>()), 0..8),
        fit in any::<bool>(),
        questions in 0u64..6,
    ) {
        for checker in CHECKERS {
            let list = checker.models == ["list-append"];
            let operations: Vec<Operation> = parts
                .iter()
                .zip(0..)
                .map(|((invoked, result, outcome, process, same), at)| {
                    let outcome = [Outcome::Ok, Outcome::Fail, Outcome::Info][*outcome as usize];
                    let invoked = if fit { keep(list, invoked) } else { invoked.clone() };
                    let result = if fit { keep(list, result) } else { result.clone() };
                    let steps = if *same { invoked.clone() } else { result };
                    let mut operation = super::operation(*process, 2 * at, Some(2 * at + 3), outcome, vec![]);
                    (operation.invoked, operation.result) = (invoked, steps);
                    operation
                })
                .collect();
            let options = CheckOptions::default();
            let whole = (checker.check)(&operations, &options, &Unlimited);
            let short = (checker.check)(&operations, &options, &StepBudget::new(questions));
            // A budget that runs out never turns a verdict into its opposite.
            if let (Ok(whole), Ok(short)) = (whole, short) {
                prop_assert!(
                    short.verdict == whole.verdict
                        || short.verdict == crate::checker::Verdict::Unknown
                        || whole.verdict == crate::checker::Verdict::Unknown,
                    "{} {:?} {:?}", checker.property, whole, short
                );
            }
        }
    }
}

#[test]
fn what_is_no_transaction_is_refused_with_its_event() {
    let check = |model: &str, steps: &str| {
        let mut operation = super::operation(0, 7, Some(8), Outcome::Ok, vec![]);
        operation.result = steps.parse().unwrap();
        let checker = crate::checker::checker(model, None).unwrap();
        let options = CheckOptions::default();
        (checker.check)(&[operation], &options, &Unlimited).unwrap_err().to_string()
    };
    let error = check("list-append", r#"[["w","x",1]]"#);
    assert!(error.starts_with("event 7: expected a list of micro-operations"), "{error}");
    assert!(error.ends_with(r#"got ["w","x",1]"#), "{error}");
    check("list-append", "3");
    check("list-append", r#"[["r","x",3]]"#);
    check("rw-register", r#"[["append","x",1]]"#);
    check("rw-register", r#"[["w","x"]]"#);
    check("rw-register", r#"[[]]"#);
}
