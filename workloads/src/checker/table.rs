//! The table of checkers: which property of which model is judged by what.

use super::linearizable::check_object;
use super::process_order::check_sequential;
use super::session::{
    check_monotonic_reads, check_monotonic_writes, check_read_your_writes,
    check_writes_follow_reads,
};
use super::staleness::check_staleness;
use super::{
    Budget, Check, availability, bank, counter, isolation, kafka, lock, long_fork, monotonic,
    sequential, set_full, total_queue, unique_ids, watch,
};
use crate::history::Operation;
use crate::model::{
    Bag, Collection, Counter, FencingLock, Initial, KvAppend, Log, MaxPriorityQueue, MultiRegister,
    Mutex, PriorityQueue, Queue, Register, Set, Stack, UnsuitableOperation, VersionedRegister,
};

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

/// What an object asks, with the definition of linearizability.
macro_rules! at_one_moment {
    ($object:literal) => {
        concat!($object, "; every operation acts at one moment between its beginning and its end.")
    };
}

/// Checkers that are in no table of their own.
const SINGLE: &[CheckerInfo] = &[
    // One line for each model of an object.
    object(REGISTERS, at_one_moment!("Each key is one register"), check_object::<Register>),
    object(
        &["versioned-register"],
        at_one_moment!(
            "Each key is one register, changed in the order of the revisions that the store gave"
        ),
        check_object::<VersionedRegister>,
    ),
    object(
        &["multi-register"],
        at_one_moment!("Transactions on several registers"),
        check_object::<MultiRegister>,
    ),
    object(
        &["kv-append"],
        at_one_moment!("Each key is one text, appended to"),
        check_object::<KvAppend>,
    ),
    object(&["mutex"], at_one_moment!("Each key is one lock"), check_object::<Mutex>),
    object(
        &["fencing-lock"],
        at_one_moment!("Each key is one lock, whose tokens grow"),
        check_object::<FencingLock>,
    ),
    object(&["counter"], at_one_moment!("Each key is one counter"), check_object::<Counter>),
    object(
        &["set", "set-full", "grow-only-set"],
        at_one_moment!("Each key is one set"),
        check_object::<Set>,
    ),
    object(&["log"], at_one_moment!("Each key is one log"), check_object::<Log>),
    object(
        &["queue", "fifo-queue"],
        at_one_moment!("Each key is one fifo queue"),
        check_object::<Collection<Queue>>,
    ),
    object(
        &["unordered-queue", "bag"],
        at_one_moment!("Each key is one queue without order"),
        check_object::<Collection<Bag>>,
    ),
    object(&["stack"], at_one_moment!("Each key is one stack"), check_object::<Collection<Stack>>),
    object(
        &["priority-queue"],
        at_one_moment!("Each key is one queue whose least element leaves first"),
        check_object::<Collection<PriorityQueue>>,
    ),
    object(
        &["max-priority-queue"],
        at_one_moment!("Each key is one queue whose greatest element leaves first"),
        check_object::<Collection<MaxPriorityQueue>>,
    ),
    // What may still hold where that does not.
    sequential(REGISTERS, check_sequential::<Register>),
    sequential(&["versioned-register"], check_sequential::<VersionedRegister>),
    sequential(&["multi-register"], check_sequential::<MultiRegister>),
    sequential(&["kv-append"], check_sequential::<KvAppend>),
    sequential(&["mutex"], check_sequential::<Mutex>),
    sequential(&["fencing-lock"], check_sequential::<FencingLock>),
    sequential(&["counter"], check_sequential::<Counter>),
    CheckerInfo {
        models: REGISTERS,
        property: "read-your-writes",
        about: "On each key, a process never reads what is older than its own last write.",
        check: check_read_your_writes,
    },
    CheckerInfo {
        models: REGISTERS,
        property: "monotonic-reads",
        about: "On each key, a process never reads what is older than what it read before.",
        check: check_monotonic_reads,
    },
    CheckerInfo {
        models: REGISTERS,
        property: "monotonic-writes",
        about: "On each key, the writes of a process take effect in its order.",
        check: check_monotonic_writes,
    },
    CheckerInfo {
        models: REGISTERS,
        property: "writes-follow-reads",
        about: "On each key, a write takes effect after what its process read before.",
        check: check_writes_follow_reads,
    },
    staleness(REGISTERS, check_staleness::<Register>),
    staleness(&["versioned-register"], check_staleness::<VersionedRegister>),
    staleness(&["multi-register"], check_staleness::<MultiRegister>),
    staleness(&["kv-append"], check_staleness::<KvAppend>),
    staleness(&["counter"], check_staleness::<Counter>),
    staleness(&["set", "set-full", "grow-only-set"], check_staleness::<Set>),
    // What was read against what was done.
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
        models: &["monotonic"],
        property: "monotonic-per-process",
        about: "Values grow with their timestamps, and what a process reads never goes back.",
        check: monotonic::check_per_process,
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

/// The row of an object, of which every operation acts at one moment while it runs.
const fn object(
    models: &'static [&'static str],
    about: &'static str,
    check: CheckFn,
) -> CheckerInfo {
    CheckerInfo { models, property: "linearizable", about, check }
}

/// The row of an object whose processes each see their own order.
const fn sequential(models: &'static [&'static str], check: CheckFn) -> CheckerInfo {
    let about =
        "On each key there is an order that keeps that of each process; time does not count.";
    CheckerInfo { models, property: "sequential", about, check }
}

/// The row of an object whose reads may be old.
const fn staleness(models: &'static [&'static str], check: CheckFn) -> CheckerInfo {
    let about =
        "Each key is linearizable if reads may be stale by some time; the least is measured.";
    CheckerInfo { models, property: "bounded-staleness", about, check }
}

const REGISTERS: &[&str] = &["register", "cas-register", "kv"];

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

    #[test]
    fn every_model_has_a_judge() {
        for model in crate::model::MODELS {
            for name in std::iter::once(&model.name).chain(model.aliases) {
                assert_eq!(
                    checker(name, None).map(|it| it.property),
                    Some("linearizable"),
                    "{name}"
                );
            }
        }
    }
}
