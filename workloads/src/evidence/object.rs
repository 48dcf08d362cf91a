//! Sequential specifications once more, over plain values: slow, obvious, and written apart from
//! the models that the checkers use.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

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
    /// A lock: held or not.
    Lock(bool),
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
            "mutex" => Object::Lock(false),
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
        match (self, operation.f.as_str()) {
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
            (Object::Text(text), "append") => {
                text.push_str(argument.as_str().unwrap_or_default());
                Ok(())
            }
            (Object::Set(set), "add") => {
                set.insert(element(argument).clone());
                Ok(())
            }
            (Object::Set(set), "remove") => {
                let was_there = set.remove(element(argument));
                expect(result[1].as_bool().is_none_or(|said| said == was_there), set)
            }
            (Object::Set(set), "contains") => {
                expect(result[1].as_bool() == Some(set.contains(element(argument))), set)
            }
            (Object::Set(set), "read") => {
                let read: BTreeSet<&Value> = result.as_list().unwrap_or_default().iter().collect();
                expect(read.into_iter().eq(set.iter()), set)
            }
            (Object::Queue(queue), "enqueue") => {
                queue.push_back(argument.clone());
                Ok(())
            }
            (Object::Queue(queue), "dequeue") => {
                let first = queue.pop_front().unwrap_or(Value::Null);
                expect(first == *result, queue)
            }
            (Object::Stack(stack), "push") => {
                stack.push(argument.clone());
                Ok(())
            }
            (Object::Stack(stack), "pop") => {
                let last = stack.pop().unwrap_or(Value::Null);
                expect(last == *result, stack)
            }
            (Object::Priority { elements, .. }, "insert" | "enqueue") => {
                *elements.entry(argument.clone()).or_default() += 1;
                Ok(())
            }
            (Object::Priority { elements, greatest }, "delete-min" | "delete-max" | "dequeue") => {
                let first = if *greatest { elements.last_entry() } else { elements.first_entry() };
                let removed = first.map_or(Value::Null, |mut entry| {
                    *entry.get_mut() -= 1;
                    entry.key().clone()
                });
                elements.retain(|_, times| *times > 0);
                expect(removed == *result, elements)
            }
            (Object::Lock(held), f @ ("acquire" | "release")) => {
                let acquires = f == "acquire";
                if *held == acquires {
                    return Err(format!("{f}, but held is {held}"));
                }
                *held = acquires;
                Ok(())
            }
            (Object::Counter(sum), "read") => expect(result.as_i64() == Some(*sum), sum),
            (Object::Counter(sum), "add") => {
                *sum += argument.as_i64().unwrap_or(0);
                Ok(())
            }
            (state @ (Object::Registers { .. } | Object::Lists(_)), _) => {
                // The parts of a transaction that was acknowledged are in its result.
                let parts = if known { result } else { argument };
                let parts = parts.as_list().ok_or_else(|| unknown(operation))?;
                parts.iter().try_for_each(|part| state.apply_part(part, known))
            }
            _ => Err(unknown(operation)),
        }
    }

    /// One part of a transaction, such as `["r", 1, null]`.
    fn apply_part(&mut self, part: &Value, known: bool) -> Result<(), String> {
        let Some([f, key, value]) = part.as_list() else { return Err(format!("what is {part}?")) };
        let wrong = |held: &dyn std::fmt::Debug| Err(format!("{part}, but the state is {held:?}"));
        match (self, f.as_str()) {
            (Object::Registers { values, initial }, Some("r" | "read")) if known => {
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
            (Object::Lists(lists), Some("r" | "read")) if known => {
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
            (_, Some("r" | "read")) => Ok(()),
            _ => Err(format!("what is {part}?")),
        }
    }
}

/// The element that an operation on a set is about: `v`, or the first of `[v, null]`.
pub(super) fn element(argument: &Value) -> &Value {
    match argument.as_list() {
        Some([element, Value::Null | Value::Bool(_)]) => element,
        _ => argument,
    }
}

fn unknown(operation: &Operation) -> String {
    format!("event {}: what is {} of {}?", operation.invoke_index, operation.f, operation.invoked)
}
