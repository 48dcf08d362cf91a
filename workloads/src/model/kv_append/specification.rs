//! The sequential specification, placed or loose.

use std::sync::Arc;

use smol_str::SmolStr;

use super::places::{NONE, Places, ROOT};
use crate::history::{Operation, Outcome, Value};
use crate::model::nearby::nearby;
use crate::model::register::{blocks, conflict, simplify, support};
use crate::model::{
    Decision, Encoded, Entry, Initial, Model, OPEN, ObjectModel, RegisterOp, RegisterState,
    UnsuitableOperation, completion,
};

/// A text, with what was done to it in one history.
#[derive(Debug, Clone)]
pub struct KvAppend {
    initial: SmolStr,
    /// The texts that were seen, if every one can be told apart.
    places: Option<Places>,
    /// Otherwise: what was read, sorted.
    reads: Vec<SmolStr>,
}

/// An operation on a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KvAppendOp {
    /// Of a placed history: what it does to a register that holds nodes.
    Placed(RegisterOp),
    /// It returned the text.
    Read(SmolStr),
    /// It sets the text.
    Write(SmolStr),
    /// It puts a text behind what is there.
    Append(SmolStr),
}

/// What the object holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KvAppendState {
    /// Of a placed history: a node.
    Placed(RegisterState),
    /// The text.
    Text(Arc<str>),
    /// A text with which nothing begins that was ever read: only a write leads out of it.
    Unseen,
}

impl ObjectModel for KvAppend {
    fn usual_initial() -> Initial {
        Initial::Value("".into())
    }

    /// Null is the empty text, and so is what is left after a delete. Crashed reads say nothing and are
    /// left out.
    fn encode(
        operations: &[&Operation],
        initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        let initial: SmolStr = match initial {
            Initial::Value(Value::Text(text)) => text.clone(),
            Initial::Value(_) | Initial::Any => SmolStr::default(),
        };
        let mut entries = Vec::with_capacity(operations.len());
        for (id, operation) in nearby(operations) {
            let (value, is_read) = match operation.f.as_str() {
                "read" | "scan" => (&operation.result, true),
                "write" | "append" => (&operation.invoked, false),
                "delete" => (&Value::Null, false),
                _ => {
                    let expected = "a function of a text: read, scan, write, append or delete";
                    return Err(UnsuitableOperation::function(operation, expected));
                }
            };
            let completed = completion(operation);
            if operation.outcome == Outcome::Fail || is_read && completed == OPEN {
                continue;
            }
            let text = match value {
                Value::Text(text) => text.clone(),
                Value::Null => SmolStr::default(),
                other => return Err(UnsuitableOperation::value(operation, "a text", other)),
            };
            let op = match operation.f.as_str() {
                "append" => KvAppendOp::Append(text),
                _ if is_read => KvAppendOp::Read(text),
                _ => KvAppendOp::Write(text),
            };
            entries.push(Entry { id, op, invoked: 2 * operation.invoke_index, completed });
        }
        let mut reads: Vec<SmolStr> = entries
            .iter()
            .filter_map(|entry| match &entry.op {
                KvAppendOp::Read(text) => Some(text.clone()),
                _ => None,
            })
            .collect();
        reads.sort_unstable();
        reads.dedup();
        let places = place(&initial, &mut entries);
        if places.is_some() {
            reads.clear();
        }
        Ok((KvAppend { initial, places, reads }, entries))
    }
}

#[cfg(test)]
impl KvAppend {
    /// The same without looking at what was read.
    pub(crate) fn encode_loose(
        operations: &[&Operation],
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        // Two equal texts cannot be told apart, so they keep all from being placed.
        let mut twice = operations.to_vec();
        let mut failed = Operation::clone(operations[0]);
        failed.f = "append".into();
        failed.invoked = "never".into();
        failed.outcome = Outcome::Info;
        twice.extend([&failed, &failed]);
        let (model, mut entries) = KvAppend::encode(&twice, &Self::usual_initial())?;
        entries.truncate(entries.len() - 2);
        Ok((model, entries))
    }
}

