//! Weak levels of registers against the axioms.

use super::{Level, registers};
use crate::checker::Verdict;
use crate::differential::databases::{Database, Simulation, simulate};
use crate::differential::levels::{Axiom, keeps};

#[test]
fn weak_levels_of_registers_agree_with_the_axioms() {
    let levels = [
        (Level::ReadCommitted, Axiom::ReadCommitted),
        (Level::ReadAtomic, Axiom::ReadAtomic),
        (Level::Causal, Axiom::Causal),
    ];
    for (level, axiom) in levels {
        let (mut valid, mut invalid) = (0, 0);
        for seed in 0..6_000u64 {
            let history = simulate(&Simulation {
                seed,
                database: [
                    Database::ReadUncommitted,
                    Database::Broken,
                    Database::SnapshotIsolation,
                ][(seed % 3) as usize],
                lists: false,
                transactions: 3 + (seed % 6) as usize,
                clients: 1 + seed % 4,
                keys: 1 + seed / 5 % 3,
                steps: 1 + (seed / 15 % 5) as usize,
                unknown: 0,
                fail: 0,
                wrong: if seed % 2 == 0 { 20 } else { 0 },
            });
            let check = registers(&history, level);
            let told = || -> Vec<String> {
                history
                    .iter()
                    .map(|it| format!("{} {:?} {}", it.process, it.outcome, it.invoked))
                    .collect()
            };
            let holds = keeps(&history, axiom);
            if holds {
                valid += 1;
                assert_eq!(check.verdict, Verdict::Valid, "{level:?} {:#?} {check:#?}", told());
            } else {
                invalid += 1;
                assert_eq!(check.verdict, Verdict::Invalid, "{level:?} {:#?} {check:#?}", told());
            }
        }
        eprintln!("{}: {valid} hold, {invalid} do not", level.name());
        assert!(valid > 500 && invalid > 500, "{valid} {invalid}");
    }
}

#[test]
fn what_nobody_else_did_is_not_missed() {
    // The initial version is read after the same process wrote the key.
    let history = super::history("0 0-1 wx1 ; 0 2-3 rx_ ry_ ; 1 4-5 wy2");
    assert_eq!(registers(&history, Level::Causal).verdict, Verdict::Invalid);
    assert_eq!(registers(&history, Level::ReadAtomic).verdict, Verdict::Invalid);
    assert_eq!(registers(&history, Level::ReadCommitted).verdict, Verdict::Valid);
}
