//! Commands of operators that are given over and over, until the fault is healed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::json;

use super::background::Background;
use super::roster::Roster;
use crate::nemesis::fault::{ActiveFault, Fault};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, NodeControl, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::system::AdminAction;

/// Commands, at most.
const COMMANDS_MAX: u32 = 10_000;
/// How many answers and errors the record keeps.
const KEPT_MAX: usize = 12;

/// A command, given over and over.
#[derive(Clone)]
pub(super) struct AdminLoop {
    /// The kind, for the description.
    pub(super) verb: &'static str,
    /// The variant.
    pub(super) variant: &'static str,
    /// What to ask for next, of these nodes.
    pub(super) next: fn(&[NodeId], Option<NodeId>, &mut ChaCha8Rng) -> Option<AdminAction>,
    /// Between two commands, in milliseconds: at least, and less than.
    pub(super) pause_ms: (u64, u64),
}

impl fmt::Debug for AdminLoop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.verb, self.variant)
    }
}

impl Fault for AdminLoop {
    fn variant(&self) -> String {
        self.variant.to_owned()
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        record.description = format!("{} ({})", self.verb, self.variant);
        record.targets = surroundings.nodes.to_vec();
        record.parameters = json!({ "pause_ms": self.pause_ms });
        if surroundings.control.operator().is_none() {
            return Err(Skipped::new("the system has no commands for operators"));
        }
        let mut commands = Commands {
            of: self.clone(),
            control: Arc::clone(surroundings.control),
            nodes: surroundings.nodes.to_vec(),
            random: ChaCha8Rng::from_rng(rng),
            done: Done::default(),
        };
        commands.give();
        record.installed_time = Some(surroundings.now());
        let evidence = json!(commands.done);
        let seen = match commands.done.succeeded {
            0 => Seen::Unclear { reason: commands.done.failures(), evidence },
            _ => Seen::Yes { evidence, summary: commands.done.answers.join(", ") },
        };
        let (least, most) = self.pause_ms;
        let background = Background::start("commands", move |stop| {
            for _ in 0..COMMANDS_MAX {
                let pause = commands.random.random_range(least..most);
                if stop.wait(Duration::from_millis(pause)) {
                    break;
                }
                commands.give();
            }
            commands.done
        });
        match background {
            Ok(background) => Ok(Installed::new(ActiveLoop { background }, seen)),
            Err(error) => Err(Skipped::new(format!("start a thread: {error}"))),
        }
    }
}

/// The thread's part.
struct Commands {
    of: AdminLoop,
    control: Arc<dyn NodeControl>,
    nodes: Vec<NodeId>,
    random: ChaCha8Rng,
    done: Done,
}

impl Commands {
    /// One command, to every group.
    fn give(&mut self) {
        let Some(operator) = self.control.operator() else { return };
        let leader = self.control.leader();
        let Some(action) = (self.of.next)(&self.nodes, leader, &mut self.random) else { return };
        for group in 0..operator.groups() {
            self.done.note(operator.perform(group, action).map_err(|error| error.to_string()));
        }
    }
}

/// What was done, for the record.
#[derive(Debug, Default, Serialize)]
struct Done {
    succeeded: u64,
    failed: u64,
    /// The last answers.
    answers: Vec<String>,
    /// The errors, and how often.
    errors: BTreeMap<String, u64>,
}

impl Done {
    fn note(&mut self, answer: Result<String, String>) {
        match answer {
            Ok(answer) => {
                self.succeeded += 1;
                if self.answers.len() == KEPT_MAX {
                    self.answers.remove(0);
                }
                self.answers.push(answer);
            }
            Err(error) => {
                self.failed += 1;
                if self.errors.len() < KEPT_MAX || self.errors.contains_key(&error) {
                    *self.errors.entry(error).or_default() += 1;
                }
            }
        }
    }

    fn failures(&self) -> String {
        match self.errors.keys().next() {
            Some(error) => format!("no command succeeded: {error}"),
            None => "nobody was there to be asked".to_owned(),
        }
    }
}

/// Commands that go on.
struct ActiveLoop {
    background: Background<Done>,
}

impl ActiveFault for ActiveLoop {
    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let done = self.background.stop();
        record.healed_time = Some(surroundings.now());
        let Some(done) = done else {
            let reason = "the thread that did it ended by itself".to_owned();
            return Seen::Unclear { reason, evidence: json!({}) };
        };
        // Who belongs to the cluster is nothing that this may change; nobody may be there to say it.
        let members = surroundings.control.operator().and_then(|it| Roster::read(it).ok());
        let (succeeded, failed) = (done.succeeded, done.failed);
        let evidence = json!({ "commands": done, "members_after": members });
        Seen::Yes {
            evidence,
            summary: format!("in the background {succeeded} done, {failed} failed"),
        }
    }
}

/// A node that is not the leader, if there is another one.
pub(super) fn another(
    nodes: &[NodeId],
    leader: Option<NodeId>,
    random: &mut ChaCha8Rng,
) -> Option<NodeId> {
    let others: Vec<NodeId> = nodes.iter().copied().filter(|node| Some(*node) != leader).collect();
    others.choose(random).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leadership_goes_to_somebody_else_and_the_record_stays_small() {
        let nodes = [1, 2, 3].map(NodeId);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..20 {
            assert_ne!(another(&nodes, Some(NodeId(2)), &mut random), Some(NodeId(2)));
        }
        assert_eq!(another(&nodes[..1], Some(NodeId(1)), &mut random), None);
        let mut done = Done::default();
        for number in 0..1_000 {
            done.note(Ok(format!("n{number} leads")));
            done.note(Err(format!("error {number}")));
        }
        assert_eq!((done.succeeded, done.failed), (1_000, 1_000));
        assert_eq!((done.answers.len(), done.errors.len()), (KEPT_MAX, KEPT_MAX));
    }
}
