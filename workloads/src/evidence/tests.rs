//! Evidence that is right is confirmed, and evidence that is wrong is not.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Claim, Cycle, CycleEdge, EVIDENCE_FORMAT, Evidence, ImpossibleSet, Outcome, verify};
use crate::checker::linearizable::Unlimited;
use crate::checker::{CheckOptions, Method, Verdict, Witness, checker};
use crate::history::{Operation, Outcome as Ended, Value, notation, operations};

fn parse(text: &str) -> Vec<Operation> {
    operations(&notation::parse(text).unwrap()).unwrap()
}

fn evidence(model: &str, verdict: Verdict) -> Evidence {
    Evidence {
        format: EVIDENCE_FORMAT,
        model: model.to_owned(),
        property: "linearizable".to_owned(),
        verdict,
        initial: None,
        orders: Vec::new(),
        impossible: Vec::new(),
        cycles: Vec::new(),
        claims: Vec::new(),
        total: None,
    }
}

fn order(operations: &[Operation], order: &[u64]) -> Outcome {
    let orders = vec![Witness { key: None, order: order.to_vec() }];
    verify(&Evidence { orders, ..evidence("register", Verdict::Valid) }, operations).outcome
}

fn impossible(model: &str, operations: &[Operation], set: &[u64]) -> Outcome {
    let impossible = vec![ImpossibleSet { key: None, operations: set.to_vec() }];
    verify(&Evidence { impossible, ..evidence(model, Verdict::Invalid) }, operations).outcome
}

#[track_caller]
fn refuted(outcome: &Outcome, word: &str) {
    assert!(matches!(outcome, Outcome::Refuted(why) if why.contains(word)), "{outcome:?}");
}

#[track_caller]
fn unproved(outcome: &Outcome, word: &str) {
    assert!(matches!(outcome, Outcome::Unproved(why) if why.contains(word)), "{outcome:?}");
}

#[test]
fn an_order_is_replayed() {
    // Events 0 and 1: write 1; 2: write 2 (unknown outcome); 4 and 5: read 2; 6 and 7: a failed write.
    let history = parse("p0 w1 ; p1 w2? ; p2 r2 ; p3 w9!");
    assert_eq!(order(&history, &[0, 2, 4]), Outcome::Confirmed);
    refuted(&order(&history, &[0, 4]), "returned 2");
    refuted(&order(&history, &[2, 4]), "event 0 was acknowledged");
    refuted(&order(&history, &[2, 0, 4]), "ended before");
    refuted(&order(&history, &[0, 0, 2, 4]), "twice");
    refuted(&order(&history, &[0, 2, 4, 6]), "failed");
    refuted(&order(&history, &[0, 1]), "invokes nothing");
    let late = parse("p0 w1 ; p1 w2 ; p2 r1 ; p3 r1");
    refuted(&order(&late, &[2, 0, 4, 6]), "ended before");
}

#[test]
fn sequential_orders_keep_processes_only() {
    let history = parse("p0 w1 ; p1 r_ ; p1 r1");
    let with = |order: &[u64]| {
        let orders = vec![Witness { key: None, order: order.to_vec() }];
        let property = "sequential".to_owned();
        let claim = Evidence { orders, property, ..evidence("register", Verdict::Valid) };
        verify(&claim, &history).outcome
    };
    assert_eq!(with(&[2, 0, 4]), Outcome::Confirmed);
    refuted(&with(&[0, 4, 2]), "later one of its process");
}

#[test]
fn a_set_without_an_order_is_confirmed() {
    let stale = parse("p0 w1 ; p1 w2 ; p2 r1");
    assert_eq!(impossible("register", &stale, &[0, 2, 4]), Outcome::Confirmed);
    refuted(&impossible("register", &stale, &[0, 2]), "an order explains");
}

#[test]
fn a_set_that_leaves_a_writer_out_proves_nothing() {
    let fine = parse("p0 w1 ; p1 w2 ; p2 w1? ; p3 r1");
    unproved(&impossible("register", &fine, &[0, 2, 6]), "event 4");
    refuted(&impossible("register", &fine, &[0, 2, 4, 6]), "an order explains");
    // A crashed cas counts as a write, if who wrote what it expects is left out.
    let cas = parse("p0 w5 ; p0 w1 ; p1 c5:3? ; p2 r1 ; p3 r3 ; p4 r1");
    assert_eq!(impossible("register", &cas, &[2, 4, 6, 8, 10]), Outcome::Confirmed);
}

