//! Small histories: all of them up to a size, and random ones.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::menu::Question;
use crate::evidence::Object;
use crate::history::{Operation, Outcome, Value};

/// Nanoseconds between two events.
const TICK: u64 = 1_000_000;
/// Operations of a random history, at most.
const OPERATIONS_MAX: usize = 8;

fn invoke(question: &Question, process: u64, index: u64) -> Operation {
    Operation {
        process,
        f: question.f.into(),
        key: None,
        invoked: question.argument.clone(),
        result: Value::Null,
        outcome: Outcome::Info,
        invoke_index: index,
        invoke_time: index * TICK,
        complete_index: None,
        complete_time: None,
        node: None,
        error: None,
    }
}

fn complete(operation: &mut Operation, outcome: Outcome, result: Value, index: u64) {
    operation.outcome = outcome;
    operation.result = result;
    (operation.complete_index, operation.complete_time) = (Some(index), Some(index * TICK));
}

/// Calls `visit` with every history of `count` operations, some of which never complete. If
/// `once_only`, nothing is asked twice that brings a value in. In histories of `sessions` a process may
/// go on, in others each operation has its own.
///
/// Of histories that differ only in the order of invocations, or of completions, with nothing else
/// between them, one is visited: in both the same operations end before others begin.
pub(super) fn all(
    menu: &[Question],
    count: usize,
    once_only: bool,
    sessions: bool,
    visit: &mut dyn FnMut(&[Operation]),
) {
    let mut all =
        All { menu, count, once_only, sessions, chosen: Vec::new(), operations: Vec::new() };
    all.extend(Last::Nothing, 0, visit);
}

/// The event before the next one.
#[derive(Clone, Copy)]
enum Last {
    Nothing,
    /// Of this question.
    Invocation(usize),
    /// Of the operation at this position.
    Completion(usize),
}

struct All<'a> {
    menu: &'a [Question],
    count: usize,
    once_only: bool,
    sessions: bool,
    /// Which question each operation asks.
    chosen: Vec<usize>,
    operations: Vec<Operation>,
}

impl All<'_> {
    fn extend(&mut self, last: Last, index: u64, visit: &mut dyn FnMut(&[Operation])) {
        let (from_question, from_operation) = match last {
            Last::Nothing => (0, 0),
            Last::Invocation(number) => (number, 0),
            Last::Completion(at) => (0, at + 1),
        };
        if self.operations.len() == self.count {
            visit(&self.operations);
        } else {
            for number in from_question..self.menu.len() {
                let question = &self.menu[number];
                if self.once_only && question.once && self.chosen.contains(&number) {
                    continue;
                }
                for process in self.free_processes() {
                    self.operations.push(invoke(&self.menu[number], process, index));
                    self.chosen.push(number);
                    self.extend(Last::Invocation(number), index + 1, visit);
                    self.operations.pop();
                    self.chosen.pop();
                }
            }
        }
        for at in from_operation..self.operations.len() {
            if self.operations[at].outcome != Outcome::Info {
                continue;
            }
            let unknown = self.operations[at].clone();
            for answer in 0..self.menu[self.chosen[at]].answers.len() {
                let answer = self.menu[self.chosen[at]].answers[answer].clone();
                complete(&mut self.operations[at], Outcome::Ok, answer, index);
                self.extend(Last::Completion(at), index + 1, visit);
                self.operations[at] = unknown.clone();
            }
        }
    }

    /// Processes that may invoke something: a new one, and those that are done.
    fn free_processes(&self) -> Vec<u64> {
        let next = self.operations.iter().map(|it| it.process + 1).max().unwrap_or(0);
        let is_done = |process: &u64| {
            let last = self.operations.iter().rfind(|it| it.process == *process);
            self.sessions && last.is_some_and(|it| it.outcome == Outcome::Ok)
        };
        (0..next).filter(is_done).chain([next]).collect()
    }
}

/// Where a process is with its operation.
enum Stage {
    Idle,
    Open { position: usize, question: usize },
    Applied { position: usize, question: usize, answer: Value },
}

