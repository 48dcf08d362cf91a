//! Levels by their definitions: try everything.

use std::collections::BTreeMap;

use crate::history::{Operation, Outcome, Value};

/// What an order must keep beside the reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Sessions,
    RealTime,
}

impl Keep {
    /// Whether `one` must come before `other`.
    pub(crate) fn before(self, one: &Operation, other: &Operation) -> bool {
        one.outcome == Outcome::Ok
            && one.complete_index.is_some_and(|end| end < other.invoke_index)
            && match self {
                Keep::Nothing => false,
                Keep::Sessions => one.process == other.process,
                Keep::RealTime => true,
            }
    }
}

/// The parts of a transaction, with what was read if that is known.
fn parts(operation: &Operation) -> &[Value] {
    let value =
        if operation.outcome == Outcome::Ok { &operation.result } else { &operation.invoked };
    value.as_list().unwrap_or_default()
}

type Store = BTreeMap<Value, Vec<Value>>;

/// Runs the steps of a transaction on what it sees; says whether its reads agree. `read` returns what a
/// read of these versions returns.
fn run(operation: &Operation, view: &mut Store) -> bool {
    let ok = operation.outcome == Outcome::Ok;
    parts(operation).iter().all(|step| {
        let versions = view.entry(step[1].clone()).or_default();
        match step[0].as_str() {
            Some("append" | "w") => {
                versions.push(step[2].clone());
                true
            }
            _ if !ok => true,
            _ => match &step[2] {
                Value::List(list) => list[..] == versions[..],
                other => versions.last().cloned().unwrap_or_default() == *other,
            },
        }
    })
}

/// The sets of operations that may have taken effect: those known to, and any of the unknown ones.
fn worlds(operations: &[Operation]) -> Vec<Vec<&Operation>> {
    let mut worlds: Vec<Vec<&Operation>> = vec![vec![]];
    for operation in operations {
        let with = worlds.iter().map(|world| {
            let mut world = world.clone();
            world.push(operation);
            world
        });
        worlds = match operation.outcome {
            Outcome::Fail => worlds,
            Outcome::Ok => with.collect(),
            Outcome::Info => with.chain(worlds.iter().cloned()).collect(),
        };
    }
    worlds
}

/// Whether some order of all transactions explains all reads.
pub(crate) fn serializable(operations: &[Operation], keep: Keep) -> bool {
    fn extend(world: &[&Operation], left: &[usize], store: &Store, keep: Keep) -> bool {
        left.is_empty()
            || left.iter().any(|&next| {
                if left.iter().any(|&it| keep.before(world[it], world[next])) {
                    return false;
                }
                let mut store = store.clone();
                let rest: Vec<usize> = left.iter().copied().filter(|&it| it != next).collect();
                run(world[next], &mut store) && extend(world, &rest, &store, keep)
            })
    }
    worlds(operations)
        .iter()
        .any(|world| extend(world, &(0..world.len()).collect::<Vec<_>>(), &Store::new(), keep))
}

/// Whether some order of begins and commits explains all reads: each transaction sees what had been
/// committed when it began, and nobody commits a key that was committed since.
pub(crate) fn snapshot_isolation(operations: &[Operation], keep: Keep) -> bool {
    #[derive(Clone)]
    enum State {
        Waiting,
        Running(Store),
        Committed,
    }
    fn keys(operation: &Operation) -> Vec<&Value> {
        parts(operation)
            .iter()
            .filter(|step| step[0].as_str() != Some("r"))
            .map(|step| &step[1])
            .collect()
    }
    fn extend(world: &[&Operation], states: &[State], store: &Store, keep: Keep) -> bool {
        if states.iter().all(|state| matches!(state, State::Committed)) {
            return true;
        }
        (0..world.len()).any(|next| match &states[next] {
            State::Committed => false,
            State::Waiting => {
                let waits = (0..world.len()).any(|it| {
                    !matches!(states[it], State::Committed) && keep.before(world[it], world[next])
                });
                let mut states = states.to_vec();
                let mut view = store.clone();
                let agrees = run(world[next], &mut view);
                states[next] = State::Running(view);
                !waits && agrees && extend(world, &states, store, keep)
            }
            State::Running(view) => {
                let mut store = store.clone();
                for key in keys(world[next]) {
                    store.insert(key.clone(), view[key].clone());
                }
                // First committer wins: whoever runs and writes the same keys cannot commit.
                let written = keys(world[next]);
                let conflict = (0..world.len()).any(|it| {
                    it != next
                        && matches!(states[it], State::Running(_))
                        && keys(world[it]).iter().any(|key| written.contains(key))
                });
                let mut states = states.to_vec();
                states[next] = State::Committed;
                !conflict && extend(world, &states, &store, keep)
            }
        })
    }
    worlds(operations)
        .iter()
        .any(|world| extend(world, &vec![State::Waiting; world.len()], &Store::new(), keep))
}

