//! Any history at all, out of bytes: what a fuzzer, or a test, throws at every checker.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::menu;
use super::objects::SUBJECTS;
use super::small;
use super::tally::Tally;
use crate::checker::linearizable::StepBudget;
use crate::checker::{CHECKERS, CheckOptions, Method};
use crate::evidence::Object;
use crate::history::{Operation, Outcome, Value};
use crate::model::Initial;
use crate::synthetic::{SYNTHETIC, SyntheticOptions, generate};

/// Operations of a history, at most.
const OPERATIONS_MAX: usize = 40;
/// Functions that some checker knows, and one that none does.
const FUNCTIONS: &[&str] = &[
    "read",
    "write",
    "cas",
    "delete",
    "txn",
    "append",
    "add",
    "remove",
    "contains",
    "enqueue",
    "dequeue",
    "push",
    "pop",
    "insert",
    "delete-min",
    "peek",
    "drain",
    "acquire",
    "release",
    "use",
    "poll",
    "send",
    "assign",
    "subscribe",
    "watch",
    "changes",
    "transfer",
    "generate",
    "kettle",
];
/// Words that have a meaning for some checker.
const WORDS: &[&str] = &["r", "w", "append", "read", "write", "x", "", "assign", "from", "amount"];

/// Bytes, one after the other; zeros when they are used up.
struct Bytes<'a>(std::slice::Iter<'a, u8>);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }

    fn below(&mut self, count: usize) -> usize {
        usize::from(self.next()) % count.max(1)
    }

    fn seed(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.next()))
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.next() % 16 {
            0 => Value::Null,
            1 => Value::from(self.next() > 127),
            2 => Value::from(WORDS[self.below(WORDS.len())]),
            3 => Value::from(u64::MAX - u64::from(self.next())),
            4 => Value::from(i64::MIN + i64::from(self.next())),
            5 => Value::from(i64::MAX),
            6 => Value::from(f64::from(self.next()) / 4.0),
            7..12 if depth > 0 => {
                let count = self.below(4);
                Value::list((0..count).map(|_| self.value(depth - 1)))
            }
            12 if depth > 0 => {
                let count = self.below(3);
                let entries: Vec<(Value, Value)> =
                    (0..count).map(|_| (self.value(0), self.value(depth - 1))).collect();
                Value::Map(entries.into())
            }
            _ => Value::from(i64::from(self.next() % 4)),
        }
    }
}

/// A history out of bytes: one that looks like those of some model, and is then damaged. It is as
/// well-formed as readers leave histories: moments are distinct, and a process does one thing at a
/// time, and nothing more after an unknown outcome.
pub fn arbitrary(bytes: &[u8]) -> Vec<Operation> {
    let mut bytes = Bytes(bytes.iter());
    let mut operations = match bytes.next() % 4 {
        0 => {
            let subject = &SUBJECTS[bytes.below(SUBJECTS.len())];
            subject.history(&mut ChaCha8Rng::seed_from_u64(bytes.seed()))
        }
        1 => {
            let lists = bytes.next() > 127;
            let (model, write) =
                if lists { ("list-append", "append") } else { ("rw-register", "w") };
            let start = Object::new(model, None).expect("the verifier knows transactions");
            let mut rng = ChaCha8Rng::seed_from_u64(bytes.seed());
            small::random(&start, &menu::transactions(write), &mut rng)
        }
        2 => synthetic(&mut bytes),
        _ => wild(&mut bytes),
    };
    operations.truncate(OPERATIONS_MAX);
    for _ in 0..bytes.below(8) {
        damage(&mut operations, &mut bytes);
    }
    settle(&mut operations);
    operations
}

