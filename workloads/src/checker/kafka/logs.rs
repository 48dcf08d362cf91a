//! The logs, as all sends and polls together show them.

use super::traffic::{Action, Message, Traffic};
use crate::history::{Operation, Outcome};

/// Where a message is: positions in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) first: u32,
    pub(super) last: u32,
}

/// One log: what was seen at each offset.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Offsets with the messages seen there, by offset; the rank of an offset is a position.
    pub(super) slots: Vec<(i64, Vec<Message>)>,
}

/// All logs.
#[derive(Debug)]
pub(super) struct Logs {
    /// By number of the key.
    pub(super) logs: Vec<Log>,
    /// By number of the message; none if nobody knows where it is.
    places: Vec<Option<Place>>,
    /// By position of the operation: whether its sends surely took effect.
    visible: Vec<bool>,
}

impl Logs {
    /// Puts the logs together.
    pub(super) fn new(operations: &[Operation], traffic: &Traffic<'_>) -> Logs {
        let visible: Vec<bool> = operations
            .iter()
            .zip(&traffic.actions)
            .map(|(operation, action)| match (operation.outcome, action) {
                (Outcome::Ok, _) => true,
                (Outcome::Info, Action::Data { sent, .. }) => {
                    sent.iter().any(|it| traffic.fates[it.message as usize].reader.is_some())
                }
                (Outcome::Info | Outcome::Fail, _) => false,
            })
            .collect();
        let mut seen: Vec<Vec<(i64, Message)>> = vec![Vec::new(); traffic.keys.len()];
        for (action, &visible) in traffic.actions.iter().zip(&visible) {
            let Action::Data { sent, polled } = action else { continue };
            // What is polled is there, whatever becomes of the operation that polls.
            for it in polled.iter().chain(sent.iter().filter(|_| visible)) {
                if let Some(offset) = it.offset {
                    seen[it.key as usize].push((offset, it.message));
                }
            }
        }
        let mut places: Vec<Option<Place>> = vec![None; traffic.fates.len()];
        let logs = seen
            .into_iter()
            .map(|mut seen| {
                seen.sort_unstable();
                seen.dedup();
                let mut log = Log::default();
                for (offset, message) in seen {
                    match log.slots.last_mut() {
                        Some((last, messages)) if *last == offset => messages.push(message),
                        _ => log.slots.push((offset, vec![message])),
                    }
                    let position = log.slots.len() as u32 - 1;
                    let place = &mut places[message as usize];
                    *place = Some(match *place {
                        None => Place { first: position, last: position },
                        Some(place) => Place { last: position, ..place },
                    });
                }
                log
            })
            .collect();
        Logs { logs, places, visible }
    }

    /// Where a message is.
    pub(super) fn place(&self, message: Message) -> Option<Place> {
        self.places[message as usize]
    }

    /// How many positions further the second of two messages of a key is; 0 if it is the same one.
    ///
    /// None where it is not known, or not the same for all who look.
    pub(super) fn distance(&self, first: Message, second: Message) -> Option<i64> {
        let (first, second) = (self.place(first)?, self.place(second)?);
        let unique = first.first == first.last && second.first == second.last;
        unique.then(|| i64::from(second.first) - i64::from(first.first))
    }

    /// Whether the sends of the operation surely took effect.
    pub(super) fn is_visible(&self, position: usize) -> bool {
        self.visible[position]
    }

    /// Bytes held, roughly.
    pub(super) fn bytes(&self) -> usize {
        let slots: usize = self.logs.iter().map(|log| log.slots.len()).sum();
        slots * 40 + self.places.len() * size_of::<Option<Place>>() + self.visible.len()
    }
}
