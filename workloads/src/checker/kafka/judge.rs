//! The check as a whole, and what messages alone show.

use super::logs::Logs;
use super::order::orders;
use super::traffic::{Action, Message, Traffic};
use crate::checker::findings::{Findings, Spending, measured};
use crate::checker::{Budget, Check, CheckOptions};
use crate::history::{Operation, Outcome};
use crate::model::UnsuitableOperation;
use crate::plural::counted;

/// What must become of the messages at the end of a log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// Somebody who polls later may see them.
    Open,
    /// The history ends with polls of everything.
    Drained,
}

/// Checks the logs.
pub(in crate::checker) fn check(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    judge(operations, budget, "kafka", Tail::Open)
}

/// As [`check`], for histories that end with polls of everything: nothing may be unseen.
pub(in crate::checker) fn check_drained(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    judge(operations, budget, "kafka-drained", Tail::Drained)
}

fn judge(
    operations: &[Operation],
    budget: &dyn Budget,
    name: &str,
    tail: Tail,
) -> Result<Check, UnsuitableOperation> {
    let traffic = Traffic::new(operations)?;
    let logs = Logs::new(operations, &traffic);
    let mut spending = Spending::new(budget);
    let mut judge = Judge {
        operations,
        traffic: &traffic,
        logs: &logs,
        findings: Findings::new(operations),
        acknowledged: 0,
        polled: 0,
        unseen: 0,
    };
    let bytes = traffic.bytes() + logs.bytes();
    let spent = judge.all(tail, bytes, &mut spending).err();
    let measurements = vec![
        measured("messages acknowledged", judge.acknowledged),
        measured("messages polled", judge.polled),
        measured("messages unseen", judge.unseen),
        measured("messages lost", judge.findings.count("lost-write")),
    ];
    let (polled, keys) = (judge.polled, traffic.keys.len() as u64);
    let valid =
        || format!("{} polled from {}, in order", counted(polled, "message"), counted(keys, "log"));
    Ok(judge.findings.check(name, spent, valid, measurements))
}

struct Judge<'a, 't> {
    operations: &'a [Operation],
    traffic: &'t Traffic<'a>,
    logs: &'t Logs,
    findings: Findings<'a>,
    acknowledged: u64,
    polled: u64,
    unseen: u64,
}

impl Judge<'_, '_> {
    fn all(&mut self, tail: Tail, bytes: usize, spending: &mut Spending<'_>) -> Result<(), String> {
        spending.step(self.traffic.actions.len(), bytes)?;
        self.offsets();
        spending.step(self.traffic.fates.len(), bytes)?;
        self.origins();
        spending.step(self.traffic.fates.len(), bytes)?;
        self.lost(tail);
        orders(self.operations, self.traffic, self.logs, &mut self.findings, bytes, spending)
    }

    /// The operations that show a message: its sender, and whoever polled it first.
    fn witnesses(&self, messages: &[Message]) -> Vec<usize> {
        let fates = messages.iter().map(|&it| &self.traffic.fates[it as usize]);
        let mut witnesses: Vec<usize> =
            fates.flat_map(|fate| [fate.sender, fate.reader]).flatten().collect();
        witnesses.dedup();
        witnesses.truncate(6);
        witnesses
    }

    /// One message an offset, and one offset a message.
    fn offsets(&mut self) {
        for (key, log) in (0_u32..).zip(&self.logs.logs) {
            let mut twice: Vec<Message> = Vec::new();
            for (position, (offset, messages)) in (0_u32..).zip(&log.slots) {
                if messages.len() > 1 {
                    let witnesses = self.witnesses(messages);
                    let texts: Vec<String> =
                        messages.iter().map(|&it| self.traffic.text(it)).collect();
                    self.findings.add(
                        "inconsistent-offsets",
                        Some(&self.traffic.keys[key as usize]),
                        &witnesses,
                        || {
                            vec![format!(
                                "At offset {offset} of log {}, {} were seen: an offset has one message.",
                                self.traffic.key_text(key),
                                texts.join(" and ")
                            )]
                        },
                    );
                }
                let place = |it: &&Message| self.logs.place(**it);
                twice.extend(messages.iter().filter(|it| {
                    place(it).is_some_and(|it| it.first == position && it.last > position)
                }));
            }
            for message in twice {
                let witnesses = self.witnesses(&[message]);
                let at: Vec<String> = log
                    .slots
                    .iter()
                    .filter(|(_, messages)| messages.contains(&message))
                    .map(|(offset, _)| offset.to_string())
                    .take(8)
                    .collect();
                self.findings.add(
                    "duplicate",
                    Some(&self.traffic.keys[key as usize]),
                    &witnesses,
                    || {
                        vec![format!(
                            "Message {} is in log {} more than once: at offsets {}.",
                            self.traffic.text(message),
                            self.traffic.key_text(key),
                            at.join(", ")
                        )]
                    },
                );
            }
        }
    }

