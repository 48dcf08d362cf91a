//! Processes that share an object, on a clock of events.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::models::{SyntheticModel, Violation};
use super::subject::{Request, Response};
use crate::history::{Event, EventKind, Operation, Outcome, Process, Shared, Value};

/// Nanoseconds between two events.
const TICK: u64 = 10_000;
/// One step in so many lets a late effect of a crashed operation happen, while there are any.
const LATE_EFFECT_STEPS: u32 = 64;

/// What to generate.
#[derive(Debug, Clone)]
pub struct SyntheticOptions {
    /// Operations of the history; the phases at its start and end come on top.
    pub operations: usize,
    /// Processes that invoke operations at the same time.
    pub concurrency: usize,
    /// The share of operations whose outcome nobody learns, from 0 to 1.
    pub crash_rate: f64,
    /// Independent objects that are in use at the same time.
    pub keys: usize,
    /// Where in the history the violation is looked for first, from 0 to 1.
    pub at: f64,
    /// What the history is drawn from.
    pub seed: u64,
}

/// When a crashed operation takes effect.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Crash {
    BeforeInfo,
    Later,
    Never,
}

/// Where a process is with its operation.
enum Stage {
    Idle,
    Open { position: usize, request: Request, crash: Option<Crash> },
    Applied { position: usize, response: Response, crash: Option<Crash> },
}

struct Worker {
    process: u64,
    stage: Stage,
}

/// A history of `model`, with `violation` planted if one is given: its operations in the order of
/// their invocation, and what was planted in words.
///
/// None if the history has no place where the violation would be certain: more operations, or another
/// seed, may have one.
pub fn generate(
    model: &SyntheticModel,
    violation: Option<&Violation>,
    options: &SyntheticOptions,
) -> Option<(Vec<Operation>, Option<String>)> {
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    let mut operations = simulate(model, options, &mut random);
    let planted = match violation {
        None => None,
        Some(violation) => Some((violation.plant)(&mut operations, options.at, &mut random)?),
    };
    Some((operations, planted))
}

fn simulate(
    model: &SyntheticModel,
    options: &SyntheticOptions,
    random: &mut ChaCha8Rng,
) -> Vec<Operation> {
    let mut subject = (model.subject)(options);
    let concurrency = options.concurrency.max(1);
    let mut log = Log {
        operations: Vec::with_capacity(options.operations),
        index: 0,
        shared: Shared::default(),
    };
    let mut workers: Vec<Worker> =
        (0..concurrency as u64).map(|process| Worker { process, stage: Stage::Idle }).collect();
    let mut late: Vec<Request> = Vec::new();
    let mut active = concurrency;
    while active > 0 {
        if !late.is_empty() && random.random_range(0..LATE_EFFECT_STEPS) == 0 {
            let next = random.random_range(0..late.len());
            subject.apply(&late.swap_remove(next));
        }
        let number = random.random_range(0..active);
        let worker = &mut workers[number];
        match std::mem::replace(&mut worker.stage, Stage::Idle) {
            Stage::Idle if log.operations.len() >= options.operations => {
                active -= 1;
                workers.swap(number, active);
            }
            Stage::Idle => {
                let request = subject.invoke(worker.process, random);
                let crash = crash(&request, options.crash_rate, random);
                let position = log.invoke(worker.process, &request);
                worker.stage = Stage::Open { position, request, crash };
            }
            Stage::Open { position, request, crash: crash @ (None | Some(Crash::BeforeInfo)) } => {
                let response = subject.apply(&request);
                worker.stage = Stage::Applied { position, response, crash };
            }
            Stage::Open { position, request, crash } => {
                if crash == Some(Crash::Later) {
                    late.push(request);
                }
                log.crash(position);
                worker.process += concurrency as u64;
            }
            Stage::Applied { position, crash: Some(_), .. } => {
                log.crash(position);
                worker.process += concurrency as u64;
            }
            Stage::Applied { position, response, crash: None } => {
                log.complete(position, &response);
                subject.observe(worker.process, &response);
            }
        }
    }
    // One process after the other, when all others are done.
    let process = workers.iter().map(|it| it.process).max().unwrap_or(0) + concurrency as u64;
    while let Some(request) = subject.last_request() {
        let position = log.invoke(process, &request);
        let response = subject.apply(&request);
        log.complete(position, &response);
    }
    log.operations
}

fn crash(request: &Request, rate: f64, random: &mut ChaCha8Rng) -> Option<Crash> {
    if rate <= 0.0 || !random.random_bool(rate.min(1.0)) {
        return None;
    }
    Some(match random.random_range(0..10) {
        _ if !request.may_act_unseen => Crash::Never,
        0..4 => Crash::BeforeInfo,
        4..6 => Crash::Later,
        _ => Crash::Never,
    })
}

/// The history so far.
struct Log {
    operations: Vec<Operation>,
    index: u64,
    /// Equal lists are held once, as in a history that was read.
    shared: Shared,
}

impl Log {
    fn tick(&mut self) -> u64 {
        self.index += 1;
        self.index - 1
    }

    fn invoke(&mut self, process: u64, request: &Request) -> usize {
        let index = self.tick();
        let invoked = self.shared.ask(&request.argument);
        self.operations.push(Operation {
            process,
            f: request.f.into(),
            key: request.key.clone(),
            invoked,
            result: Value::Null,
            outcome: Outcome::Info,
            invoke_index: index,
            invoke_time: index * TICK,
            complete_index: None,
            complete_time: None,
            node: None,
            error: None,
        });
        self.operations.len() - 1
    }

    fn complete(&mut self, position: usize, response: &Response) {
        let index = self.tick();
        let operation = &mut self.operations[position];
        let (outcome, result) = match response {
            Response::Ok(result) => {
                (Outcome::Ok, self.shared.share(&operation.key, &operation.invoked, result))
            }
            Response::Refused => (Outcome::Fail, operation.invoked.clone()),
        };
        (operation.outcome, operation.result) = (outcome, result);
        (operation.complete_index, operation.complete_time) = (Some(index), Some(index * TICK));
    }

    fn crash(&mut self, position: usize) {
        let index = self.tick();
        let operation = &mut self.operations[position];
        operation.result = operation.invoked.clone();
        (operation.complete_index, operation.complete_time) = (Some(index), Some(index * TICK));
    }
}

/// The events of operations, in their order.
pub fn to_events(operations: &[Operation]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::with_capacity(operations.len() * 2);
    for operation in operations {
        let event = |index, time, kind, value: &Value| Event {
            index,
            time,
            scheduled: None,
            process: Process::Client(operation.process),
            kind,
            f: operation.f.clone(),
            key: operation.key.clone(),
            value: value.clone(),
            error: operation.error.clone(),
            node: operation.node.clone(),
        };
        let invoked = event(
            operation.invoke_index,
            operation.invoke_time,
            EventKind::Invoke,
            &operation.invoked,
        );
        events.push(invoked);
        if let Some(index) = operation.complete_index {
            let kind = match operation.outcome {
                Outcome::Ok => EventKind::Ok,
                Outcome::Fail => EventKind::Fail,
                Outcome::Info => EventKind::Info,
            };
            let time = operation.complete_time.unwrap_or(operation.invoke_time);
            events.push(event(index, time, kind, &operation.result));
        }
    }
    events.sort_unstable_by_key(|event| event.index);
    events
}

/// A number below `count` that favours none.
pub(super) fn below(random: &mut impl Rng, count: usize) -> usize {
    random.random_range(0..count.max(1))
}
