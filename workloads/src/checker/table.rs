//! The table of checkers: which property of which model is judged by what.

use super::{
    Budget, Check, availability, bank, counter, isolation, kafka, linearizable, lock, long_fork,
    monotonic, sequential, set_full, total_queue, unique_ids, watch,
};
use crate::history::Operation;
use crate::model::{Initial, UnsuitableOperation};

/// What a checker is told apart from the history.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// What objects hold before the first operation; none is what the model says.
    pub initial: Option<Initial>,
    /// Threads that may work at the same time; the result does not depend on it.
    pub threads: usize,
    /// The sum of all accounts, for `bank`.
    pub total: Option<i64>,
    /// Whether a valid check is to carry the orders that prove it, as [`Check::witness`].
    pub witness: bool,
    /// Which algorithms may be used, where there are several.
    pub method: Method,
}

impl Default for CheckOptions {
    /// One thread, whatever is fastest, no witness.
    fn default() -> CheckOptions {
        CheckOptions {
            initial: None,
            threads: 1,
            total: None,
            witness: false,
            method: Method::Fastest,
        }
    }
}

/// Which algorithms a checker may use. Verdicts must not depend on it, except for unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The fastest that is exact for the history.
    Fastest,
    /// The general search only, to compare with.
    Search,
}

/// A judge of all operations of a history, in the order of their invocation.
pub type CheckFn =
    fn(&[Operation], &CheckOptions, &dyn Budget) -> Result<Check, UnsuitableOperation>;

/// One property of one or more models.
#[derive(Debug, Clone, Copy)]
pub struct CheckerInfo {
    /// The models, by the names on the command line; the first property of a model is its default.
    pub models: &'static [&'static str],
    /// The property, such as `linearizable` or `snapshot-isolation`.
    pub property: &'static str,
    /// What it asks, in a sentence.
    pub about: &'static str,
    /// The judge.
    pub check: CheckFn,
}

/// Checkers that are in no table of their own.
const SINGLE: &[CheckerInfo] = &[
    CheckerInfo {
        models: &["register", "cas-register"],
        property: "linearizable",
        about: "Each key is one register, and every operation acts at one moment while it runs.",
        check: linearizable::check_register,
    },
    CheckerInfo {
        models: &["bank"],
        property: "bank-total",
        about: "Every read shows the total of all accounts, and none below zero.",
        check: bank::check_total,
    },
    CheckerInfo {
        models: &["bank"],
        property: "bank-total-signed",
        about: "Every read shows the total of all accounts, which may be overdrawn.",
        check: bank::check_total_signed,
    },
    CheckerInfo {
        models: &["bank"],
        property: "bank-balances",
        about: "Every balance lies between what must and what may have been transferred.",
        check: bank::check_balances,
    },
    CheckerInfo {
        models: &["counter"],
        property: "counter-bounds",
        about: "Every read lies between what must and what may have been added.",
        check: counter::check,
    },
    CheckerInfo {
        models: &["long-fork"],
        property: "parallel-snapshot-isolation",
        about: "No two reads disagree on the order of two writes.",
        check: long_fork::check,
    },
    CheckerInfo {
        models: &["long-fork"],
        property: "snapshot-isolation",
        about: "No two reads disagree on the order of two writes.",
        check: long_fork::check,
    },
    CheckerInfo {
        models: &["set-full"],
        property: "set-full",
        about: "No element that was added is missing from all later reads.",
        check: set_full::check,
    },
    CheckerInfo {
        models: &["total-queue"],
        property: "total-queue",
        about: "What goes in comes out, at least once; the history drains the queue.",
        check: total_queue::check,
    },
    CheckerInfo {
        models: &["total-queue"],
        property: "exactly-once",
        about: "What goes in comes out, once; the history drains the queue.",
        check: total_queue::check_exactly_once,
    },
    CheckerInfo {
        models: &["unique-ids"],
        property: "unique-ids",
        about: "No id is given twice.",
        check: unique_ids::check,
    },
    CheckerInfo {
        models: &["lock"],
        property: "mutual-exclusion",
        about: "No two processes surely hold a lock at once.",
        check: lock::check_exclusion,
    },
    CheckerInfo {
        models: &["lock"],
        property: "fencing",
        about: "Tokens grow, and none is accepted after a newer one.",
        check: lock::check_fencing,
    },
    CheckerInfo {
        models: &["kafka"],
        property: "kafka",
        about: "Logs neither lose nor reorder messages, and consumers skip none.",
        check: kafka::check,
    },
    CheckerInfo {
        models: &["kafka"],
        property: "kafka-drained",
        about: "As kafka, and every acknowledged message was polled by the end.",
        check: kafka::check_drained,
    },
    CheckerInfo {
        models: &["watch"],
        property: "watch",
        about: "Watches deliver all changes they asked for, once and in order.",
        check: watch::check,
    },
    CheckerInfo {
        models: &["monotonic"],
        property: "monotonic",
        about: "Values grow with their timestamps and with time.",
        check: monotonic::check,
    },
    CheckerInfo {
        models: &["sequential"],
        property: "sequential",
        about: "Who sees a client's later write sees its earlier ones.",
        check: sequential::check_sequential,
    },
    CheckerInfo {
        models: &["comments"],
        property: "strict-serializable",
        about: "Who sees a write sees all that ended before it began.",
        check: sequential::check_comments,
    },
    CheckerInfo {
        models: &["availability"],
        property: "availability",
        about: "How many operations succeeded, and how long none did.",
        check: availability::check,
    },
];

/// All checkers that can be asked for.
pub const CHECKERS: &[CheckerInfo] =
    &joined::<{ SINGLE.len() + isolation::CHECKERS.len() }>(&[SINGLE, isolation::CHECKERS]);

/// The rows of several tables in one.
const fn joined<const ROWS: usize>(tables: &[&[CheckerInfo]]) -> [CheckerInfo; ROWS] {
    let mut rows = [tables[0][0]; ROWS];
    let (mut row, mut table) = (0, 0);
    while table < tables.len() {
        let mut at = 0;
        while at < tables[table].len() {
            rows[row] = tables[table][at];
            (row, at) = (row + 1, at + 1);
        }
        table += 1;
    }
    rows
}

/// The checker of this property of this model; without a property, the model's default.
pub fn checker(model: &str, property: Option<&str>) -> Option<&'static CheckerInfo> {
    CHECKERS.iter().find(|it| {
        it.models.contains(&model) && property.is_none_or(|property| property == it.property)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_of_a_model_has_one_checker() {
        let mut seen = std::collections::HashSet::new();
        for info in CHECKERS {
            for model in info.models {
                assert!(seen.insert((model, info.property)), "{model} {} twice", info.property);
            }
        }
    }

    #[test]
    fn the_first_property_is_the_default() {
        assert_eq!(checker("register", None).map(|it| it.property), Some("linearizable"));
        assert!(checker("register", Some("serializable")).is_none());
        assert!(checker("kettle", None).is_none());
    }
}
