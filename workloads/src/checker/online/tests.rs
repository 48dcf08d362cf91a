//! The online judge against the search over each prefix.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Online;
use crate::checker::Verdict;
use crate::checker::linearizable::{LinearizableOptions, Unlimited, check};
use crate::history::{Event, EventKind, Process, Value, notation, operations};
use crate::model::{Initial, model};

/// The event that proves a violation, by judging each prefix anew.
fn first_violation(events: &[Event], initial: &Value) -> Option<u64> {
    let options = LinearizableOptions { initial: Initial::Value(initial.clone()), threads: 1 };
    (1..=events.len()).find_map(|length| {
        let prefix = operations(&events[..length]).unwrap();
        let check = check(&prefix, model("register").unwrap(), &options, &Unlimited).unwrap();
        assert_ne!(check.verdict, Verdict::Unknown, "{:?}", check.reason);
        (check.verdict == Verdict::Invalid).then(|| events[length - 1].index)
    })
}

fn online(events: &[Event], initial: &Value) -> (Option<u64>, Verdict) {
    let mut online = Online::new(initial.clone());
    let violation = events.iter().find_map(|event| online.push(event));
    (violation.map(|it| it.index), online.finish().verdict)
}

#[track_caller]
fn compare(text: &str, initial: &str, expected: Option<u64>) {
    let events = notation::parse(text).unwrap();
    let initial: Value = initial.parse().unwrap();
    assert_eq!(first_violation(&events, &initial), expected, "by prefixes");
    assert_eq!(online(&events, &initial).0, expected);
}

#[test]
fn violations_are_found_at_the_event_that_proves_them() {
    compare("p0 w1 ; p1 r1 ; p0 w2 ; p1 r1 ; p1 r2", "null", Some(7));
    compare("p0 w1 ; p1 r_", "null", Some(3));
    compare("p0 r5 ; p0 r5 ; p1 w1 ; p0 r5", "5", Some(7));
    compare("p0 w1? ; p1 r_ ; p2 w2 ; p1 r1", "null", None);
    compare("p0 w1? ; p1 r1 ; p2 w2 ; p1 r1", "null", Some(7));
    compare("p0 w1 ; p1 c1:2 | p2 c1:3", "null", Some(5));
    compare("p0 w1 ; p1 c1:2? ; p3 r2 ; p2 w3", "null", None);
    compare("p0 w1 ; p1 c1:2? ; p2 w3 ; p3 r2", "null", Some(7));
    compare("p0 w1 ; p2 w3 ; p1 c1:2? ; p3 r2", "null", Some(7));
    compare("p0 w1 ; p1 c1:2? ; p3 r2 ; p3 r1", "null", Some(7));
    compare("p0 w1 ... ; p1 r1 ; p0 fail", "null", Some(3));
    compare("p0 c1:2? ; p1 c2:1? ; p2 r1", "null", Some(5));
}

/// Events on one key, with values that are written once, of which many make sense.
fn history(rng: &mut ChaCha8Rng, length: usize) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut open: Vec<(u64, &'static str, Value)> = Vec::new();
    let (mut process, mut fresh) = (0, 0);
    let mut recent: Vec<Value> = vec![Value::Null];
    let mut push = |process, kind, f: &str, value: Value| {
        let index = events.len() as u64;
        events.push(Event {
            index,
            time: index,
            scheduled: None,
            process: Process::Client(process),
            kind,
            f: f.into(),
            key: None,
            value,
            error: None,
            node: None,
        });
    };
    for _ in 0..length {
        if open.len() < 4 && rng.random_bool(0.5) {
            let seen = recent[recent.len() - 1 - rng.random_range(0..recent.len().min(3))].clone();
            let mut new = || {
                fresh += 1;
                recent.push(Value::from(fresh));
                Value::from(fresh)
            };
            let (f, value) = match rng.random_range(0..10) {
                0..4 => ("read", Value::Null),
                4..7 => ("write", new()),
                _ => ("cas", Value::from([seen, new()])),
            };
            push(process, EventKind::Invoke, f, value.clone());
            open.push((process, f, value));
            process += 1;
        } else if !open.is_empty() {
            let (process, f, mut value) = open.swap_remove(rng.random_range(0..open.len()));
            if f == "read" {
                value = recent[recent.len() - 1 - rng.random_range(0..recent.len().min(3))].clone();
            }
            let kind = match rng.random_range(0..20) {
                0..17 => EventKind::Ok,
                17 => EventKind::Fail,
                _ => EventKind::Info,
            };
            push(process, kind, f, value);
        }
    }
    events
}

#[test]
fn random_histories_are_judged_as_their_prefixes_are() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (mut violations, mut late) = (0, 0);
    for round in 0..5_000 {
        let events = history(&mut rng, 6 + round % 20);
        let expected = first_violation(&events, &Value::Null);
        let (found, verdict) = online(&events, &Value::Null);
        let text: Vec<String> = events
            .iter()
            .map(|it| format!("{:?} {:?} {} {}", it.process, it.kind, it.f, it.value))
            .collect();
        assert_eq!(found, expected, "{text:#?}");
        let wanted = if expected.is_some() { Verdict::Invalid } else { Verdict::Valid };
        assert_eq!(verdict, wanted);
        violations += usize::from(found.is_some());
        late += usize::from(found.is_some_and(|it| it > 8));
    }
    assert!(violations > 1_000 && late > 400, "{violations} violations, {late} of them late");
}

#[test]
fn a_long_chain_that_nobody_saw_is_given_up() {
    let text = |length: usize| {
        let cas = (0..length).map(|at| format!("p{at} c{at}:{}? ; ", at + 1));
        format!("p90001 w0 ; {}p90000 r{length}", cas.collect::<String>())
    };
    for (length, expected) in [(1_000, Verdict::Valid), (6_000, Verdict::Unknown)] {
        let events = notation::parse(&text(length)).unwrap();
        assert_eq!(online(&events, &Value::Null), (None, expected));
    }
}

#[test]
fn what_is_kept_does_not_grow() {
    // A correct register with four clients.
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut online = Online::new(Value::Null);
    let mut held = 0;
    let mut value = Value::Null;
    let mut open: Vec<Option<(&str, Value)>> = vec![None; 4];
    for index in 0..40_000_u64 {
        let process = rng.random_range(0..4);
        let (kind, f, result) = match open[process].take() {
            None => {
                let fresh = Value::from(index);
                let (f, argument) = match index % 3 {
                    0 => ("write", fresh),
                    1 => ("cas", Value::from([value.clone(), fresh])),
                    _ => ("read", Value::Null),
                };
                open[process] = Some((f, argument.clone()));
                (EventKind::Invoke, f, argument)
            }
            Some((f, argument)) => match f {
                "write" => {
                    value = argument.clone();
                    (EventKind::Ok, f, argument)
                }
                "cas" if argument[0] == value => {
                    value = argument[1].clone();
                    (EventKind::Ok, f, argument)
                }
                "cas" => (EventKind::Fail, f, argument),
                _ => (EventKind::Ok, f, value.clone()),
            },
        };
        let event = Event {
            index,
            time: index,
            scheduled: None,
            process: Process::Client(process as u64),
            kind,
            f: f.into(),
            key: None,
            value: result,
            error: None,
            node: None,
        };
        assert_eq!(online.push(&event), None);
        held = held.max(online.held());
    }
    assert!(held < 40, "{held} values and operations kept");
    assert_eq!(online.finish().verdict, Verdict::Valid);
}
