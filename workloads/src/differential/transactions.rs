//! Transactions: levels of isolation against their definitions.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::databases::{Database, Simulation, simulate};
use super::levels::{Axiom, Keep, keeps, serializable, snapshot_isolation};
use super::tally::Tally;
use super::{menu, small};
use crate::checker::isolation::Level;
use crate::checker::linearizable::Unlimited;
use crate::checker::{CheckOptions, Verdict, checker};
use crate::history::{Operation, Value};
use crate::plural::counted;

/// What a level is, and for which histories the checker claims to find every violation.
#[derive(Clone, Copy)]
enum Definition {
    Serializable(Keep),
    Snapshots(Keep),
    Axioms(Axiom),
    /// That whoever keeps a level keeps all weaker ones.
    Lattice,
}

/// A level of transactions on lists or registers.
#[derive(Clone, Copy)]
pub(super) struct Isolation {
    pub(super) model: &'static str,
    pub(super) property: &'static str,
    definition: Definition,
    /// Whether valid means that it holds; else only that nothing was found.
    complete: bool,
}

/// Transactions of all histories that are tried.
const TRANSACTIONS: usize = 3;

pub(super) const ISOLATION: &[Isolation] = &[
    lists("serializable", Definition::Serializable(Keep::Nothing)),
    lists("strong-session-serializable", Definition::Serializable(Keep::Sessions)),
    lists("strict-serializable", Definition::Serializable(Keep::RealTime)),
    lists("snapshot-isolation", Definition::Snapshots(Keep::Nothing)),
    lists("strong-session-snapshot-isolation", Definition::Snapshots(Keep::Sessions)),
    lists("strong-snapshot-isolation", Definition::Snapshots(Keep::RealTime)),
    lists("all levels", Definition::Lattice),
    registers("serializable", Definition::Serializable(Keep::Nothing)),
    registers("strong-session-serializable", Definition::Serializable(Keep::Sessions)),
    inferred("strict-serializable", Definition::Serializable(Keep::RealTime)),
    registers("snapshot-isolation", Definition::Snapshots(Keep::Nothing)),
    registers("strong-session-snapshot-isolation", Definition::Snapshots(Keep::Sessions)),
    inferred("strong-snapshot-isolation", Definition::Snapshots(Keep::RealTime)),
    registers("causal", Definition::Axioms(Axiom::Causal)),
    registers("read-atomic", Definition::Axioms(Axiom::ReadAtomic)),
    registers("read-committed", Definition::Axioms(Axiom::ReadCommitted)),
    registers("all levels", Definition::Lattice),
];

const fn lists(property: &'static str, definition: Definition) -> Isolation {
    Isolation { model: "list-append", property, definition, complete: true }
}

const fn registers(property: &'static str, definition: Definition) -> Isolation {
    Isolation { model: "rw-register", property, definition, complete: true }
}

/// Registers, where only what follows for sure is found.
const fn inferred(property: &'static str, definition: Definition) -> Isolation {
    Isolation { complete: false, ..registers(property, definition) }
}

const DATABASES: [Database; 5] = [
    Database::StrictSerializable,
    Database::Serializable,
    Database::SnapshotIsolation,
    Database::ReadUncommitted,
    Database::Broken,
];

impl Isolation {
    fn is_lists(&self) -> bool {
        self.model == "list-append"
    }

    /// Compares all small histories, and says which these are.
    pub(super) fn all(&self, tally: &mut Tally) -> String {
        let menu = menu::transactions(if self.is_lists() { "append" } else { "w" });
        let sessions = matches!(
            self.definition,
            Definition::Serializable(Keep::Sessions)
                | Definition::Snapshots(Keep::Sessions)
                | Definition::Axioms(_)
                | Definition::Lattice
        );
        small::all(&menu, TRANSACTIONS, true, sessions, &mut |operations| {
            let is_crashed = |it: &Operation| it.complete_index.is_none();
            // The axioms know no transactions of unknown outcome.
            if !matches!(self.definition, Definition::Axioms(_))
                || !operations.iter().any(is_crashed)
            {
                self.compare(operations, tally);
            }
        });
        format!("{}, 2 keys", counted(TRANSACTIONS as u64, "transaction"))
    }

