//! What was sent and what was polled.

use rustc_hash::FxHashMap;

use crate::checker::findings::brief;
use crate::checker::order::name;
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;

/// A message by number: a value on a key.
pub(super) type Message = u32;

/// One message sent or polled, by one micro-operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transport {
    pub(super) key: u32,
    pub(super) message: Message,
    /// None if it is not known.
    pub(super) offset: Option<i64>,
    /// Number of the micro-operation.
    pub(super) micro: u32,
}

/// What an operation is about.
#[derive(Debug)]
pub(super) enum Action {
    /// `send`, `poll` or `txn`.
    Data { sent: Vec<Transport>, polled: Vec<Transport> },
    /// `assign` and `subscribe`: the keys from now on.
    Keys { keys: Vec<u32>, subscribed: bool },
    /// Anything else, such as a client that is crashed on purpose.
    Other,
}

/// What is known about a message.
#[derive(Debug, Default, Clone)]
pub(super) struct Fate {
    pub(super) key: u32,
    /// The operation that sent it, if one did that did not fail.
    pub(super) sender: Option<usize>,
    /// An operation that failed to send it.
    pub(super) failed: Option<usize>,
    /// The first acknowledged operation that polled it, and the first of any outcome.
    pub(super) reader: Option<usize>,
    pub(super) seen: bool,
}

/// A history of sends and polls.
#[derive(Debug, Default)]
pub(super) struct Traffic<'a> {
    /// By position of the operation.
    pub(super) actions: Vec<Action>,
    pub(super) fates: Vec<Fate>,
    pub(super) keys: Vec<Value>,
    values: Vec<&'a Value>,
    key_numbers: FxHashMap<Value, u32>,
    messages: FxHashMap<(u32, &'a Value), Message>,
}

impl<'a> Traffic<'a> {
    /// Reads all operations.
    pub(super) fn new(operations: &'a [Operation]) -> Result<Self, UnsuitableOperation> {
        let mut traffic = Traffic::default();
        for (position, operation) in operations.iter().enumerate() {
            let action = traffic.action(operation).ok_or_else(|| UnsuitableOperation {
                index: operation.invoke_index,
                expected: r#"send, poll or txn with micro-operations such as ["send",1,7], ["send",1,[0,7]], ["poll"] or ["poll",{"1":[[0,7]]}]; or assign or subscribe with a list of keys"#,
                got: format!("{} {}", operation.f, brief(&operation.invoked)),
            })?;
            if let Action::Data { sent, polled } = &action {
                traffic.note(position, operation.outcome, sent, polled);
            }
            traffic.actions.push(action);
        }
        Ok(traffic)
    }

    /// Bytes held, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.actions.len() * size_of::<Action>() + self.fates.len() * (size_of::<Fate>() + 96)
    }

    /// The value of a message, in words.
    pub(super) fn text(&self, message: Message) -> String {
        brief(self.values[message as usize])
    }

    /// The name of a key, in words.
    pub(super) fn key_text(&self, key: u32) -> String {
        brief(&self.keys[key as usize])
    }

    fn note(
        &mut self,
        position: usize,
        outcome: Outcome,
        sent: &[Transport],
        polled: &[Transport],
    ) {
        for it in sent {
            let fate = &mut self.fates[it.message as usize];
            match outcome {
                Outcome::Fail => fate.failed.get_or_insert(position),
                Outcome::Ok | Outcome::Info => fate.sender.get_or_insert(position),
            };
        }
        for it in polled {
            let fate = &mut self.fates[it.message as usize];
            fate.seen = true;
            if outcome == Outcome::Ok {
                fate.reader.get_or_insert(position);
            }
        }
    }

    fn key(&mut self, value: &Value) -> u32 {
        let next = self.keys.len() as u32;
        let keys = &mut self.keys;
        *self.key_numbers.entry(name(value)).or_insert_with_key(|name| {
            keys.push(name.clone());
            next
        })
    }

    fn message(&mut self, key: u32, value: &'a Value) -> Message {
        let next = self.values.len() as Message;
        let message = *self.messages.entry((key, value)).or_insert(next);
        if message == next {
            self.values.push(value);
            self.fates.push(Fate { key, ..Fate::default() });
        }
        message
    }

    fn action(&mut self, operation: &'a Operation) -> Option<Action> {
        match operation.f.as_str() {
            "send" | "poll" | "txn" => {
                // The completion says more, if it says anything.
                let completed = operation.result.as_list();
                let list = completed.or_else(|| operation.invoked.as_list())?;
                let (mut sent, mut polled) = (Vec::new(), Vec::new());
                for (number, micro) in (0_u32..).zip(list) {
                    let micro = micro.as_list()?;
                    match (micro.first()?.as_str()?, &micro[1..]) {
                        ("send", [key, value]) => {
                            let key = self.key(key);
                            sent.push(self.sent(key, value, number));
                        }
                        ("poll", []) => {}
                        ("poll", [messages]) => self.polled(messages, number, &mut polled)?,
                        _ => return None,
                    }
                }
                Some(Action::Data { sent, polled })
            }
            f @ ("assign" | "subscribe") => {
                let list = operation.invoked.as_list()?;
                let keys = list.iter().map(|key| self.key(key)).collect();
                Some(Action::Keys { keys, subscribed: f == "subscribe" })
            }
            _ => Some(Action::Other),
        }
    }

    /// A value as it was invoked, or a pair of an offset (perhaps null) and a value.
    fn sent(&mut self, key: u32, value: &'a Value, micro: u32) -> Transport {
        let (offset, value) = match value.as_list() {
            Some([Value::Null, value]) => (None, value),
            Some([Value::Int(offset), value]) => (Some(*offset), value),
            _ => (None, value),
        };
        Transport { key, message: self.message(key, value), offset, micro }
    }

    fn polled(
        &mut self,
        messages: &'a Value,
        micro: u32,
        polled: &mut Vec<Transport>,
    ) -> Option<()> {
        if messages.is_null() {
            return Some(());
        }
        for (key, pairs) in messages.as_map()? {
            let key = self.key(key);
            for pair in pairs.as_list()? {
                let [offset, value] = pair.as_list()? else { return None };
                let message = self.message(key, value);
                polled.push(Transport { key, message, offset: offset.as_i64(), micro });
            }
        }
        Some(())
    }
}
