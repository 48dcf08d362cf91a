//! The verifier refuses every kind of wrong order.

use super::super::{WitnessError, verify};
use super::parse;
use crate::history::{Operation, Value};
use crate::model::{Initial, ObjectModel, Register};

#[track_caller]
fn check(text: &str, order: &[usize], expected: Result<(), WitnessError>) {
    let operations = parse(text);
    let operations: Vec<&Operation> = operations.iter().collect();
    let (model, entries) = Register::encode(&operations, &Initial::Value(Value::Null)).unwrap();
    assert_eq!(verify(&model, &entries, order), expected);
}

#[test]
fn orders_are_verified() {
    let text = "p0 w1 | p1 r_ ; p2 r1 ; p3 w2?";
    check(text, &[1, 0, 2], Ok(()));
    check(text, &[1, 0, 2, 3], Ok(()));
    check(text, &[0, 1, 2], Err(WitnessError::Refused(1)));
    check(text, &[1, 0], Err(WitnessError::Missing(2)));
    check(text, &[1, 0, 2, 2], Err(WitnessError::Repeated(2)));
    check(text, &[1, 0, 2, 9], Err(WitnessError::Foreign(9)));
    check("p0 w1 ; p1 w2 ; p2 r1", &[1, 0, 2], Err(WitnessError::RealTime(0)));
}
