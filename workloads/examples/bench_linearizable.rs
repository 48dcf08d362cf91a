//! How fast registers are judged, over generated histories.
//!
//! ```text
//! cargo run -p workloads --example bench_linearizable -- unique 10000 100000 1000000
//! cargo run -p workloads --example bench_linearizable -- small 100 1000 10000
//! cargo run -p workloads --example bench_linearizable -- online 1000000
//! ```
//!
//! `unique`: values that never repeat, reads, writes and cas; needs no search. `small`: five values,
//! one key; the general search. Prints CPU seconds of the check and how the time grows with the number of
//! operations. `online`: event by event; prints events per CPU second and the most that was kept.

#![expect(clippy::print_stdout, reason = "this is a command-line tool")]
#![expect(clippy::disallowed_types, reason = "files and clocks are for the rim, which this is")]
#![expect(clippy::disallowed_methods, reason = "files and clocks are for the rim, which this is")]

use std::error::Error;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use workloads::checker::online::Online;
use workloads::checker::{Budget, CheckOptions, checker};
use workloads::history::{Event, EventKind, Operation, Outcome, Process, Value};

/// What a history is like.
#[derive(Clone, Copy)]
struct Shape {
    operations: usize,
    clients: usize,
    keys: u64,
    /// Percent of operations that crash.
    crashes: u32,
    /// Values are drawn from so many; none means that they are unique.
    values: Option<u64>,
    /// Whether a stale read is planted at 70 %.
    stale: bool,
    seed: u64,
}

/// What a client is doing.
#[derive(Clone, Copy)]
enum Client {
    Idle,
    Invoked(usize),
    Settled(usize),
}

/// Runs clients against registers; each operation acts at a random moment in its interval. Of the
/// crashed ones some act at once, some later, some never.
fn simulate(shape: &Shape) -> Vec<Operation> {
    let mut rng = ChaCha8Rng::seed_from_u64(shape.seed);
    let mut operations: Vec<Operation> = Vec::with_capacity(shape.operations);
    let mut clients = vec![Client::Idle; shape.clients];
    let mut processes: Vec<u64> = (0..shape.clients as u64).collect();
    let mut registers = vec![Value::Null; shape.keys as usize];
    let mut late: Vec<usize> = Vec::new();
    let (mut unique, mut index, mut busy) = (0_u64, 0_u64, 0);
    while operations.len() < shape.operations || busy > 0 {
        if !late.is_empty() && rng.random_bool(0.02) {
            let operation = late.swap_remove(rng.random_range(0..late.len()));
            act(&mut operations[operation], &mut registers);
        }
        let chosen = rng.random_range(0..clients.len());
        match clients[chosen] {
            Client::Idle if operations.len() < shape.operations => {
                clients[chosen] = Client::Invoked(operations.len());
                busy += 1;
                unique += 1;
                let key = rng.random_range(0..shape.keys);
                let new = shape.values.map_or(unique, |values| rng.random_range(0..values));
                let (f, invoked) = match rng.random_range(0..10) {
                    0..5 => ("read", Value::Null),
                    5..9 => ("write", Value::from(new)),
                    _ => ("cas", Value::from([registers[key as usize].clone(), new.into()])),
                };
                operations.push(Operation {
                    process: processes[chosen],
                    f: f.into(),
                    key: Some(Value::from(key)),
                    invoked,
                    result: Value::Null,
                    outcome: Outcome::Ok,
                    invoke_index: index,
                    invoke_time: index * 1_000_000,
                    complete_index: None,
                    complete_time: None,
                    node: None,
                    error: None,
                });
                index += 1;
            }
            Client::Idle => {}
            Client::Invoked(number) if rng.random_range(0..100) < shape.crashes => {
                match rng.random_range(0..5) {
                    0..2 => act(&mut operations[number], &mut registers),
                    2 => late.push(number),
                    _ => {}
                }
                operations[number].outcome = Outcome::Info;
                operations[number].complete_index = Some(index);
                operations[number].complete_time = Some(index * 1_000_000);
                index += 1;
                processes[chosen] += shape.clients as u64;
                clients[chosen] = Client::Idle;
                busy -= 1;
            }
            Client::Invoked(number) => {
                act(&mut operations[number], &mut registers);
                clients[chosen] = Client::Settled(number);
            }
            Client::Settled(number) => {
                operations[number].complete_index = Some(index);
                operations[number].complete_time = Some(index * 1_000_000);
                clients[chosen] = Client::Idle;
                busy -= 1;
                index += 1;
            }
        }
    }
    operations
}