fn stack(events: &[(u64, &str, Value, Value)]) -> Vec<Operation> {
    let operation =
        |(position, (process, f, invoked, result)): (usize, &(u64, &str, Value, Value))| {
            let mut operation = parse("p0 w1").remove(0);
            operation.process = *process;
            operation.f = (*f).into();
            operation.invoked = invoked.clone();
            operation.result = result.clone();
            operation.invoke_index = 2 * position as u64;
            operation.complete_index = Some(operation.invoke_index + 1);
            operation
        };
    events.iter().enumerate().map(operation).collect()
}

#[test]
fn a_process_that_goes_back_is_confirmed_on_a_short_history() {
    let back = parse("p0 w1 ; p0 w2 ; p1 r2 ; p1 r1");
    let claim = |history: &[Operation]| {
        let claim = Claim { kind: "not-sequential".to_owned(), key: None, operations: vec![] };
        let property = "sequential".to_owned();
        let claims = vec![claim];
        let claimed = Evidence { claims, property, ..evidence("register", Verdict::Invalid) };
        verify(&claimed, history).outcome
    };
    assert_eq!(claim(&back), Outcome::Confirmed);
    refuted(&claim(&back[..3]), "an order explains");
    let long = (0..20).map(|_| "p0 w1 ; p1 r1").collect::<Vec<_>>().join(" ; ");
    unproved(&claim(&parse(&long)), "short");
}

#[test]
fn collections_close_over_elements() {
    let null = Value::Null;
    let mut events = vec![
        (0, "enqueue", 1.into(), 1.into()),
        (0, "enqueue", 2.into(), 2.into()),
        (0, "enqueue", 3.into(), 3.into()),
        (1, "dequeue", null.clone(), 2.into()),
        (1, "dequeue", null.clone(), 1.into()),
    ];
    // Of a history as short as this one, all operations are tried.
    assert_eq!(impossible("queue", &stack(&events), &[0, 2, 8]), Outcome::Confirmed);
    events.extend((10..40).map(|it: u64| (2, "enqueue", it.into(), it.into())));
    let history = stack(&events);
    assert_eq!(impossible("queue", &history, &[0, 2, 6, 8]), Outcome::Confirmed);
    unproved(&impossible("queue", &history, &[0, 2, 8]), "event 6");
    let mut unknown = history.clone();
    unknown[3].outcome = Ended::Info;
    unproved(&impossible("queue", &unknown, &[2, 4, 8]), "left out");
    unproved(&impossible("kettle", &history, &[0]), "does not know the model");
}

fn txn(position: u64, parts: &str) -> Operation {
    let mut operation = parse("p0 w1").remove(0);
    operation.process = position;
    operation.f = "txn".into();
    operation.result = parts.parse().unwrap();
    operation.invoked = operation.result.clone();
    operation.invoke_index = 2 * position;
    operation.complete_index = Some(2 * position + 1);
    operation
}

fn cycle(
    model: &str,
    property: &str,
    operations: &[Operation],
    edges: &[(u64, &str, u64)],
) -> Outcome {
    let edges = edges.iter().map(|&(from, kind, to)| CycleEdge {
        from: 2 * from,
        to: 2 * to,
        kind: kind.to_owned(),
        reason: String::new(),
    });
    let cycles = vec![Cycle { kind: "a cycle".to_owned(), edges: edges.collect() }];
    let property = property.to_owned();
    verify(&Evidence { cycles, property, ..evidence(model, Verdict::Invalid) }, operations).outcome
}

