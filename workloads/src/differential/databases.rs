//! Histories of simulated databases of several levels, and of broken ones.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::history::{Operation, Outcome, Value};

/// What a simulated database keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    /// Each transaction acts at one moment while it runs.
    StrictSerializable,
    /// The same, at any moment.
    Serializable,
    /// Reads from the snapshot at its begin; of two that write the same key only one commits.
    SnapshotIsolation,
    /// Each step acts by itself.
    ReadUncommitted,
    /// As snapshot isolation, but the snapshot may be old, and nobody checks for conflicts.
    Broken,
}

pub(crate) struct Simulation {
    pub(crate) seed: u64,
    pub(crate) database: Database,
    pub(crate) lists: bool,
    pub(crate) transactions: usize,
    pub(crate) clients: u64,
    pub(crate) keys: u64,
    pub(crate) steps: usize,
    /// Percent of transactions of which nobody learns the outcome.
    pub(crate) unknown: u32,
    /// Percent of transactions that fail.
    pub(crate) fail: u32,
    /// Percent of reads that are replaced by something else.
    pub(crate) wrong: u32,
}

type Store = BTreeMap<u64, Vec<Value>>;

/// What a client is doing.
struct Running {
    at: usize,
    snapshot: Store,
    /// How many transactions had committed when it began.
    began: usize,
    step: usize,
    done: Vec<Value>,
    plan: Vec<(bool, u64)>,
}

/// Runs it.
pub(crate) fn simulate(simulation: &Simulation) -> Vec<Operation> {
    let mut rng = ChaCha8Rng::seed_from_u64(simulation.seed);
    let mut operations: Vec<Operation> = Vec::new();
    let mut processes: Vec<u64> = (0..simulation.clients).collect();
    let mut running: Vec<Option<Running>> = (0..simulation.clients).map(|_| None).collect();
    let mut store = Store::new();
    let mut past: Vec<Store> = vec![Store::new()];
    let mut commits: Vec<Vec<u64>> = Vec::new();
    let (mut index, mut value) = (0, 0);
    while operations.len() < simulation.transactions || running.iter().any(Option::is_some) {
        let client = rng.random_range(0..running.len());
        let Some(mut this) = running[client].take() else {
            if operations.len() < simulation.transactions {
                let old = match simulation.database {
                    Database::Broken | Database::Serializable => {
                        past[past.len().saturating_sub(rng.random_range(1..4))].clone()
                    }
                    _ => store.clone(),
                };
                let plan = (0..rng.random_range(1..=simulation.steps))
                    .map(|_| (rng.random_bool(0.5), rng.random_range(0..simulation.keys)))
                    .collect();
                let at = operations.len();
                running[client] = Some(Running {
                    at,
                    snapshot: old,
                    began: commits.len(),
                    step: 0,
                    done: vec![],
                    plan,
                });
                operations.push(begin(processes[client], index));
                index += 1;
            }
            continue;
        };
        let whole = simulation.database == Database::StrictSerializable;
        let steps = if whole { this.plan.len() } else { 1 };
        if whole && this.step == 0 {
            this.snapshot = store.clone();
        }
        for _ in 0..steps.min(this.plan.len() - this.step) {
            let (write, key) = this.plan[this.step];
            this.step += 1;
            let shared = simulation.database == Database::ReadUncommitted;
            let state = if shared { &mut store } else { &mut this.snapshot };
            let versions = state.entry(key).or_default();
            let f = match (write, simulation.lists) {
                (false, _) => "r",
                (true, true) => "append",
                (true, false) => "w",
            };
            let mut told = versions.clone();
            if !write && rng.random_range(0..100) < simulation.wrong {
                match rng.random_range(0..3) {
                    0 => told.truncate(told.len().saturating_sub(1)),
                    1 => told.reverse(),
                    _ => told.truncate(rng.random_range(0..=told.len())),
                }
            }
            let told = match (write, simulation.lists) {
                (true, _) => {
                    value += 1;
                    versions.push(Value::from(value));
                    Value::from(value)
                }
                (false, true) => Value::from(told),
                (false, false) => told.last().cloned().unwrap_or_default(),
            };
            this.done.push(Value::from(vec![f.into(), Value::from(key), told]));
        }
        if this.step < this.plan.len() {
            running[client] = Some(this);
            continue;
        }
        // The end: commit or abort.
        let written: Vec<u64> = this.plan.iter().filter(|it| it.0).map(|it| it.1).collect();
        let conflict =
            |keys: &[u64]| commits[this.began..].iter().flatten().any(|key| keys.contains(key));
        let used: Vec<u64> = this.plan.iter().map(|it| it.1).collect();
        let aborts = match simulation.database {
            Database::SnapshotIsolation => conflict(&written),
            Database::Serializable => {
                // Optimistic: nothing that it used has changed, in the current store.
                used.iter().any(|key| {
                    let now = store.get(key).map(Vec::len).unwrap_or_default();
                    let own = written.iter().filter(|it| *it == key).count();
                    this.snapshot.get(key).map(Vec::len).unwrap_or_default() - own != now
                })
            }
            _ => false,
        } || rng.random_range(0..100) < simulation.fail
            && simulation.database != Database::ReadUncommitted;
        if !aborts && simulation.database != Database::ReadUncommitted {
            for &key in &written {
                let new = this.snapshot.get(&key).cloned().unwrap_or_default();
                match simulation.database {
                    // Appends what it appended, whatever is there by now.
                    Database::Broken => {
                        let known = store.entry(key).or_default();
                        let more: Vec<Value> =
                            new.into_iter().filter(|it| !known.contains(it)).collect();
                        known.extend(more);
                    }
                    _ => {
                        store.insert(key, new);
                    }
                }
            }
        }
        if !aborts {
            commits.push(written);
            past.push(store.clone());
        }
        let unknown = rng.random_range(0..100) < simulation.unknown;
        let outcome = match (unknown, aborts) {
            (true, _) => Outcome::Info,
            (false, true) => Outcome::Fail,
            (false, false) => Outcome::Ok,
        };
        let steps = Value::from(this.done);
        let operation = &mut operations[this.at];
        operation.invoked = steps.clone();
        operation.outcome = outcome;
        if outcome == Outcome::Ok {
            operation.result = steps;
        }
        if unknown {
            processes[client] += simulation.clients;
        } else {
            operation.complete_index = Some(index);
            operation.complete_time = Some(index * 1_000_000);
            index += 1;
        }
    }
    operations
}

/// A transaction of which nobody knows anything yet.
fn begin(process: u64, index: u64) -> Operation {
    Operation {
        process,
        f: "txn".into(),
        key: None,
        invoked: Value::Null,
        result: Value::Null,
        outcome: Outcome::Info,
        invoke_index: index,
        invoke_time: index * 1_000_000,
        complete_index: None,
        complete_time: None,
        node: None,
        error: None,
    }
}