    /// Compares a random history.
    pub(super) fn random(&self, rng: &mut ChaCha8Rng, tally: &mut Tally) {
        let is_axiom = matches!(self.definition, Definition::Axioms(_));
        let percent = |rng: &mut ChaCha8Rng, percents: [u32; 3]| percents[rng.random_range(0..3)];
        let history = simulate(&Simulation {
            seed: rng.random(),
            database: DATABASES[rng.random_range(0..DATABASES.len())],
            lists: self.is_lists(),
            transactions: rng.random_range(2..=5),
            clients: rng.random_range(1..=4),
            keys: rng.random_range(1..=3),
            steps: rng.random_range(1..=4),
            unknown: if is_axiom { 0 } else { percent(rng, [0, 0, 20]) },
            fail: if is_axiom { 0 } else { percent(rng, [0, 0, 20]) },
            wrong: percent(rng, [0, 15, 30]),
        });
        self.compare(&history, tally);
    }

    fn compare(&self, operations: &[Operation], tally: &mut Tally) {
        let holds = match self.definition {
            Definition::Serializable(keep) => serializable(operations, keep),
            Definition::Snapshots(keep) => snapshot_isolation(operations, keep),
            Definition::Axioms(axiom) => keeps(operations, axiom),
            Definition::Lattice => return self.compare_levels(operations, tally),
        };
        let complete = self.complete
            && (!matches!(self.definition, Definition::Snapshots(_))
                || !self.is_lists()
                || all_appends_are_read(operations));
        tally.case(holds);
        let options = CheckOptions { witness: true, ..CheckOptions::default() };
        let info = checker(self.model, Some(self.property)).expect("the table has all levels");
        match (info.check)(operations, &options, &Unlimited) {
            Ok(check) => {
                tally.verdict(self.property, &check, holds, complete, operations);
                tally.evidence(&check, self.model, self.property, &options, operations);
            }
            Err(error) => tally.disagree(&format!("it cannot be read: {error}"), operations),
        }
    }

    /// A level that holds has no weaker one that does not.
    fn compare_levels(&self, operations: &[Operation], tally: &mut Tally) {
        let options = CheckOptions::default();
        let verdict = |level: Level| {
            let info = checker(self.model, Some(level.name())).expect("the table has all levels");
            (info.check)(operations, &options, &Unlimited).map(|check| check.verdict)
        };
        let mut verdicts = Vec::new();
        for &level in Level::ALL {
            match verdict(level) {
                Ok(verdict) => verdicts.push(verdict),
                Err(error) => {
                    tally.case(false);
                    return tally.disagree(&format!("it cannot be read: {error}"), operations);
                }
            }
        }
        let of = |level: Level| verdicts[level as usize];
        tally.case(of(Level::StrictSerializable) == Verdict::Valid);
        for &level in Level::ALL {
            tally.open += u64::from(of(level) == Verdict::Unknown);
            for &weaker in level.weaker() {
                let comparable = self.is_lists()
                    || !is_searched(weaker)
                        && (counts_processes(level) || !counts_processes(weaker));
                if comparable && of(level) == Verdict::Valid && of(weaker) == Verdict::Invalid {
                    let what = format!("{} holds, but {} does not", level.name(), weaker.name());
                    tally.disagree(&what, operations);
                }
            }
        }
    }
}

/// Whether the order of each process counts for this level of registers. It does for some whose
/// definition does not say so, see the documentation of their check.
fn counts_processes(level: Level) -> bool {
    let decided = [Level::ReadCommitted, Level::ReadAtomic, Level::Causal];
    decided.contains(&level) || level.name().starts_with("str")
}

/// Whether an order is searched for, so that more is found than at the levels above it.
fn is_searched(level: Level) -> bool {
    [Level::StrongSessionSnapshotIsolation, Level::StrongSessionSerializable].contains(&level)
}

/// Appends that no read returned may be in an order that only snapshots forbid: the checker does not
/// claim to find that.
pub(crate) fn all_appends_are_read(history: &[Operation]) -> bool {
    let parts: Vec<&Value> =
        history.iter().filter_map(|it| it.invoked.as_list()).flatten().collect();
    let seen: Vec<&Value> = history
        .iter()
        .filter_map(|it| it.result.as_list())
        .flatten()
        .filter(|part| part[0].as_str() == Some("r"))
        .collect();
    let is_read = |append: &Value| {
        seen.iter().any(|read| {
            read[1] == append[1] && read[2].as_list().is_some_and(|list| list.contains(&append[2]))
        })
    };
    let mut unread: Vec<&Value> = parts
        .into_iter()
        .filter(|part| part[0].as_str() == Some("append") && !is_read(part))
        .map(|part| &part[1])
        .collect();
    unread.sort();
    unread.windows(2).all(|two| two[0] != two[1])
}
