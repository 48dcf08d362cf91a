//! The order in which one process sends and polls.

use rustc_hash::{FxHashMap, FxHashSet};

use super::logs::Logs;
use super::traffic::{Action, Message, Traffic, Transport};
use crate::checker::findings::{Findings, Spending};
use crate::history::{Operation, Outcome};

/// Skipped messages that are named.
const NAMED_MAX: i64 = 4;

/// What a process did last on each key: the message, and the operation.
type Last = FxHashMap<u32, (Message, usize)>;

#[derive(Default)]
struct Process {
    polled: Last,
    sent: Last,
}

/// How two messages in a row are out of order.
enum Disorder {
    Skip,
    NotForward,
}

/// Judges the order of sends and polls of each process.
pub(super) fn orders<'a>(
    operations: &'a [Operation],
    traffic: &Traffic<'a>,
    logs: &Logs,
    findings: &mut Findings<'a>,
    bytes: usize,
    spending: &mut Spending<'_>,
) -> Result<(), String> {
    // Who subscribed once may have been rebalanced at any time from then on.
    let mut subscribers: FxHashSet<u64> = FxHashSet::default();
    let mut processes: FxHashMap<u64, Process> = FxHashMap::default();
    let mut order = Order { traffic, logs, findings };
    for (position, (operation, action)) in operations.iter().zip(&traffic.actions).enumerate() {
        spending.step(1, bytes)?;
        let process = processes.entry(operation.process).or_default();
        match action {
            Action::Other => {}
            Action::Keys { keys, subscribed } => {
                if *subscribed {
                    subscribers.insert(operation.process);
                }
                if operation.outcome != Outcome::Fail {
                    process.polled.retain(|key, _| keys.contains(key));
                }
            }
            Action::Data { sent, polled } => {
                spending.step(sent.len() + polled.len(), bytes)?;
                if operation.outcome == Outcome::Ok {
                    let rebalanced = subscribers.contains(&operation.process);
                    order.polls(position, polled, &mut process.polled, rebalanced);
                }
                if logs.is_visible(position) {
                    order.sends(position, sent, &mut process.sent);
                }
            }
        }
    }
    Ok(())
}

struct Order<'a, 't, 'f> {
    traffic: &'t Traffic<'a>,
    logs: &'t Logs,
    findings: &'f mut Findings<'a>,
}

impl Order<'_, '_, '_> {
    fn polls(&mut self, position: usize, polled: &[Transport], last: &mut Last, rebalanced: bool) {
        let mut within: FxHashMap<u32, (Message, u32)> = FxHashMap::default();
        for it in polled {
            if let Some((message, micro)) = within.insert(it.key, (it.message, it.micro)) {
                if !rebalanced || micro == it.micro {
                    let kinds = ("int-poll-skip", "int-nonmonotonic-poll");
                    self.pair(kinds, it.key, (message, position), (it.message, position));
                }
                continue;
            }
            if let Some(&before) = last.get(&it.key).filter(|_| !rebalanced) {
                let kinds = ("poll-skip", "nonmonotonic-poll");
                self.pair(kinds, it.key, before, (it.message, position));
            }
        }
        for (key, (message, _)) in within {
            last.insert(key, (message, position));
        }
    }

    fn sends(&mut self, position: usize, sent: &[Transport], last: &mut Last) {
        for it in sent {
            // Where a message is that was sent twice, nobody can say.
            let Some((message, earlier)) = last.insert(it.key, (it.message, position)) else {
                continue;
            };
            let kind =
                if earlier == position { "int-nonmonotonic-send" } else { "nonmonotonic-send" };
            if matches!(self.disorder(message, it.message), Some((Disorder::NotForward, _))) {
                let involved = involved(earlier, position);
                let (first, second) = (self.traffic.text(message), self.traffic.text(it.message));
                self.findings.add(kind, Some(&self.traffic.keys[it.key as usize]), &involved, || {
                    let second_by = if earlier == position { "A" } else { "B" };
                    vec![
                        format!("A sent {first}; after that, {second_by} sent {second}, to the same log."),
                        format!("But in the log {second} is not behind {first}."),
                    ]
                });
            }
        }
    }

    fn disorder(&self, first: Message, second: Message) -> Option<(Disorder, i64)> {
        let distance = self.logs.distance(first, second)?;
        match distance {
            1 => None,
            2.. => Some((Disorder::Skip, distance)),
            _ => Some((Disorder::NotForward, distance)),
        }
    }

    /// Two messages that were polled one after the other.
    fn pair(
        &mut self,
        (skip, not_forward): (&'static str, &'static str),
        key: u32,
        (first, earlier): (Message, usize),
        (second, position): (Message, usize),
    ) {
        let Some((disorder, distance)) = self.disorder(first, second) else { return };
        let involved = involved(earlier, position);
        let names = (self.traffic.text(first), self.traffic.text(second));
        let by = if earlier == position { "A" } else { "B" };
        let name = Some(&self.traffic.keys[key as usize]);
        match disorder {
            Disorder::Skip => {
                let skipped = self.skipped(key, first, distance);
                self.findings.add(skip, name, &involved, || {
                    vec![
                        format!(
                            "A polled {}; the next that {by} polled from this log is {}.",
                            names.0, names.1
                        ),
                        format!("Between them is {skipped}, which was skipped."),
                    ]
                });
            }
            Disorder::NotForward => self.findings.add(not_forward, name, &involved, || {
                let how = if distance == 0 { "the same again" } else { "before it in the log" };
                vec![format!(
                    "A polled {}; the next that {by} polled from this log is {}, {how}.",
                    names.0, names.1
                )]
            }),
        }
    }

    /// The messages between one and another further on, in words.
    fn skipped(&self, key: u32, first: Message, distance: i64) -> String {
        let log = &self.logs.logs[key as usize];
        let from = self.logs.place(first).map_or(0, |place| place.first as usize);
        let mut names: Vec<String> = (1..distance.min(NAMED_MAX + 1))
            .filter_map(|step| log.slots.get(from + step as usize))
            .flat_map(|(_, messages)| messages.first())
            .map(|&message| self.traffic.text(message))
            .collect();
        if distance - 1 > NAMED_MAX {
            names.push(format!("{} more", distance - 1 - NAMED_MAX));
        }
        names.join(", ")
    }
}

fn involved(earlier: usize, position: usize) -> Vec<usize> {
    if earlier == position { vec![position] } else { vec![earlier, position] }
}
