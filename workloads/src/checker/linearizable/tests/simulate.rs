//! Histories of a simulated register, which are linearizable by construction.

use crate::history::{Operation, Outcome, Value};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub(super) struct Simulation {
    pub(super) seed: u64,
    pub(super) clients: u64,
    pub(super) operations: usize,
    /// Percent of operations whose outcome nobody learns.
    pub(super) crashes: u32,
    /// Values are drawn from so many; none means that they are unique.
    pub(super) values: Option<u64>,
}

/// What a client is doing.
enum Client {
    Idle,
    Invoked(usize),
    /// The operation acted, or never will.
    Settled(usize),
}

/// Runs clients against one register; each operation acts at a random moment in its interval. Of
/// the crashed ones some act at once, some later, some never.
pub(super) fn simulate(simulation: &Simulation) -> Vec<Operation> {
    let mut rng = ChaCha8Rng::seed_from_u64(simulation.seed);
    let mut operations: Vec<Operation> = Vec::new();
    let mut clients: Vec<(u64, Client)> =
        (0..simulation.clients).map(|process| (process, Client::Idle)).collect();
    let mut late: Vec<usize> = Vec::new();
    let mut register = Value::Null;
    let mut unique = 0;
    let mut index = 0;
    while operations.len() < simulation.operations
        || clients.iter().any(|(_, client)| !matches!(client, Client::Idle))
    {
        if !late.is_empty() && rng.random_bool(0.05) {
            let operation = late.swap_remove(rng.random_range(0..late.len()));
            act(&mut operations[operation], &mut register);
        }
        let chosen = rng.random_range(0..clients.len());
        let (process, client) = &mut clients[chosen];
        match *client {
            Client::Idle if operations.len() < simulation.operations => {
                *client = Client::Invoked(operations.len());
                unique += 1;
                let new = simulation.values.map_or(unique, |values| rng.random_range(0..values));
                let (f, invoked) = match rng.random_range(0..20) {
                    0..9 => ("read", Value::Null),
                    9..16 => ("write", Value::from(new)),
                    _ => ("cas", Value::from([register.clone(), Value::from(new)])),
                };
                operations.push(operation(*process, f, invoked, index));
            }
            Client::Idle => continue,
            Client::Invoked(number) => {
                let operation = &mut operations[number];
                if rng.random_range(0..100) < simulation.crashes {
                    match rng.random_range(0..5) {
                        0..2 => act(operation, &mut register),
                        2 => late.push(number),
                        _ => {}
                    }
                    operation.outcome = Outcome::Info;
                    *process += simulation.clients;
                    *client = Client::Idle;
                } else {
                    act(operation, &mut register);
                    *client = Client::Settled(number);
                }
                continue;
            }
            Client::Settled(number) => {
                operations[number].complete_index = Some(index);
                operations[number].complete_time = Some(index * 1_000_000);
                *client = Client::Idle;
            }
        }
        index += 1;
    }
    operations
}

fn operation(process: u64, f: &str, invoked: Value, index: u64) -> Operation {
    Operation {
        process,
        f: f.into(),
        key: None,
        invoked,
        result: Value::Null,
        outcome: Outcome::Ok,
        invoke_index: index,
        invoke_time: index * 1_000_000,
        complete_index: None,
        complete_time: None,
        node: None,
        error: None,
    }
}

/// Takes effect on the register.
fn act(operation: &mut Operation, register: &mut Value) {
    operation.result = operation.invoked.clone();
    match operation.f.as_str() {
        "read" => operation.result = register.clone(),
        "write" => *register = operation.invoked.clone(),
        _ if operation.invoked[0] == *register => *register = operation.invoked[1].clone(),
        _ => operation.outcome = Outcome::Fail,
    }
}
