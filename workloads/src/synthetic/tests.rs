use super::*;
use crate::checker::script::{kinds, options};
use crate::checker::{CHECKERS, Check, Verdict, linearizable::Unlimited};
use crate::history::{Operation, Outcome, operations};

fn shape(seed: u64) -> SyntheticOptions {
    SyntheticOptions {
        operations: 40 + (seed as usize % 7) * 40,
        concurrency: 1 + seed as usize % 9,
        crash_rate: [0.0, 0.02, 0.1][seed as usize % 3],
        keys: [1, 3][seed as usize % 2],
        at: (seed % 10) as f64 / 10.0,
        seed,
    }
}

/// What every checker of the table says that knows the model and the property.
fn judge(model: &SyntheticModel, property: &str, operations: &[Operation]) -> Option<Check> {
    let info =
        CHECKERS.iter().find(|it| it.models.contains(&model.model) && it.property == property)?;
    Some((info.check)(operations, &options(), &Unlimited).expect("operations of the model"))
}

#[test]
fn generated_histories_are_valid() {
    for model in SYNTHETIC {
        for seed in 0..40 {
            let (history, planted) = generate(model, None, &shape(seed)).unwrap();
            assert!(planted.is_none());
            let Some(check) = judge(model, model.property, &history) else { break };
            assert_ne!(
                check.verdict,
                Verdict::Invalid,
                "{} {seed}: {}",
                model.model,
                crate::checker::script::words(&check)
            );
        }
    }
}

#[test]
fn planted_violations_are_found() {
    for model in SYNTHETIC {
        for violation in model.violations {
            let mut found = 0;
            for seed in 0..40 {
                let shape = shape(seed);
                let Some((history, planted)) = generate(model, Some(violation), &shape) else {
                    continue;
                };
                assert!(planted.is_some());
                found += 1;
                let Some(check) = judge(model, model.property, &history) else { continue };
                // Nobody tells the order of a register's versions, so not everything can be proved.
                let may_be_unknown = model.model == "rw-register";
                assert!(
                    check.verdict == Verdict::Invalid
                        || (may_be_unknown && check.verdict == Verdict::Unknown),
                    "{} {} {seed}: {planted:?} is {:?}",
                    model.model,
                    violation.name,
                    check.verdict
                );
                // Checkers of anomalies name what was planted.
                if !check.anomalies.is_empty() && model.property != "strict-serializable" {
                    assert!(
                        kinds(&check).contains(&violation.name),
                        "{} {}: {:?}",
                        model.model,
                        violation.name,
                        kinds(&check)
                    );
                }
            }
            assert!(found > 10, "{} {}: {found}", model.model, violation.name);
        }
    }
}

/// What is lost of a set is judged by a property of its own, besides the linearizable one.
#[test]
fn a_lost_element_is_found_by_set_full() {
    let model = synthetic("set-full").unwrap();
    let mut found = 0;
    for seed in 0..40 {
        let lost = generate(model, model.violation("lost-element"), &shape(seed));
        if let Some((history, _)) = lost {
            let check = judge(model, "set-full", &history).unwrap();
            assert_eq!(kinds(&check), ["lost-element"], "{seed}");
            found += 1;
        }
        let (history, _) = generate(model, None, &shape(seed)).unwrap();
        assert_ne!(judge(model, "set-full", &history).unwrap().verdict, Verdict::Invalid);
    }
    assert!(found > 10);
}

#[test]
fn balances_are_explained_by_transfers() {
    let model = synthetic("bank").unwrap();
    for seed in 0..40 {
        let (history, _) = generate(model, None, &shape(seed)).unwrap();
        let check = judge(model, "bank-balances", &history).unwrap();
        assert_ne!(
            check.verdict,
            Verdict::Invalid,
            "{seed}: {}",
            crate::checker::script::words(&check)
        );
    }
}

#[test]
fn the_same_options_give_the_same_history() {
    for model in SYNTHETIC {
        let violation = model.violations.first();
        let one = generate(model, violation, &shape(4));
        assert_eq!(one, generate(model, violation, &shape(4)), "{}", model.model);
        let other = SyntheticOptions { seed: 5, ..shape(4) };
        assert_ne!(one, generate(model, violation, &other), "{}", model.model);
    }
}

#[test]
fn crashes_and_concurrency_are_as_asked_for() {
    let shape = SyntheticOptions {
        operations: 4000,
        concurrency: 10,
        crash_rate: 0.05,
        keys: 2,
        at: 0.5,
        seed: 1,
    };
    for model in SYNTHETIC {
        let (history, _) = generate(model, None, &shape).unwrap();
        assert!(history.len() >= 4000, "{}", model.model);
        let crashed = history.iter().filter(|it| it.outcome == Outcome::Info).count();
        assert!((100..350).contains(&crashed), "{}: {crashed}", model.model);
        let processes: std::collections::BTreeSet<u64> =
            history.iter().take(100).map(|it| it.process).collect();
        assert!(processes.len() >= 9, "{}", model.model);
    }
}

#[test]
fn events_are_those_of_the_operations() {
    for model in SYNTHETIC {
        let (history, _) = generate(model, None, &shape(8)).unwrap();
        assert_eq!(operations(&to_events(&history)).unwrap(), history, "{}", model.model);
    }
}