/// A random history of a real object, of which some operations crash and some lie.
pub(super) fn random(start: &Object, menu: &[Question], rng: &mut ChaCha8Rng) -> Vec<Operation> {
    let count = rng.random_range(2..=OPERATIONS_MAX);
    let once_only = rng.random_bool(0.5);
    let crashes = [0.0, 0.15, 0.4][rng.random_range(0..3)];
    let lies = [0.0, 0.0, 0.2, 0.5][rng.random_range(0..4)];
    let concurrency = rng.random_range(1..=4_u64);
    let mut processes: Vec<(u64, Stage)> = (0..concurrency).map(|it| (it, Stage::Idle)).collect();
    let mut object = start.clone();
    let mut operations: Vec<Operation> = Vec::new();
    // What crashed, and may act later.
    let mut late: Vec<usize> = Vec::new();
    let mut asked = vec![false; menu.len()];
    let mut index = 0;
    while operations.len() < count || processes.iter().any(|it| !matches!(it.1, Stage::Idle)) {
        if !late.is_empty() && rng.random_bool(0.2) {
            let position = late.swap_remove(rng.random_range(0..late.len()));
            act(&mut object, &operations[position]);
        }
        let (process, stage) = &mut processes[rng.random_range(0..concurrency as usize)];
        *stage = match std::mem::replace(stage, Stage::Idle) {
            Stage::Idle if operations.len() < count => {
                let question = rng.random_range(0..menu.len());
                if once_only && menu[question].once && asked[question] {
                    continue;
                }
                asked[question] = true;
                operations.push(invoke(&menu[question], *process, index));
                index += 1;
                Stage::Open { position: operations.len() - 1, question }
            }
            Stage::Idle => Stage::Idle,
            Stage::Open { position, .. } if rng.random_bool(crashes) => {
                match rng.random_range(0..3) {
                    0 => act(&mut object, &operations[position]),
                    1 => late.push(position),
                    _ => {}
                }
                if rng.random_bool(0.5) {
                    complete(&mut operations[position], Outcome::Info, Value::Null, index);
                    index += 1;
                }
                *process += concurrency;
                Stage::Idle
            }
            Stage::Open { position, question } => {
                let legal: Vec<(&Value, Object)> = menu[question]
                    .answers
                    .iter()
                    .filter_map(|answer| {
                        Some((answer, after(&object, &operations[position], answer)?))
                    })
                    .collect();
                match legal.is_empty() {
                    true => {
                        complete(&mut operations[position], Outcome::Fail, Value::Null, index);
                        index += 1;
                        Stage::Idle
                    }
                    false => {
                        let (answer, state) = &legal[rng.random_range(0..legal.len())];
                        object = state.clone();
                        Stage::Applied { position, question, answer: (*answer).clone() }
                    }
                }
            }
            Stage::Applied { position, question, answer } => {
                let answers = &menu[question].answers;
                let lie = rng.random_bool(lies).then(|| rng.random_range(0..answers.len()));
                let result = lie.map_or(answer, |lie| answers[lie].clone());
                complete(&mut operations[position], Outcome::Ok, result, index);
                index += 1;
                Stage::Idle
            }
        };
    }
    operations
}

/// The state after an operation that returned this; none if it cannot have.
fn after(object: &Object, operation: &Operation, answer: &Value) -> Option<Object> {
    let mut object = object.clone();
    let result = answer.clone();
    let operation = Operation { result, outcome: Outcome::Ok, ..operation.clone() };
    object.apply(&operation).is_ok().then_some(object)
}

/// Lets an operation of unknown outcome act, if it can.
fn act(object: &mut Object, operation: &Operation) {
    let mut after = object.clone();
    if after.apply(operation).is_ok() {
        *object = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many histories there are of so many operations, each of another kind.
    fn count(operations: usize) -> usize {
        let question = |argument: usize| Question {
            f: "write",
            argument: Value::from(argument as u64),
            answers: vec![Value::Null],
            once: true,
        };
        let menu: Vec<Question> = (0..operations).map(question).collect();
        let mut count = 0;
        all(&menu, operations, true, false, &mut |history| {
            count += usize::from(history.iter().all(|it| it.complete_index.is_some()));
        });
        count
    }

    #[test]
    fn each_order_of_operations_is_visited_once() {
        // Labelled interval orders: Fishburn 1970; OEIS A079144.
        assert_eq!((1..=5).map(count).collect::<Vec<_>>(), [1, 3, 19, 207, 3451]);
    }
}
