//! The table of checkers: which property of which model is judged by what.

use super::linearizable::check_object;
use super::process_order::check_sequential;
use super::session::{
    check_monotonic_reads, check_monotonic_writes, check_read_your_writes,
    check_writes_follow_reads,
};
use super::staleness::check_staleness;
use super::{Budget, Check};
use crate::history::Operation;
use crate::model::{
    Counter, FencingLock, Initial, KvAppend, MultiRegister, Mutex, Register, UnsuitableOperation,
    VersionedRegister,
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

/// All checkers that can be asked for.
pub const CHECKERS: &[CheckerInfo] = &[
    // One line for each model of an object.
    object(REGISTERS, "Each key is one register.", check_object::<Register>),
    object(
        &["versioned-register"],
        "Each key is one register, changed in the order of the revisions that the store gave.",
        check_object::<VersionedRegister>,
    ),
    object(
        &["multi-register"],
        "Transactions on several registers.",
        check_object::<MultiRegister>,
    ),
    object(&["kv-append"], "Each key is one text, appended to.", check_object::<KvAppend>),
    object(&["mutex"], "Each key is one lock.", check_object::<Mutex>),
    object(
        &["fencing-lock"],
        "Each key is one lock, whose tokens grow.",
        check_object::<FencingLock>,
    ),
    object(&["counter"], "Each key is one counter.", check_object::<Counter>),
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
];

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
