//! What watches asked for and were sent, and what writes said.

use crate::checker::findings::brief;
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;

/// One change of one key, as a watch was told of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change<'a> {
    pub(super) revision: i64,
    pub(super) key: &'a Value,
    /// The new value; none if it was deleted.
    pub(super) value: Option<&'a Value>,
    /// The value before, if that was told: none inside if there was none.
    pub(super) previous: Option<Option<&'a Value>>,
    /// Whether it created the key, if that was told.
    pub(super) creates: Option<bool>,
}

/// One response of a watch.
#[derive(Debug)]
pub(super) struct Response<'a> {
    pub(super) changes: Vec<Change<'a>>,
    pub(super) progress: Option<i64>,
}

/// Which keys a watch wants.
#[derive(Debug, Clone, Copy)]
pub(super) enum Range<'a> {
    All,
    Key(&'a Value),
    Prefix(&'a str),
}

impl Range<'_> {
    /// Whether a key is one of them.
    pub(super) fn contains(&self, key: &Value) -> bool {
        match self {
            Range::All => true,
            Range::Key(wanted) => *wanted == key,
            Range::Prefix(prefix) => key.as_str().is_some_and(|key| key.starts_with(prefix)),
        }
    }
}

/// One watch.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    /// Position of the operation.
    pub(super) position: usize,
    pub(super) range: Range<'a>,
    /// The first revision that it asks for; none is whatever comes next.
    pub(super) from: Option<i64>,
    pub(super) responses: Vec<Response<'a>>,
}

impl<'a> Watch<'a> {
    /// All changes, in the order in which they came.
    pub(super) fn changes(&self) -> impl Iterator<Item = &Change<'a>> {
        self.responses.iter().flat_map(|response| &response.changes)
    }
}

/// An operation, if it counts.
#[derive(Debug)]
pub(super) enum Stream<'a> {
    Watch(Watch<'a>),
    Write(Change<'a>),
}

/// Reads an operation; none if it says nothing about changes.
pub(super) fn stream<'a>(
    position: usize,
    operation: &'a Operation,
) -> Result<Option<Stream<'a>>, UnsuitableOperation> {
    match operation.f.as_str() {
        "watch" => {
            let watch = watch(position, operation).ok_or_else(|| UnsuitableOperation {
                index: operation.invoke_index,
                expected: r#"watch {"prefix":"a","from":1} with a list of responses such as {"events":[{"revision":1,"key":"a","value":1}],"progress":1}"#,
                got: format!("{} -> {}", brief(&operation.invoked), brief(&operation.result)),
            })?;
            Ok(Some(Stream::Watch(watch)))
        }
        "put" | "delete" if operation.outcome == Outcome::Ok => {
            Ok(write(operation).map(Stream::Write))
        }
        _ => Ok(None),
    }
}

fn watch(position: usize, operation: &Operation) -> Option<Watch<'_>> {
    let asked = &operation.invoked;
    let range = match (asked.get("key"), asked.get("prefix")) {
        (Some(key), _) => Range::Key(key),
        (None, Some(prefix)) => Range::Prefix(prefix.as_str()?),
        (None, None) => Range::All,
    };
    let responses = match &operation.result {
        Value::List(list) => list.iter().map(response).collect::<Option<_>>()?,
        // A watch whose end nobody saw, or that was sent nothing.
        _ => Vec::new(),
    };
    let from = asked.get("from").and_then(Value::as_i64);
    Some(Watch { position, range, from, responses })
}

fn response(value: &Value) -> Option<Response<'_>> {
    value.as_map()?;
    let changes = match value.get("events") {
        Some(events) => events.as_list()?.iter().map(change).collect::<Option<_>>()?,
        None => Vec::new(),
    };
    Some(Response { changes, progress: value.get("progress").and_then(Value::as_i64) })
}

fn change(value: &Value) -> Option<Change<'_>> {
    let deleted = value.get("deleted").and_then(Value::as_bool).unwrap_or(false);
    let some = |value: &'_ Value| !value.is_null();
    Some(Change {
        revision: value.get("revision")?.as_i64()?,
        key: value.get("key")?,
        value: if deleted { None } else { value.get("value") },
        previous: value.get("prev").map(|previous| Some(previous).filter(|it| some(it))),
        creates: value.get("create").and_then(Value::as_bool),
    })
}

fn write(operation: &Operation) -> Option<Change<'_>> {
    let revision = operation.result.get("revision")?.as_i64()?;
    let (key, value) = match operation.f.as_str() {
        "put" => {
            let [key, value] = operation.invoked.as_list()? else { return None };
            (key, Some(value))
        }
        _ => (&operation.invoked, None),
    };
    Some(Change { revision, key, value, previous: None, creates: None })
}