/// Turns the operations into those of a register, if that can be done.
fn place(initial: &str, entries: &mut [Entry<KvAppendOp>]) -> Option<Places> {
    let written = entries.iter().filter_map(|entry| match &entry.op {
        KvAppendOp::Write(text) => Some(text.as_str()),
        _ => None,
    });
    let appended = entries.iter().filter_map(|entry| match &entry.op {
        KvAppendOp::Append(text) => Some(text.as_str()),
        _ => None,
    });
    let mut places = Places::new(initial, written, appended)?;
    let reads: Option<Vec<u32>> = entries
        .iter()
        .filter_map(|entry| match &entry.op {
            KvAppendOp::Read(text) => Some(places.place(text)),
            _ => None,
        })
        .collect();
    let mut reads = reads?.into_iter();
    let seen = places.seen();
    for entry in entries {
        entry.op = KvAppendOp::Placed(match &entry.op {
            KvAppendOp::Read(_) => RegisterOp::Read(reads.next()?),
            KvAppendOp::Write(text) => RegisterOp::Write(places.child(NONE, text)),
            KvAppendOp::Append(text) => match seen.get(text) {
                Some(&new) => RegisterOp::Cas { expected: places.nodes[new as usize].parent, new },
                None => RegisterOp::Write(places.child(NONE, text)),
            },
            KvAppendOp::Placed(op) => RegisterOp::clone(op),
        });
    }
    Some(places)
}

/// The operations of a placed history as those of a register.
fn placed(entries: &[Entry<KvAppendOp>]) -> Vec<Entry<RegisterOp>> {
    entries
        .iter()
        .filter_map(|entry| match entry.op {
            KvAppendOp::Placed(op) => {
                Some(Entry { id: entry.id, op, invoked: entry.invoked, completed: entry.completed })
            }
            _ => None,
        })
        .collect()
}

impl KvAppend {
    fn nodes(&self) -> usize {
        self.places.as_ref().map_or(0, |places| places.nodes.len())
    }

    /// Of each append whose place is known, a read that tells it: both as positions. Without that read,
    /// the append could have come anywhere.
    fn readers(&self, entries: &[Entry<KvAppendOp>]) -> Vec<(usize, usize)> {
        let Some(places) = &self.places else { return Vec::new() };
        let mut reader: Vec<Option<usize>> = vec![None; places.nodes.len()];
        for (position, entry) in entries.iter().enumerate() {
            let KvAppendOp::Placed(RegisterOp::Read(mut node)) = entry.op else { continue };
            while let Some(place) = reader.get_mut(node as usize).filter(|it| it.is_none()) {
                *place = Some(position);
                node = places.nodes[node as usize].parent;
            }
        }
        let appends = entries.iter().enumerate().filter_map(|(position, entry)| match entry.op {
            KvAppendOp::Placed(RegisterOp::Cas { new, .. }) => {
                Some((position, reader[new as usize]?))
            }
            _ => None,
        });
        appends.collect()
    }
}

const INITIAL: RegisterState = RegisterState::Holds(ROOT);

impl Model for KvAppend {
    type Op = KvAppendOp;
    type State = KvAppendState;

    fn initial(&self) -> KvAppendState {
        match self.places {
            Some(_) => KvAppendState::Placed(INITIAL),
            None => self.seen(&self.initial),
        }
    }

    fn step(&self, state: &KvAppendState, op: &KvAppendOp) -> Option<KvAppendState> {
        match (op, state) {
            (KvAppendOp::Placed(op), KvAppendState::Placed(state)) => {
                state.step(*op).map(KvAppendState::Placed)
            }
            (KvAppendOp::Read(text), KvAppendState::Text(held)) => {
                (text.as_str() == &**held).then(|| state.clone())
            }
            (KvAppendOp::Write(text), KvAppendState::Text(_) | KvAppendState::Unseen) => {
                Some(self.seen(text))
            }
            (KvAppendOp::Append(text), KvAppendState::Text(held)) => {
                Some(self.seen(&[held, text.as_str()].concat()))
            }
            (KvAppendOp::Append(_), KvAppendState::Unseen) => Some(KvAppendState::Unseen),
            (KvAppendOp::Read(_), KvAppendState::Unseen)
            | (KvAppendOp::Placed(_), KvAppendState::Text(_) | KvAppendState::Unseen)
            | (_, KvAppendState::Placed(_)) => None,
        }
    }

    fn is_read_only(&self, op: &KvAppendOp) -> bool {
        matches!(op, KvAppendOp::Read(_) | KvAppendOp::Placed(RegisterOp::Read(_)))
    }

    fn values(&self) -> usize {
        self.nodes()
    }

    fn observes(&self, op: &KvAppendOp) -> Option<u32> {
        match op {
            KvAppendOp::Placed(op) => op.observes(),
            _ => None,
        }
    }

    fn writes(&self, op: &KvAppendOp) -> Option<u32> {
        match op {
            KvAppendOp::Placed(op) => op.writes(),
            _ => None,
        }
    }

    fn held(&self, state: &KvAppendState) -> Option<u32> {
        match state {
            KvAppendState::Placed(RegisterState::Holds(node)) => Some(*node),
            _ => None,
        }
    }