fn act(operation: &mut Operation, registers: &mut [Value]) {
    let key = operation.key.as_ref().and_then(Value::as_u64).unwrap_or(0);
    let register = &mut registers[key as usize];
    operation.result = operation.invoked.clone();
    match operation.f.as_str() {
        "read" => operation.result = register.clone(),
        "write" => *register = operation.invoked.clone(),
        _ if operation.invoked[0] == *register => *register = operation.invoked[1].clone(),
        _ => operation.outcome = Outcome::Fail,
    }
}

/// Gives a read at 70 % a value that was overwritten before it began. False if there is none.
fn plant(operations: &mut [Operation]) -> bool {
    let start = operations.len() * 7 / 10;
    (start..operations.len()).any(|at| {
        let read = &operations[at];
        if read.f != "read" || read.outcome != Outcome::Ok {
            return false;
        }
        match stale_value(operations, at) {
            Some(value) => {
                operations[at].result = value;
                true
            }
            None => false,
        }
    })
}

/// A value that the read at this position cannot return.
fn stale_value(operations: &[Operation], at: usize) -> Option<Value> {
    const WINDOW: usize = 20_000;
    let read = &operations[at];
    let same: Vec<&Operation> = operations
        [at.saturating_sub(WINDOW)..(at + 1_000).min(operations.len())]
        .iter()
        .filter(|it| it.key == read.key && it.f != "read" && it.outcome != Outcome::Fail)
        .collect();
    let ended = |it: &Operation| match it.outcome {
        Outcome::Ok => it.complete_index.unwrap_or(u64::MAX),
        Outcome::Fail | Outcome::Info => u64::MAX,
    };
    let written = |it: &Operation| match it.invoked.as_list() {
        Some(pair) => pair[1].clone(),
        None => it.invoked.clone(),
    };
    let newer = same.iter().rfind(|it| it.f == "write" && ended(it) < read.invoke_index)?;
    let is_gone = |value: &Value| {
        *value != written(newer)
            && operations.iter().all(|it| {
                it.key != read.key
                    || it.f == "read"
                    || it.outcome == Outcome::Fail
                    || written(it) != *value
                    || ended(it) < newer.invoke_index
                    || it.invoke_index > ended(read)
            })
    };
    same.iter()
        .rev()
        .filter(|it| ended(it) < newer.invoke_index)
        .take(8)
        .map(|it| written(it))
        .find(is_gone)
}

/// Time and memory, and the most that was held.
struct Limits {
    deadline: Instant,
    bytes: usize,
    peak: Mutex<usize>,
}

impl Budget for Limits {
    fn exhausted(&self, bytes: usize) -> Option<String> {
        if let Ok(mut peak) = self.peak.lock() {
            *peak = (*peak).max(bytes);
        }
        if bytes > self.bytes {
            return Some("memory".to_owned());
        }
        (Instant::now() > self.deadline).then(|| "time".to_owned())
    }
}

/// User and system time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// The events of a history in their order.
fn events(operations: &[Operation]) -> Vec<Event> {
    let mut events = Vec::with_capacity(2 * operations.len());
    for operation in operations {
        let event = |index: u64, kind, value: &Value| Event {
            index,
            time: index * 1_000_000,
            scheduled: None,
            process: Process::Client(operation.process),
            kind,
            f: operation.f.clone(),
            key: operation.key.clone(),
            value: value.clone(),
            error: None,
            node: None,
        };
        events.push(event(operation.invoke_index, EventKind::Invoke, &operation.invoked));
        let kind = match operation.outcome {
            Outcome::Ok => EventKind::Ok,
            Outcome::Fail => EventKind::Fail,
            Outcome::Info => EventKind::Info,
        };
        if let Some(index) = operation.complete_index {
            events.push(event(index, kind, &operation.result));
        }
    }
    events.sort_unstable_by_key(|event| event.index);
    events
}

