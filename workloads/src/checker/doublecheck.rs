//! Two ways to the same answer: with all that a model knows, and with its step function alone.

use super::linearizable::{Meter, decide, partition, verify};
use super::{Budget, Check, CheckFn, CheckOptions, PartitionCounts, Verdict};
use crate::history::Operation;
use crate::model::{
    Counter, Decision, Entry, FencingLock, KvAppend, Model, MultiRegister, Mutex, ObjectModel,
    Register, UnsuitableOperation, VersionedRegister,
};

/// Who checks a model twice.
pub const DOUBLECHECKS: &[(&[&str], CheckFn)] = &[
    (&["register", "cas-register", "kv"], doublecheck_object::<Register>),
    (&["versioned-register"], doublecheck_object::<VersionedRegister>),
    (&["multi-register"], doublecheck_object::<MultiRegister>),
    (&["kv-append"], doublecheck_object::<KvAppend>),
    (&["mutex"], doublecheck_object::<Mutex>),
    (&["fencing-lock"], doublecheck_object::<FencingLock>),
    (&["counter"], doublecheck_object::<Counter>),
];

/// A model of which nothing is known but its step function.
pub(super) struct Plain<'a, M>(pub(super) &'a M);

impl<M: Model> Model for Plain<'_, M> {
    type Op = M::Op;
    type State = M::State;

    fn initial(&self) -> M::State {
        self.0.initial()
    }

    fn step(&self, state: &M::State, op: &M::Op) -> Option<M::State> {
        self.0.step(state, op)
    }

    fn is_read_only(&self, op: &M::Op) -> bool {
        self.0.is_read_only(op)
    }

    fn state_bytes(&self, state: &M::State) -> usize {
        self.0.state_bytes(state)
    }

    fn describe_op(&self, op: &M::Op) -> String {
        self.0.describe_op(op)
    }

    fn describe_state(&self, state: &M::State) -> String {
        self.0.describe_state(state)
    }

    fn describe_refusal(&self, state: &M::State, op: &M::Op) -> String {
        self.0.describe_refusal(state, op)
    }
}

/// Judges each key of the model `M` in both ways. Valid if they agree on every key, whatever they say;
/// invalid if they ever differ, which is a bug of ours; unknown if the slower way ran out of budget.
pub fn doublecheck_object<M: ObjectModel>(
    operations: &[Operation],
    options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let initial = options.initial.clone().unwrap_or_else(M::usual_initial);
    let mut partitions = PartitionCounts::default();
    let (mut reason, mut linearizable) = (None, 0);
    for (key, operations) in partition(operations) {
        let (model, entries) = M::encode(&operations, &initial)?;
        let answers = both(&model, &entries, budget);
        let key = key.map_or(String::new(), |key| format!("key {key}: "));
        match answers {
            Ok((a, b)) if a == b => {
                partitions.valid += 1;
                linearizable += usize::from(a);
            }
            Ok((a, _)) => {
                partitions.invalid += 1;
                let (one, other) = if a { ("an", "no") } else { ("no", "an") };
                reason = Some(format!("{key}one way finds {one} order, the other {other} order"));
            }
            Err(spent) => {
                partitions.unknown += 1;
                reason.get_or_insert(format!("{key}{spent}"));
            }
        }
    }
    let (verdict, summary) = match partitions {
        PartitionCounts { invalid, .. } if invalid > 0 => {
            (Verdict::Invalid, format!("two ways to judge differ on {invalid} keys (a bug)"))
        }
        PartitionCounts { unknown, .. } if unknown > 0 => {
            (Verdict::Unknown, format!("{unknown} keys could not be judged in two ways"))
        }
        PartitionCounts { valid, .. } => (
            Verdict::Valid,
            format!("two ways to judge agree on {valid} keys, {linearizable} of them linearizable"),
        ),
    };
    Ok(Check {
        reason,
        partitions: Some(partitions),
        ..Check::new("doublecheck", verdict, summary)
    })
}

/// Whether there is an order, found in either way; orders are verified.
fn both<M: Model>(
    model: &M,
    entries: &[Entry<M::Op>],
    budget: &dyn Budget,
) -> Result<(bool, bool), String> {
    let mut meter = Meter::new(budget);
    meter.ask(0)?;
    let explains = |decision: Decision| match decision {
        Decision::Order(order) => verify(model, entries, &order)
            .map(|()| true)
            .map_err(|error| format!("an order does not verify: {error} (a bug)")),
        Decision::Impossible => Ok(false),
    };
    let quick = explains(decide(model, entries, &mut meter)?)?;
    let slow = explains(decide(&Plain(model), entries, &mut Meter::new(budget))?)?;
    Ok((quick, slow))
}