/// Makes a history well-formed: distinct moments, and new processes where one is not free.
fn settle(operations: &mut [Operation]) {
    let mut moments: Vec<(u64, usize, bool)> = Vec::new();
    for (position, operation) in operations.iter_mut().enumerate() {
        if operation.complete_index.is_none_or(|end| end <= operation.invoke_index) {
            operation.outcome = Outcome::Info;
            (operation.complete_index, operation.complete_time) = (None, None);
        }
        moments.push((operation.invoke_index, position, false));
        moments.extend(operation.complete_index.map(|end| (end, position, true)));
    }
    moments.sort_unstable();
    let mut busy: BTreeSet<u64> = BTreeSet::new();
    let mut next_process = operations.iter().map(|it| it.process + 1).max().unwrap_or(0);
    for (index, &(_, position, is_end)) in (0..).zip(&moments) {
        let operation = &mut operations[position];
        if is_end {
            operation.complete_index = Some(index);
            if operation.outcome != Outcome::Info {
                busy.remove(&operation.process);
            }
        } else {
            if busy.contains(&operation.process) {
                operation.process = next_process;
                next_process += 1;
            }
            busy.insert(operation.process);
            operation.invoke_index = index;
        }
    }
    operations.sort_unstable_by_key(|it| it.invoke_index);
}

fn synthetic(bytes: &mut Bytes<'_>) -> Vec<Operation> {
    let model = &SYNTHETIC[bytes.below(SYNTHETIC.len())];
    let options = SyntheticOptions {
        operations: 4 + bytes.below(OPERATIONS_MAX - 4),
        concurrency: 1 + bytes.below(5),
        crash_rate: f64::from(bytes.next() % 4) / 8.0,
        keys: 1 + bytes.below(3),
        at: 0.5,
        seed: bytes.seed(),
    };
    generate(model, None, &options).map(|(operations, _)| operations).unwrap_or_default()
}

fn wild(bytes: &mut Bytes<'_>) -> Vec<Operation> {
    let count = bytes.below(OPERATIONS_MAX);
    let mut operations = Vec::with_capacity(count);
    for index in 0..count as u64 {
        let length = u64::from(bytes.next() % 6);
        operations.push(Operation {
            process: u64::from(bytes.next() % 4),
            f: FUNCTIONS[bytes.below(FUNCTIONS.len())].into(),
            key: (bytes.next() < 85).then(|| Value::from(u64::from(bytes.next() % 2))),
            invoked: bytes.value(3),
            result: bytes.value(3),
            outcome: [Outcome::Ok, Outcome::Ok, Outcome::Info, Outcome::Fail][bytes.below(4)],
            invoke_index: 2 * index,
            invoke_time: 20_000 * index,
            complete_index: (length > 0).then(|| 2 * (index + length) - 1),
            complete_time: (length > 0).then_some(20_000 * (index + length)),
            node: None,
            error: None,
        });
    }
    operations
}

fn damage(operations: &mut [Operation], bytes: &mut Bytes<'_>) {
    if operations.is_empty() {
        return;
    }
    let (one, other) = (bytes.below(operations.len()), bytes.below(operations.len()));
    let theirs = operations[other].clone();
    let operation = &mut operations[one];
    match bytes.next() % 9 {
        0 => operation.result = theirs.result,
        1 => operation.invoked = theirs.invoked,
        2 => operation.result = bytes.value(3),
        3 => operation.invoked = bytes.value(3),
        4 => operation.outcome = theirs.outcome,
        5 => (operation.complete_index, operation.complete_time) = (None, None),
        6 => operation.f = theirs.f,
        7 => operation.process = theirs.process,
        _ => operation.key = theirs.key,
    }
}

/// Lets every checker judge a history, with a budget of so many questions. Whatever it is, none may
/// panic, and no evidence may be wrong.
pub fn judge_by_all(operations: &[Operation], questions: u64, tally: &mut Tally) {
    tally.case(true);
    for info in CHECKERS {
        let Some(model) = info.models.first() else { continue };
        for (initial, method) in
            [(None, Method::Fastest), (None, Method::Search), (Some(Initial::Any), Method::Fastest)]
        {
            let options =
                CheckOptions { initial, method, witness: true, ..CheckOptions::default() };
            let budget = StepBudget::new(questions);
            if let Ok(check) = (info.check)(operations, &options, &budget) {
                tally.evidence(&check, model, info.property, &options, operations);
            }
        }
    }
}
