//! The table of models that histories can be generated of.

use super::plant::{self, PlantFn};
use super::simulate::SyntheticOptions;
use super::subject::{
    Bank, Collection, Counters, Discipline, Forks, Ids, Lists, Lock, Registers, Rows, Sets,
    Streams, Subject, WholeSets,
};

/// A kind of histories.
#[derive(Clone, Copy)]
pub struct SyntheticModel {
    /// The model that the histories are of, by its name in the table of checkers.
    pub model: &'static str,
    /// The strongest property that valid ones have; violations break it.
    pub property: &'static str,
    /// What can be planted.
    pub violations: &'static [Violation],
    pub(super) subject: fn(&SyntheticOptions) -> Box<dyn Subject>,
}

/// Something that must not be in a history.
#[derive(Clone, Copy)]
pub struct Violation {
    /// Its name, such as `stale-read`.
    pub name: &'static str,
    pub(super) plant: PlantFn,
}

impl SyntheticModel {
    /// The violation of this name.
    pub fn violation(&self, name: &str) -> Option<&Violation> {
        self.violations.iter().find(|it| it.name == name)
    }
}

const fn violation(name: &'static str, plant: PlantFn) -> Violation {
    Violation { name, plant }
}

const REGISTER: &[Violation] =
    &[violation("stale-read", plant::stale_read), violation("phantom-read", plant::phantom_read)];

/// Kinds of histories.
pub const SYNTHETIC: &[SyntheticModel] = &[
    SyntheticModel {
        model: "register",
        property: "linearizable",
        violations: REGISTER,
        subject: |options| Box::new(Registers::new(options.keys, false, false)),
    },
    SyntheticModel {
        model: "cas-register",
        property: "linearizable",
        violations: REGISTER,
        subject: |options| Box::new(Registers::new(options.keys, true, false)),
    },
    SyntheticModel {
        model: "kv",
        property: "linearizable",
        violations: REGISTER,
        subject: |options| Box::new(Registers::new(options.keys, true, true)),
    },
    SyntheticModel {
        model: "set",
        property: "linearizable",
        violations: &[
            violation("lost-add", plant::lost_add),
            violation("stale-contains", plant::stale_contains),
        ],
        subject: |options| Box::new(Sets::new(options.keys)),
    },
    SyntheticModel {
        model: "set-full",
        property: "linearizable",
        violations: &[
            violation("lost-element", plant::lost_element),
            violation("stale-read", plant::stale_set),
        ],
        subject: |options| Box::new(WholeSets::new(options.keys)),
    },
    SyntheticModel {
        model: "queue",
        property: "linearizable",
        violations: &[
            violation("fifo-swap", plant::order_swap_queue),
            violation("phantom-dequeue", plant::phantom),
            violation("dup-dequeue", plant::duplicate),
            violation("false-empty", plant::false_empty),
        ],
        subject: |options| Box::new(Collection::new(options.keys, Discipline::Queue, false)),
    },
    SyntheticModel {
        model: "stack",
        property: "linearizable",
        violations: &[
            violation("lifo-swap", plant::order_swap_stack),
            violation("phantom-pop", plant::phantom),
            violation("dup-pop", plant::duplicate),
            violation("false-empty", plant::false_empty),
        ],
        subject: |options| Box::new(Collection::new(options.keys, Discipline::Stack, false)),
    },
    SyntheticModel {
        model: "priority-queue",
        property: "linearizable",
        violations: &[
            violation("priority-swap", plant::order_swap_priority),
            violation("phantom-delete", plant::phantom),
            violation("dup-delete", plant::duplicate),
            violation("false-empty", plant::false_empty),
        ],
        subject: |options| Box::new(Collection::new(options.keys, Discipline::Priority, false)),
    },
    SyntheticModel {
        model: "list-append",
        property: "strict-serializable",
        violations: &[
            violation("stale-read", plant::stale_list),
            violation("duplicate-elements", plant::duplicate_append),
            violation("incompatible-order", plant::incompatible_order),
        ],
        subject: |options| Box::new(Lists::new(options.keys)),
    },
    SyntheticModel {
        model: "rw-register",
        property: "strict-serializable",
        violations: &[violation("stale-read", plant::stale_row)],
        subject: |options| Box::new(Rows::new(options.keys)),
    },
    SyntheticModel {
        model: "bank",
        property: "bank-total",
        violations: &[
            violation("wrong-total", plant::half_transfer),
            violation("negative-value", plant::negative_balance),
        ],
        subject: |options| Box::new(Bank::new(options.keys)),
    },
    SyntheticModel {
        model: "counter",
        property: "counter-bounds",
        violations: &[
            violation("counter-too-high", plant::counter_too_high),
            violation("counter-too-low", plant::counter_too_low),
        ],
        subject: |options| Box::new(Counters(vec![0; options.keys.max(1)])),
    },
    SyntheticModel {
        model: "long-fork",
        property: "parallel-snapshot-isolation",
        violations: &[violation("long-fork", plant::long_fork)],
        subject: |_| Box::new(Forks::new()),
    },
    SyntheticModel {
        model: "unique-ids",
        property: "unique-ids",
        violations: &[violation("duplicate-id", plant::duplicate_id)],
        subject: |_| Box::new(Ids(0)),
    },
    SyntheticModel {
        model: "total-queue",
        property: "exactly-once",
        violations: &[
            violation("lost-element", plant::lost_enqueues),
            violation("duplicate-element", plant::duplicate),
            violation("unexpected-element", plant::phantom),
        ],
        subject: |options| Box::new(Collection::new(options.keys, Discipline::Queue, true)),
    },
    SyntheticModel {
        model: "lock",
        property: "mutual-exclusion",
        violations: &[violation("two-holders", plant::two_holders)],
        subject: |options| Box::new(Lock::new(options.keys)),
    },
    SyntheticModel {
        model: "kafka",
        property: "kafka",
        violations: &[
            violation("lost-write", plant::lost_message),
            violation("duplicate", plant::duplicate_message),
            violation("int-nonmonotonic-poll", plant::reordered_poll),
        ],
        subject: |options| Box::new(Streams::new(options.keys)),
    },
];

/// The kind of histories of this model.
pub fn synthetic(model: &str) -> Option<&'static SyntheticModel> {
    SYNTHETIC.iter().find(|it| it.model == model)
}