    /// Every message that was polled was sent, and not by who polled it.
    fn origins(&mut self) {
        for (message, fate) in (0_u32..).zip(&self.traffic.fates) {
            let Some(reader) = fate.reader.filter(|_| fate.sender.is_none()) else { continue };
            let key = Some(&self.traffic.keys[fate.key as usize]);
            let text = self.traffic.text(message);
            match fate.failed {
                Some(failed) => self.findings.add("G1a", key, &[failed, reader], || {
                    vec![
                        format!("A, the only send of {text}, failed."),
                        format!("B polled {text}: what failed must have no effect."),
                    ]
                }),
                None => self.findings.add("unexpected-message", key, &[reader], || {
                    vec![format!("A polled {text}, which nobody sent.")]
                }),
            }
        }
        for (position, action) in self.traffic.actions.iter().enumerate() {
            let Action::Data { sent, polled } = action else { continue };
            if sent.is_empty() || polled.is_empty() {
                continue;
            }
            let own = polled.iter().find(|it| sent.iter().any(|own| own.message == it.message));
            if let Some(own) = own {
                let key = Some(&self.traffic.keys[own.key as usize]);
                self.findings.add("precommitted-read", key, &[position], || {
                    vec![format!(
                        "A polled {}, which it sent itself: messages of a transaction are not visible \
                         before it commits.",
                        self.traffic.text(own.message)
                    )]
                });
            }
        }
    }

    /// Messages that surely are in a log, before one that was polled, and that nobody polled.
    fn lost(&mut self, tail: Tail) {
        // For each log the furthest position that was polled, and a message there.
        let mut furthest: Vec<Option<(u32, Message)>> = vec![None; self.logs.logs.len()];
        for (message, fate) in (0_u32..).zip(&self.traffic.fates) {
            self.polled += u64::from(fate.seen);
            let Some(place) = self.logs.place(message).filter(|_| fate.reader.is_some()) else {
                continue;
            };
            let furthest = &mut furthest[fate.key as usize];
            if furthest.is_none_or(|(position, _)| place.first > position) {
                *furthest = Some((place.first, message));
            }
        }
        for (message, fate) in (0_u32..).zip(&self.traffic.fates) {
            let Some(sender) = fate.sender else { continue };
            let acknowledged = self.operations[sender].outcome == Outcome::Ok;
            self.acknowledged += u64::from(acknowledged);
            if fate.seen || !self.logs.is_visible(sender) {
                continue;
            }
            self.unseen += u64::from(acknowledged);
            let key = Some(&self.traffic.keys[fate.key as usize]);
            let text = self.traffic.text(message);
            let later = furthest[fate.key as usize].filter(|&(position, _)| {
                self.logs.place(message).is_some_and(|place| place.last < position)
            });
            if let Some((_, later)) = later {
                let reader = self.traffic.fates[later as usize].reader;
                let involved: Vec<usize> = std::iter::once(sender).chain(reader).collect();
                self.findings.add("lost-write", key, &involved, || {
                    let took_effect = match acknowledged {
                        true => format!("A sent {text} and was acknowledged."),
                        false => format!(
                            "A sent {text} with unknown outcome, but another of its messages was polled: \
                             so it took effect."
                        ),
                    };
                    vec![
                        took_effect,
                        format!(
                            "B polled {}, which is behind {text} in the log; but nobody ever polled {text}.",
                            self.traffic.text(later)
                        ),
                    ]
                });
            } else if tail == Tail::Drained && acknowledged {
                self.findings.add("unseen", key, &[sender], || {
                    vec![format!(
                        "A sent {text} and was acknowledged, but nobody polled it, although all was polled \
                         at the end."
                    )]
                });
            }
        }
    }
}