/// The axioms of Biswas and Enea, OOPSLA 2019.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axiom {
    ReadCommitted,
    ReadAtomic,
    Causal,
}

/// Whether some order of commits keeps the axiom. Every value is written once, and null is initial.
pub(crate) fn keeps(operations: &[Operation], axiom: Axiom) -> bool {
    let steps = |operation: &Operation| parts(operation).to_vec();
    let all: Vec<&Operation> = operations.iter().filter(|it| it.outcome == Outcome::Ok).collect();
    let count = all.len();
    // Node 0 wrote the initial values.
    let writer_of = |key: &Value, value: &Value| match value {
        Value::Null => Some(0),
        value => (0..count)
            .find(|&it| {
                steps(all[it]).iter().any(|step| {
                    step[0].as_str() == Some("w") && step[1] == *key && step[2] == *value
                })
            })
            .map(|it| it + 1),
    };
    let writes = |node: usize, key: &Value| {
        node == 0
            || steps(all[node - 1])
                .iter()
                .any(|step| step[0].as_str() == Some("w") && step[1] == *key)
    };
    // Reads of others, in order: (reader, position, key, writer).
    let mut reads: Vec<(usize, usize, Value, usize)> = Vec::new();
    for (reader, operation) in all.iter().enumerate() {
        let steps = steps(operation);
        for (at, step) in steps.iter().enumerate().filter(|(_, step)| step[0].as_str() == Some("r"))
        {
            let Some(writer) = writer_of(&step[1], &step[2]) else { return false };
            let before = steps[..at].iter().rfind(|it| it[1] == step[1]);
            if let Some(before) = before {
                // Own writes are seen; from atomic reads on, so is what was read before.
                let own =
                    steps[..at].iter().rfind(|it| it[1] == step[1] && it[0].as_str() == Some("w"));
                if own.is_some_and(|own| own[2] != step[2])
                    || axiom != Axiom::ReadCommitted && before[2] != step[2]
                {
                    return false;
                }
            }
            if writer == reader + 1 {
                if !steps[..at]
                    .iter()
                    .any(|it| it[0].as_str() == Some("w") && it[2] == step[2] && it[1] == step[1])
                {
                    return false;
                }
                continue;
            }
            // Only the last write of a transaction may be seen.
            if writer > 0 {
                let theirs = self::last_write(all[writer - 1], &step[1]);
                if theirs != Some(step[2].clone()) {
                    return false;
                }
            }
            reads.push((reader + 1, at, step[1].clone(), writer));
        }
    }
    let mut base = vec![vec![false; count + 1]; count + 1];
    for node in 1..=count {
        base[0][node] = true;
        for other in 1..=count {
            base[node][other] |= Keep::Sessions.before(all[node - 1], all[other - 1]);
        }
    }
    for (reader, _, _, writer) in &reads {
        base[*writer][*reader] = true;
    }
    let mut causes = base.clone();
    for k in 0..=count {
        for i in 0..=count {
            for j in 0..=count {
                causes[i][j] |= causes[i][k] && causes[k][j];
            }
        }
    }
    let knows = |reader: usize, at: usize, node: usize| match axiom {
        Axiom::ReadCommitted => reads
            .iter()
            .any(|&(by, position, _, writer)| by == reader && position < at && writer == node),
        Axiom::ReadAtomic => base[node][reader],
        Axiom::Causal => causes[node][reader],
    };
    let mut order = base.clone();
    for (reader, at, key, writer) in &reads {
        for node in (0..=count).filter(|node| node != writer && node != reader) {
            if writes(node, key) && knows(*reader, *at, node) {
                order[node][*writer] = true;
            }
        }
    }
    // Some total order contains all of these if and only if they are without a circle.
    for k in 0..=count {
        for i in 0..=count {
            for j in 0..=count {
                order[i][j] |= order[i][k] && order[k][j];
            }
        }
    }
    (0..=count).all(|node| !order[node][node])
}

fn last_write(operation: &Operation, key: &Value) -> Option<Value> {
    let step =
        parts(operation).iter().rfind(|step| step[0].as_str() == Some("w") && step[1] == *key)?;
    Some(step[2].clone())
}
