//! Sequential specifications once more, over plain values: slow, obvious, and written apart from
//! the models that the checkers use.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::bag::Bag;
use super::numbered::{Revisions, Tokens};
use crate::history::{Operation, Outcome, Value};
use crate::model::Initial;

/// The state of one object, or of all objects of a transactional store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Object {
    /// A register; none is a value that nobody told us.
    Register(Option<Value>),
    /// A text that grows.
    Text(String),
    /// A set of which elements are added, removed and looked up, or read as a whole.
    Set(BTreeSet<Value>),
    /// First in, first out.
    Queue(VecDeque<Value>),
    /// Last in, first out.
    Stack(Vec<Value>),
    /// The least, or the greatest, element first.
    Priority {
        /// With how many times each is in it.
        elements: BTreeMap<Value, usize>,
        /// Whether the greatest leaves first.
        greatest: bool,
    },
    /// A queue without order.
    Bag(Bag),
    /// A log: what was appended, by offset.
    Log(Vec<Value>),
    /// A lock: held or not; none if nobody told us.
    Lock(Option<bool>),
    /// A lock with tokens that grow.
    Tokens(Tokens),
    /// A register with revisions that grow.
    Revisions(Revisions),
    /// A sum.
    Counter(i64),
    /// Registers by key; none is a value that nobody told us. Keys that are not there hold `initial`.
    Registers {
        /// What has been written or found out.
        values: BTreeMap<Value, Value>,
        /// What the others hold.
        initial: Option<Value>,
    },
    /// Lists by key.
    Lists(BTreeMap<Value, Vec<Value>>),
}

impl Object {
    /// The object that a model begins with; none if this verifier does not know the model.
    pub fn new(model: &str, initial: Option<&Initial>) -> Option<Object> {
        let value = || match initial {
            None => Some(Value::Null),
            Some(Initial::Value(value)) => Some(value.clone()),
            Some(Initial::Any) => None,
        };
        Some(match model {
            "register" | "cas-register" | "kv" => Object::Register(value()),
            "kv-append" => Object::Text(match initial {
                Some(Initial::Value(Value::Text(text))) => text.to_string(),
                _ => String::new(),
            }),
            "set" | "set-full" | "grow-only-set" => Object::Set(BTreeSet::new()),
            "queue" | "fifo-queue" => Object::Queue(VecDeque::new()),
            "stack" => Object::Stack(Vec::new()),
            "priority-queue" | "max-priority-queue" => Object::Priority {
                elements: BTreeMap::new(),
                greatest: model == "max-priority-queue",
            },
            "unordered-queue" | "bag" => Object::Bag(Bag::default()),
            "log" => Object::Log(Vec::new()),
            "mutex" => Object::Lock(match value() {
                Some(Value::Bool(held)) => Some(held),
                Some(value) => Some(value.as_str() == Some("locked")),
                None => None,
            }),
            "fencing-lock" => Object::Tokens(Tokens::new(initial)),
            "versioned-register" => Object::Revisions(Revisions::new(initial)),
            "counter" => Object::Counter(value()?.as_i64().unwrap_or(0)),
            "multi-register" | "rw-register" => match value() {
                Some(Value::Map(entries)) => Object::Registers {
                    values: entries.iter().cloned().collect(),
                    initial: Some(Value::Null),
                },
                initial => Object::Registers { values: BTreeMap::new(), initial },
            },
            "list-append" => Object::Lists(BTreeMap::new()),
            _ => return None,
        })
    }