/// Pushes all events, and prints how fast that went.
fn measure_online(shape: &Shape) -> Option<(usize, f64)> {
    let mut operations = simulate(shape);
    if shape.stale && !plant(&mut operations) {
        return None;
    }
    let events = events(&operations);
    drop(operations);
    let mut online = Online::new(Value::Null);
    let (mut held, mut pushed) = (0, 0);
    let cpu = cpu_seconds();
    for event in &events {
        pushed += 1;
        if online.push(event).is_some() {
            break;
        }
        if pushed % 4096 == 0 {
            held = held.max(online.held());
        }
    }
    let cpu = cpu_seconds() - cpu;
    println!(
        "{:>10} {:>7} {:>4} {:>6}% {:>7} {:>8?} {:>9.0} events/CPU s, {held} kept at most",
        shape.operations,
        shape.clients,
        shape.keys,
        shape.crashes,
        if shape.stale { "stale" } else { "valid" },
        online.finish().verdict,
        f64::from(pushed) / cpu.max(0.01),
    );
    None
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let kind =
        arguments.next().ok_or("usage: bench_linearizable unique|small|online [OPERATIONS]...")?;
    let sizes: Vec<usize> = arguments.map(|it| it.parse()).collect::<Result<_, _>>()?;
    let sizes = if sizes.is_empty() { vec![10_000, 100_000] } else { sizes };
    let (values, keys): (_, &[u64]) = match kind.as_str() {
        "unique" | "online" => (None, &[1, 100]),
        "small" => (Some(5), &[1]),
        _ => return Err("expected `unique`, `small` or `online`".into()),
    };
    println!("operations clients keys crashed history  verdict  CPU s  wall s  exponent");
    for &keys in keys {
        for clients in [5, 10, 30, 100] {
            for crashes in [0, 1, 5] {
                for stale in [false, true] {
                    let mut before: Option<(usize, f64)> = None;
                    for &operations in &sizes {
                        let seed = operations as u64;
                        let shape =
                            Shape { operations, clients, keys, crashes, values, stale, seed };
                        before = match kind.as_str() {
                            "online" => measure_online(&shape),
                            _ => measure(&shape, before)?,
                        };
                    }
                }
            }
        }
    }
    Ok(())
}

fn measure(
    shape: &Shape,
    before: Option<(usize, f64)>,
) -> Result<Option<(usize, f64)>, Box<dyn Error>> {
    let mut operations = simulate(shape);
    if shape.stale && !plant(&mut operations) {
        return Ok(None);
    }
    let info = checker("register", Some("linearizable")).ok_or("the register has a checker")?;
    let options = CheckOptions::default();
    let start = Instant::now();
    let limits =
        Limits { deadline: start + Duration::from_secs(20), bytes: 2 << 30, peak: Mutex::new(0) };
    let cpu = cpu_seconds();
    let check = (info.check)(&operations, &options, &limits)?;
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let exponent = before.filter(|&(_, earlier)| earlier > 0.0).map(|(size, earlier)| {
        (wall / earlier).ln() / (shape.operations as f64 / size as f64).ln()
    });
    println!(
        "{:>10} {:>7} {:>4} {:>6}% {:>7} {:>8?} {:>6.2} {:>7.3} {:>9}  {}",
        shape.operations,
        shape.clients,
        shape.keys,
        shape.crashes,
        if shape.stale { "stale" } else { "valid" },
        check.verdict,
        cpu,
        wall,
        exponent.map_or_else(String::new, |it| format!("{it:.2}")),
        check.reason.unwrap_or_default(),
    );
    Ok(Some((shape.operations, wall)))
}