    fn unobservable(&self) -> Option<KvAppendState> {
        self.places.as_ref().map(|_| KvAppendState::Placed(RegisterState::Unobservable))
    }

    fn state_bytes(&self, state: &KvAppendState) -> usize {
        size_of_val(state)
            + match state {
                KvAppendState::Placed(_) | KvAppendState::Unseen => 0,
                KvAppendState::Text(text) => text.len(),
            }
    }

    fn simplify(&self, entries: Vec<Entry<KvAppendOp>>) -> Vec<Entry<KvAppendOp>> {
        if self.places.is_none() {
            return entries;
        }
        simplify(self.nodes(), INITIAL, placed(&entries))
            .into_iter()
            .map(|entry| Entry {
                id: entry.id,
                op: KvAppendOp::Placed(entry.op),
                invoked: entry.invoked,
                completed: entry.completed,
            })
            .collect()
    }

    fn decide(&self, entries: &[Entry<KvAppendOp>]) -> Option<Decision> {
        self.places.as_ref()?;
        blocks::decide(self.nodes(), INITIAL, &placed(entries))
    }

    fn conflict(&self, entries: &[Entry<KvAppendOp>]) -> Option<Vec<usize>> {
        self.places.as_ref()?;
        let mut found = conflict(self.nodes(), INITIAL, &placed(entries))?;
        let support = self.support(entries);
        let mut included = vec![false; entries.len()];
        found.iter().for_each(|&position| included[position] = true);
        let mut at = 0;
        while let Some(&position) = found.get(at) {
            let missing =
                support[position].iter().filter(|it| !std::mem::replace(&mut included[**it], true));
            found.extend(missing);
            at += 1;
        }
        found.sort_unstable();
        Some(found)
    }

    fn support(&self, entries: &[Entry<KvAppendOp>]) -> Vec<Vec<usize>> {
        match self.places {
            Some(_) => {
                let mut support = support(self.nodes(), INITIAL, &placed(entries));
                for (position, reader) in self.readers(entries) {
                    support[position].push(reader);
                }
                support
            }
            None => crate::model::earlier_changes(self, entries),
        }
    }

    fn describe_op(&self, op: &KvAppendOp) -> String {
        let (f, text) = match op {
            KvAppendOp::Placed(RegisterOp::Read(node)) => {
                return format!("read -> {}", self.describe_value(*node));
            }
            KvAppendOp::Read(text) => return format!("read -> {text:?}"),
            KvAppendOp::Placed(RegisterOp::Write(node)) => {
                let text = &self.node_text(*node);
                let written = self.places.as_ref().is_some_and(|it| it.is_written(text));
                (if written { "write" } else { "append" }, text.clone())
            }
            KvAppendOp::Placed(RegisterOp::Cas { new, .. }) => ("append", self.node_text(*new)),
            KvAppendOp::Write(text) => ("write", text.clone()),
            KvAppendOp::Append(text) => ("append", text.clone()),
        };
        format!("{f} {text:?}")
    }

    fn describe_state(&self, state: &KvAppendState) -> String {
        match state {
            KvAppendState::Placed(RegisterState::Holds(node)) => self.describe_value(*node),
            KvAppendState::Placed(_) => "a text that nobody observes".to_owned(),
            KvAppendState::Text(text) => format!("{text:?}"),
            KvAppendState::Unseen => "a text that nobody read".to_owned(),
        }
    }

    fn describe_refusal(&self, state: &KvAppendState, op: &KvAppendOp) -> String {
        let holds = self.describe_state(state);
        match op {
            KvAppendOp::Placed(RegisterOp::Cas { expected, .. }) => format!(
                "its text was seen behind {}, but the key holds {holds}",
                self.describe_value(*expected)
            ),
            _ => format!("{} is wrong, because the key holds {holds}", self.describe_op(op)),
        }
    }

    fn describe_value(&self, value: u32) -> String {
        match &self.places {
            Some(places) => format!("{:?}", places.text(value)),
            None => format!("text {value}"),
        }
    }

    fn noun(&self) -> &'static str {
        "key"
    }
}

impl KvAppend {
    /// The state of a text, of loose operations.
    fn seen(&self, text: &str) -> KvAppendState {
        let at = self.reads.partition_point(|read| read.as_str() < text);
        match self.reads.get(at) {
            Some(read) if read.starts_with(text) => KvAppendState::Text(text.into()),
            _ => KvAppendState::Unseen,
        }
    }

    /// The last part of the text of a node.
    fn node_text(&self, node: u32) -> SmolStr {
        self.places
            .as_ref()
            .and_then(|places| places.nodes.get(node as usize))
            .map_or_else(SmolStr::default, |node| node.text.clone())
    }
}