    /// Lets an operation act; says why it cannot have returned what it did.
    ///
    /// The result of an operation of unknown outcome is not looked at.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), String> {
        let known = operation.outcome == Outcome::Ok;
        let (argument, result) = (&operation.invoked, &operation.result);
        let expect = |holds: bool, state: &dyn std::fmt::Debug| match holds || !known {
            true => Ok(()),
            false => Err(format!("{} returned {result}, but the state is {state:?}", operation.f)),
        };
        let f = self.plain(&operation.f);
        match (self, f) {
            (Object::Register(held), "read") => {
                if known && held.is_none() {
                    *held = Some(result.clone());
                }
                expect(held.as_ref() == Some(result), held)
            }
            (Object::Register(held), "write") => {
                *held = Some(argument.clone());
                Ok(())
            }
            (Object::Register(held), "delete") => {
                *held = Some(Value::Null);
                Ok(())
            }
            (Object::Register(held), "cas") => {
                let Some([expected, new]) = argument.as_list() else {
                    return Err(unknown(operation));
                };
                if held.as_ref().is_some_and(|held| held != expected) {
                    return Err(format!("cas expects {expected}, but the state is {held:?}"));
                }
                *held = Some(new.clone());
                Ok(())
            }
            (Object::Text(text), "read") => {
                expect(result.as_str().unwrap_or_default() == text, text)
            }
            (Object::Text(text), "write") => {
                *text = argument.as_str().unwrap_or_default().to_owned();
                Ok(())
            }
            (Object::Text(text), "delete") => {
                text.clear();
                Ok(())
            }
            (Object::Text(text), "append") => {
                text.push_str(argument.as_str().unwrap_or_default());
                Ok(())
            }
            (Object::Set(set), "add") => {
                let is_new = set.insert(element(argument).clone());
                expect(said(operation).is_none_or(|said| said == is_new), set)
            }
            (Object::Set(set), "remove") => {
                let was_there = set.remove(element(argument));
                expect(said(operation).is_none_or(|said| said == was_there), set)
            }
            (Object::Set(set), "contains") => {
                expect(said(operation) == Some(set.contains(element(argument))), set)
            }
            (Object::Set(set), "read") => {
                let read: BTreeSet<&Value> = result.as_list().unwrap_or_default().iter().collect();
                let once = read.len() == result.as_list().unwrap_or_default().len();
                expect(once && read.into_iter().eq(set.iter()), set)
            }
            (Object::Queue(queue), "insert") => {
                queue.push_back(argument.clone());
                Ok(())
            }
            (Object::Queue(queue), "remove") => {
                let first = queue.pop_front().unwrap_or(Value::Null);
                expect(first == *result, queue)
            }
            (Object::Queue(queue), "peek") => {
                expect(queue.front().unwrap_or(&Value::Null) == result, queue)
            }
            (Object::Stack(stack), "insert") => {
                stack.push(argument.clone());
                Ok(())
            }
            (Object::Stack(stack), "remove") => {
                let last = stack.pop().unwrap_or(Value::Null);
                expect(last == *result, stack)
            }
            (Object::Stack(stack), "peek") => {
                expect(stack.last().unwrap_or(&Value::Null) == result, stack)
            }
            (Object::Priority { elements, .. }, "insert") => {
                *elements.entry(argument.clone()).or_default() += 1;
                Ok(())
            }
            (Object::Priority { elements, greatest }, "remove") => {
                let first = if *greatest { elements.last_entry() } else { elements.first_entry() };
                let removed = first.map_or(Value::Null, |mut entry| {
                    *entry.get_mut() -= 1;
                    entry.key().clone()
                });
                elements.retain(|_, times| *times > 0);
                expect(removed == *result, elements)
            }
            (Object::Bag(bag), "insert") => {
                bag.insert(argument.clone());
                Ok(())
            }
            (Object::Bag(_), "peek") if !known => Ok(()),
            (Object::Bag(bag), "remove") if !known => {
                bag.remove_unknown();
                Ok(())
            }
            (Object::Bag(bag), "remove" | "peek") if result.is_null() => {
                expect(bag.find_empty(), bag)
            }
            (Object::Bag(bag), "remove") => expect(bag.remove(result), bag),
            (Object::Bag(bag), "peek") => expect(bag.contains(result), bag),
            (Object::Log(log), f) => {
                let (argument, result) = question_and_answer(operation);
                let behind = || {
                    let from = argument.as_u64().and_then(|from| usize::try_from(from).ok());
                    from.and_then(|from| log.get(from..)).unwrap_or_default()
                };
                let fits = match f {
                    "append" => {
                        log.push(argument.clone());
                        result.as_u64() == Some(log.len() as u64 - 1)
                    }
                    "read" => behind().first().unwrap_or(&Value::Null) == result,
                    "poll" => {
                        let seen = result.as_list().unwrap_or_default();
                        behind().starts_with(seen) && behind().is_empty() == seen.is_empty()
                    }
                    _ => return Err(unknown(operation)),
                };
                expect(fits, log)
            }
            (Object::Tokens(tokens), _) => match tokens.apply(operation) {
                Some(fits) => refuse(fits, operation, tokens),
                None => Err(unknown(operation)),
            },
            (Object::Revisions(revisions), _) => match revisions.apply(operation) {
                Some(fits) => refuse(fits, operation, revisions),
                None => Err(unknown(operation)),
            },
            (Object::Priority { elements, greatest }, "peek") => {
                let mut inside = elements.keys();
                let first = if *greatest { inside.next_back() } else { inside.next() };
                expect(first.unwrap_or(&Value::Null) == result, elements)
            }
            (Object::Lock(held), f @ ("acquire" | "release")) => {
                let acquires = f == "acquire";
                if *held == Some(acquires) {
                    return Err(format!("{f}, but held is {held:?}"));
                }
                *held = Some(acquires);
                Ok(())
            }
            (Object::Counter(sum), "read") => expect(result.as_i64() == Some(*sum), sum),
            (Object::Counter(sum), "add") => {
                let after = sum.checked_add(argument.as_i64().unwrap_or(0));
                *sum = after.ok_or("the sum is too large")?;
                Ok(())
            }
            (state @ (Object::Registers { .. } | Object::Lists(_)), _) => {
                let (parts, told) = stated(operation).ok_or_else(|| unknown(operation))?;
                parts.iter().try_for_each(|part| state.apply_part(part, known, told))
            }
            _ => Err(unknown(operation)),
        }
    }

    /// What a function is called here; collections, sets and logs have many names for the same.
    fn plain<'a>(&self, f: &'a str) -> &'a str {
        match self {
            Object::Queue(_) | Object::Stack(_) | Object::Priority { .. } | Object::Bag(_) => {
                role(f).unwrap_or(f)
            }
            Object::Set(_) => match f {
                "insert" | "put" => "add",
                "delete" | "discard" => "remove",
                "member" | "has" | "exists" => "contains",
                "list" | "members" => "read",
                f => f,
            },
            Object::Log(_) => match f {
                "send" | "produce" => "append",
                "get" => "read",
                "fetch" => "poll",
                f => f,
            },
            _ => f,
        }
    }

    /// One part of a transaction, such as `["r", 1, null]`. What an acknowledged one read must have been
    /// `told`.
    fn apply_part(&mut self, part: &Value, known: bool, told: bool) -> Result<(), String> {
        let (f, key, value) = pieces(part).ok_or_else(|| format!("what is {part}?"))?;
        let wrong = |held: &dyn std::fmt::Debug| Err(format!("{part}, but the state is {held:?}"));
        match (self, f.as_str()) {
            (Object::Registers { values, initial }, Some("r" | "read")) if told => {
                match values.get(key).or(initial.as_ref()) {
                    Some(held) if held == value => Ok(()),
                    Some(held) => wrong(held),
                    None => {
                        values.insert(key.clone(), value.clone());
                        Ok(())
                    }
                }
            }
            (Object::Registers { values, .. }, Some("w" | "write")) => {
                values.insert(key.clone(), value.clone());
                Ok(())
            }
            (Object::Lists(lists), Some("r" | "read")) if told => {
                let held = lists.get(key).map_or(&[][..], Vec::as_slice);
                match value.as_list().unwrap_or_default() == held {
                    true => Ok(()),
                    false => wrong(&held),
                }
            }
            (Object::Lists(lists), Some("append")) => {
                lists.entry(key.clone()).or_default().push(value.clone());
                Ok(())
            }
            (_, Some("r" | "read")) if !known => Ok(()),
            _ => Err(format!("what is {part}?")),
        }
    }
}