#[test]
fn edges_of_lists_are_found_again() {
    let history = [
        txn(0, r#"[["append","x",1],["r","y",[]]]"#),
        txn(1, r#"[["append","y",1],["r","x",[]]]"#),
        txn(2, r#"[["append","x",2],["r","y",[1]]]"#),
        txn(3, r#"[["r","x",[1,2]]]"#),
    ];
    let check = |property: &str, edges: &[(u64, &str, u64)]| {
        cycle("list-append", property, &history, edges)
    };
    assert_eq!(check("serializable", &[(0, "rw", 1), (1, "rw", 0)]), Outcome::Confirmed);
    unproved(&check("snapshot-isolation", &[(0, "rw", 1), (1, "rw", 0)]), "does not forbid");
    refuted(&check("serializable", &[(0, "rw", 1), (1, "ww", 0)]), "ww edge");
    refuted(&check("serializable", &[(0, "rw", 1)]), "not closed");
    refuted(&check("serializable", &[(0, "ww", 2), (2, "ww", 0)]), "no read shows");
    let realtime = [(1, "rw", 0), (0, "realtime", 1)];
    assert_eq!(check("strict-serializable", &realtime), Outcome::Confirmed);
    unproved(&check("serializable", &realtime), "does not forbid");
    unproved(&check("causal", &realtime), "does not know which");
    refuted(&check("strict-serializable", &[(1, "realtime", 0), (0, "rw", 1)]), "not over");
}

#[test]
fn parts_may_be_in_either_event() {
    let mut history = [
        txn(0, r#"[["append","x",1],["append","y",1]]"#),
        txn(1, r#"[["r","x",[1]]]"#),
        txn(2, r#"[["r","y",[]]]"#),
    ];
    let round = |history: &[Operation]| {
        let edges = [(0, "wr", 1), (1, "realtime", 2), (2, "rw", 0)];
        cycle("list-append", "strict-serializable", history, &edges)
    };
    assert_eq!(round(&history), Outcome::Confirmed);
    // Acknowledged without a value, and unknown with a value in the completion only.
    history[0].result = Value::Null;
    assert_eq!(round(&history), Outcome::Confirmed);
    (history[0].invoked, history[0].result) = (Value::Null, history[0].invoked.clone());
    history[0].outcome = Ended::Info;
    assert_eq!(round(&history), Outcome::Confirmed);
    // An invocation does not tell what was read.
    history[2].result = Value::Null;
    refuted(&round(&history), "no read missed an append");
}

#[test]
fn an_order_is_replayed_with_parts_in_either_event() {
    let mut history = one_after_the_other(&[
        ("txn", r#"{"1":[0]}"#, r#"[["append","x",1]]"#),
        ("txn", r#"[["append","x",2]]"#, "null"),
        ("txn", r#"[["r","x",null]]"#, r#"[["r","x",[1,2]]]"#),
        ("txn", r#"[["r","y",null]]"#, r#"[["r","y"]]"#),
        ("txn", r#"[["r","x",null]]"#, "null"),
    ]);
    history[0].outcome = Ended::Info;
    let order = |history: &[Operation], order: &[u64]| {
        let orders = vec![Witness { key: None, order: order.to_vec() }];
        let property = "strict-serializable".to_owned();
        let evidence = Evidence { orders, property, ..evidence("list-append", Verdict::Valid) };
        verify(&evidence, history).outcome
    };
    refuted(&order(&history, &[0, 2, 4, 6, 8]), "what is");
    refuted(&order(&history, &[2, 0, 4, 6]), "the state is");
    refuted(&order(&history, &[0, 2, 4, 6]), "in no order");
    history[4].outcome = Ended::Info;
    assert_eq!(order(&history, &[0, 2, 4, 6, 8]), Outcome::Confirmed);
}

#[test]
fn edges_of_registers_are_found_again() {
    let history = [
        txn(0, r#"[["r","x",null],["w","x",1]]"#),
        txn(1, r#"[["r","x",null],["w","x",2]]"#),
        txn(2, r#"[["r","x",1],["w","x",3]]"#),
        txn(3, r#"[["r","x",3],["r","y",null]]"#),
        txn(4, r#"[["w","y",1],["r","x",1]]"#),
    ];
    let check = |edges: &[(u64, &str, u64)]| cycle("rw-register", "serializable", &history, edges);
    assert_eq!(check(&[(0, "rw", 1), (1, "rw", 0)]), Outcome::Confirmed);
    assert_eq!(check(&[(0, "ww", 2), (2, "wr", 3), (3, "rw", 4), (4, "rw", 2), (2, "wr", 3), (3, "rw", 0)]), Outcome::Unproved(
        "the rw edge from event 6 to event 0: the order of the values does not follow from reads alone".to_owned()
    ));
    refuted(&check(&[(1, "wr", 2), (2, "wr", 1)]), "no value tells");
    unproved(&check(&[(1, "ww", 2), (2, "ww", 1)]), "does not follow");
}

/// A history of a register that is mostly fine, and sometimes stale.
fn random_history(seed: u64) -> Vec<Operation> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut text = String::new();
    for step in 0..rng.random_range(2..9) {
        let process = |part: u64| step * 3 + part;
        let mut parts = Vec::new();
        for part in 0..rng.random_range(1..4) {
            let (a, b) = (rng.random_range(0..3), rng.random_range(0..3));
            let end = ["", "", "", "?", "!"][rng.random_range(0..5)];
            parts.push(match rng.random_range(0..5) {
                0 | 1 => format!("p{} w{a}{end}", process(part)),
                2 => format!("p{} c{a}:{b}{end}", process(part)),
                _ => format!("p{} r{a}", process(part)),
            });
        }
        text += &format!("{} ;", parts.join(" | "));
    }
    parse(&text)
}

fn told(operations: &[Operation]) -> String {
    let line = |it: &Operation| {
        let interval = (it.invoke_index, it.complete_index);
        format!("{interval:?} {} {} -> {} {:?}\n", it.f, it.invoked, it.result, it.outcome)
    };
    operations.iter().map(line).collect()
}

/// The checker and the verifier have no code in common, so that they check each other.
#[test]
fn what_the_checker_says_is_confirmed() {
    let register = checker("register", Some("linearizable")).unwrap();
    let mut verdicts = [0; 2];
    let mut unproved = 0;
    for seed in 0..4_000 {
        let operations = random_history(seed);
        for method in [Method::Fastest, Method::Search] {
            let options = CheckOptions {
                initial: Some(crate::model::Initial::Value(0.into())),
                threads: 1,
                total: None,
                witness: true,
                method,
            };
            let check = (register.check)(&operations, &options, &Unlimited).unwrap();
            let claim = Evidence::of(&check, "register", "linearizable", &options);
            let text = serde_json::to_string(&claim).unwrap();
            let verification = verify(&serde_json::from_str(&text).unwrap(), &operations);
            // A small set of operations may be impossible for a reason that the verifier does not know.
            unproved += u32::from(matches!(verification.outcome, Outcome::Unproved(_)));
            assert!(
                !matches!(verification.outcome, Outcome::Refuted(_)),
                "seed {seed}: {text}\n{}",
                told(&operations)
            );
            verdicts[usize::from(check.verdict == Verdict::Valid)] += 1;
        }
    }
    assert!(verdicts.iter().all(|&number| number > 500), "{verdicts:?}");
    assert!(unproved < 80, "{unproved} of {verdicts:?} are not proved");
}

#[test]
fn two_halves_of_an_order_prove_nothing() {
    // The read missed the write before it, unless each half begins with nothing.
    let history = parse("p0 w1 ; p1 r_");
    let orders = [[0], [2]].map(|order| Witness { key: None, order: order.to_vec() }).to_vec();
    let outcome = verify(&Evidence { orders, ..evidence("register", Verdict::Valid) }, &history);
    refuted(&outcome.outcome, "two orders");
}

/// Acknowledged operations one after the other: function, argument, result.
#[test]
fn additions_of_nothing_are_in_the_order_too() {
    let mut history = one_after_the_other(&[
        ("add", "0", "null"),
        ("add", "2", "null"),
        ("add", "0", "null"),
        ("read", "null", "2"),
    ]);
    history[2].outcome = Ended::Info;
    for property in ["linearizable", "sequential"] {
        let info = checker("counter", Some(property)).unwrap();
        let options = CheckOptions { witness: true, ..CheckOptions::default() };
        let check = (info.check)(&history, &options, &Unlimited).unwrap();
        assert_eq!(check.verdict, Verdict::Valid);
        let evidence = Evidence::of(&check, "counter", property, &options);
        assert_eq!(verify(&evidence, &history).outcome, Outcome::Confirmed, "{property}");
    }
}

fn one_after_the_other(operations: &[(&str, &str, &str)]) -> Vec<Operation> {
    let value = |text: &str| text.parse::<Value>().unwrap();
    (0..)
        .zip(operations)
        .map(|(number, (f, argument, result))| Operation {
            process: 0,
            f: (*f).into(),
            key: None,
            invoked: value(argument),
            result: value(result),
            outcome: Ended::Ok,
            invoke_index: 2 * number,
            invoke_time: 2 * number,
            complete_index: Some(2 * number + 1),
            complete_time: Some(2 * number + 1),
            node: None,
            error: None,
        })
        .collect()
}

#[track_caller]
fn claimed(model: &str, property: &str, kind: &str, history: &[Operation], few: &[u64]) -> Outcome {
    let claims = vec![Claim { kind: kind.to_owned(), key: None, operations: few.to_vec() }];
    let property = property.to_owned();
    let evidence = Evidence { claims, property, ..evidence(model, Verdict::Invalid) };
    verify(&evidence, history).outcome
}

#[test]
fn what_went_in_and_not_out_is_lost() {
    let history = one_after_the_other(&[
        ("enqueue", "1", "1"),
        ("enqueue", "2", "2"),
        ("dequeue", "null", "2"),
        ("dequeue", "null", "2"),
        ("drain", "null", "[]"),
    ]);
    let claimed = |kind, few| claimed("total-queue", "exactly-once", kind, &history, few);
    assert_eq!(claimed("lost-element", &[0]), Outcome::Confirmed);
    unproved(&claimed("lost-element", &[2]), "do not show it");
    assert_eq!(claimed("duplicate-element", &[4, 6]), Outcome::Confirmed);
    unproved(&claimed("unexpected-element", &[4]), "do not show it");
    refuted(&claimed("lost-element", &[9]), "invokes nothing");
    unproved(&claimed("singed-element", &[0]), "no rule");
}

#[test]
fn anomalies_of_transactions_without_a_cycle_are_seen_again() {
    let mut history = one_after_the_other(&[
        ("txn", r#"[["append","x",1],["append","x",2]]"#, r#"[["append","x",1],["append","x",2]]"#),
        ("txn", r#"[["append","x",3]]"#, "null"),
        ("txn", r#"[["r","x",null]]"#, r#"[["r","x",[1]]]"#),
        ("txn", r#"[["r","x",null]]"#, r#"[["r","x",[1,2,3]]]"#),
        ("txn", r#"[["r","x",null]]"#, r#"[["r","x",[1,2,2]]]"#),
        ("txn", r#"[["r","x",null],["r","x",null]]"#, r#"[["r","x",[1]],["r","x",[1,2]]]"#),
    ]);
    history[1].outcome = Ended::Fail;
    let claimed = |kind, few| claimed("list-append", "serializable", kind, &history, few);
    assert_eq!(claimed("G1a", &[2, 6]), Outcome::Confirmed);
    unproved(&claimed("G1a", &[4]), "do not show it");
    assert_eq!(claimed("G1b", &[0, 4]), Outcome::Confirmed);
    unproved(&claimed("G1b", &[0, 6]), "do not show it");
    assert_eq!(claimed("duplicate-elements", &[8]), Outcome::Confirmed);
    assert_eq!(claimed("incompatible-order", &[6, 8]), Outcome::Confirmed);
    unproved(&claimed("incompatible-order", &[4, 6]), "do not show it");
    assert_eq!(claimed("internal", &[10]), Outcome::Confirmed);
    unproved(&claimed("internal", &[6]), "do not show it");
}

#[test]
fn reads_of_a_bank_show_the_total() {
    let history = one_after_the_other(&[
        ("read", "null", r#"{"0":5,"1":10}"#),
        ("read", "null", r#"{"0":5,"1":15}"#),
    ]);
    let claimed = |few| claimed("bank", "bank-total", "wrong-total", &history, few);
    assert_eq!(claimed(&[2]), Outcome::Confirmed);
    unproved(
        &super::verify(
            &Evidence {
                total: Some(15),
                claims: vec![Claim {
                    kind: "wrong-total".to_owned(),
                    key: None,
                    operations: vec![0],
                }],
                ..evidence("bank", Verdict::Invalid)
            },
            &history,
        )
        .outcome,
        "do not show it",
    );
}

#[test]
fn circles_of_versions_are_never_refuted() {
    let options = CheckOptions::default();
    for text in ["p0 w1 ; p0 r_", "p0 w1 ; p0 w2 ; p1 r2 ; p1 r1", "p0 w1 ; p1 r1 ; p1 w2 ; p0 r_"]
    {
        let history = parse(text);
        for property in
            ["read-your-writes", "monotonic-reads", "monotonic-writes", "writes-follow-reads"]
        {
            let info = checker("register", Some(property)).unwrap();
            let check = (info.check)(&history, &options, &Unlimited).unwrap();
            let evidence = Evidence::of(&check, "register", property, &options);
            let outcome = verify(&evidence, &history).outcome;
            assert!(!matches!(outcome, Outcome::Refuted(_)), "{text} {property}: {outcome:?}");
        }
    }
}