/// The parts of a transaction, and whether they tell what it read. Some histories have parts in only one
/// of its two events; an invocation tells what was written, but not what was read.
pub(super) fn stated(operation: &Operation) -> Option<(&[Value], bool)> {
    let (asked, told) = (operation.invoked.as_list(), operation.result.as_list());
    match (operation.outcome, told) {
        (Outcome::Ok, Some(told)) => Some((told, true)),
        _ => Some((asked.or(told)?, false)),
    }
}

/// What a part of a transaction does, to which key, and with which value, which a read may leave out.
pub(super) fn pieces(part: &Value) -> Option<(&Value, &Value, &Value)> {
    match part.as_list()? {
        [f, key, value] => Some((f, key, value)),
        [f, key] if matches!(f.as_str(), Some("r" | "read")) => Some((f, key, &Value::Null)),
        _ => None,
    }
}

/// What a function of a collection does: `insert`, `remove` or `peek`.
pub(super) fn role(f: &str) -> Option<&'static str> {
    let name = f.to_ascii_lowercase().replace('_', "-");
    Some(match name.as_str() {
        "enqueue" | "enq" | "push" | "insert" | "add" | "offer" | "put" | "send" | "produce"
        | "publish" => "insert",
        "dequeue" | "deq" | "pop" | "remove" | "poll" | "take" | "get" | "receive" | "consume"
        | "delete-min" | "remove-min" | "extract-min" | "pop-min" | "deletemin" | "delete-max"
        | "remove-max" | "extract-max" | "pop-max" | "deletemax" => "remove",
        "peek" | "top" | "front" | "head" | "first" => "peek",
        _ => return None,
    })
}

/// The element that an operation on a set is about: `v`, or the first of `[v, null]`.
pub(super) fn element(argument: &Value) -> &Value {
    match argument.as_list() {
        Some([element, Value::Null | Value::Bool(_)]) => element,
        _ => argument,
    }
}

/// Argument and result of an operation on a log, which tools also write as `[argument, null]` and
/// `[argument, result]`.
fn question_and_answer(operation: &Operation) -> (&Value, &Value) {
    match (operation.invoked.as_list(), operation.result.as_list()) {
        (Some([argument, Value::Null]), Some([_, result])) => (argument, result),
        (Some([argument, Value::Null]), _) => (argument, &operation.result),
        _ => (&operation.invoked, &operation.result),
    }
}

/// What an operation on a set said: whether its element was new, or there.
fn said(operation: &Operation) -> Option<bool> {
    match operation.result.as_list() {
        Some([_, said]) => said.as_bool(),
        _ => operation.result.as_bool(),
    }
}

fn refuse(fits: bool, operation: &Operation, state: &dyn std::fmt::Debug) -> Result<(), String> {
    let Operation { f, invoked, result, .. } = operation;
    match fits {
        true => Ok(()),
        false => Err(format!("{f} {invoked} returned {result}, but then the state is {state:?}")),
    }
}

fn unknown(operation: &Operation) -> String {
    format!("event {}: what is {} of {}?", operation.invoke_index, operation.f, operation.invoked)
}
