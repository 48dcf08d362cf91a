//! Nodes that end and start again over and over, until the fault is healed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::json;

use super::background::{Background, StopFlag};
use super::selector::Selector;
use crate::nemesis::fault::{ActiveFault, Fault};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, NodeControl, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::{Platform, ProcessState};

/// A node that is told to end gets so long.
const END_PATIENCE: Duration = Duration::from_secs(8);
/// A node that started answers by then, or the next one's turn comes.
const SERVE_PATIENCE: Duration = Duration::from_secs(10);
/// Rounds, at most.
const ROUNDS_MAX: u32 = 1_000;
/// How many process ids and problems the record keeps.
const KEPT_MAX: usize = 20;

/// How a node is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// SIGKILL.
    Kill,
    /// SIGTERM; it should end by itself.
    Terminate,
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// All chosen nodes at once.
    Together,
    /// One after the other, each when the one before serves again.
    InTurn,
}

/// Ends and starts nodes over and over.
#[derive(Debug, Clone)]
pub(super) struct Cycles {
    /// In words: `crash loop of`.
    pub(super) verb: &'static str,
    pub(super) selector: Selector,
    pub(super) end: End,
    pub(super) order: Order,
    /// How long nodes run between two rounds, in milliseconds: at least, and less than.
    pub(super) run_ms: (u64, u64),
}

impl Fault for Cycles {
    fn variant(&self) -> String {
        self.selector.variant().to_owned()
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let nodes = self.selector.choose(self.verb, surroundings, rng, record)?;
        record.parameters = json!({ "selector": self.selector, "run_ms": self.run_ms });
        let mut worker = Worker {
            cycles: self.clone(),
            platform: Arc::clone(surroundings.platform),
            control: Arc::clone(surroundings.control),
            nodes: nodes.clone(),
            done: Done::default(),
        };
        // The first round is seen before the rest goes on behind our back.
        worker.first();
        record.installed_time = Some(surroundings.now());
        let evidence = json!(worker.done);
        let problems = worker.done.problems.join("; ");
        let first = worker.done.rounds_of_nodes();
        let mut random = ChaCha8Rng::from_rng(rng);
        let background = Background::start("cycles", move |stop| {
            worker.go_on(stop, &mut random);
            worker.done
        });
        let background = match background {
            Ok(background) => background,
            Err(error) => {
                let reason = format!("start a thread: {error}");
                let fault = ActiveCycles { nodes, background: None };
                return Ok(Installed::new(fault, Seen::Unclear { reason, evidence }));
            }
        };
        let seen = match problems.is_empty() {
            true => Seen::Yes { evidence, summary: format!("ended and started again: {first}") },
            false => Seen::Unclear { reason: problems, evidence },
        };
        Ok(Installed::new(ActiveCycles { nodes, background: Some(background) }, seen))
    }
}

/// The thread's part.
struct Worker {
    cycles: Cycles,
    platform: Arc<dyn Platform>,
    control: Arc<dyn NodeControl>,
    nodes: Vec<NodeId>,
    done: Done,
}

/// What was done, for the record.
#[derive(Debug, Default, Serialize)]
struct Done {
    /// How often each node was ended and started.
    rounds: BTreeMap<NodeId, u32>,
    /// The process ids of each node, the first ones only.
    pids: BTreeMap<NodeId, Vec<i32>>,
    /// How many ends there were of each status.
    statuses: BTreeMap<i32, u32>,
    problems: Vec<String>,
}

impl Done {
    fn problem(&mut self, problem: String) {
        if self.problems.len() < KEPT_MAX {
            self.problems.push(problem);
        }
    }

    fn pid(&mut self, node: NodeId, pid: i32) {
        let pids = self.pids.entry(node).or_default();
        if pids.len() < KEPT_MAX && pids.last() != Some(&pid) {
            pids.push(pid);
        }
    }

    /// `n1 (pids 7, 9), n2 ...`
    fn rounds_of_nodes(&self) -> String {
        let of_node = |(node, pids): (&NodeId, &Vec<i32>)| {
            let pids: Vec<String> = pids.iter().map(i32::to_string).collect();
            format!("{node} (pids {})", pids.join(", "))
        };
        self.pids.iter().map(of_node).collect::<Vec<_>>().join(", ")
    }
}

impl Worker {
    fn go_on(&mut self, stop: &StopFlag, random: &mut ChaCha8Rng) {
        let (least, most) = self.cycles.run_ms;
        for _ in 0..ROUNDS_MAX {
            if stop.wait(Duration::from_millis(random.random_range(least..most))) {
                return;
            }
            self.round(stop);
        }
    }

    /// As much of a round as takes a moment only.
    fn first(&mut self) {
        match self.cycles.order {
            Order::Together => self.round(&StopFlag::default()),
            Order::InTurn => {
                if let Some(&node) = self.nodes.first() {
                    self.end(node);
                    self.start(node);
                }
            }
        }
    }

    fn round(&mut self, stop: &StopFlag) {
        match self.cycles.order {
            Order::Together => {
                for node in self.nodes.clone() {
                    self.end(node);
                }
                for node in self.nodes.clone() {
                    self.start(node);
                }
            }
            Order::InTurn => {
                for node in self.nodes.clone() {
                    self.end(node);
                    self.start(node);
                    let control = &self.control;
                    let serves = stop.wait_until(SERVE_PATIENCE, || control.serves(node));
                    if !serves && stop.wait(Duration::ZERO) {
                        return;
                    }
                    if !serves {
                        let problem = format!("{node} did not answer within {SERVE_PATIENCE:?}");
                        self.done.problem(problem);
                    }
                }
            }
        }
    }

    fn end(&mut self, node: NodeId) {
        let process = self.platform.process();
        match process.state(node) {
            ProcessState::Running { pid } => self.done.pid(node, pid),
            ProcessState::Gone { status } => {
                return self.done.problem(format!("{node} had ended by itself, status {status:?}"));
            }
            ProcessState::Stopped { .. } => {
                return self.done.problem(format!("{node} was stopped"));
            }
        }
        let ended = match self.cycles.end {
            End::Kill => process.kill(node),
            End::Terminate => process.terminate(node, END_PATIENCE),
        };
        match ended {
            Ok(ProcessState::Gone { status }) => {
                *self.done.statuses.entry(status.unwrap_or(-1)).or_default() += 1;
                if self.cycles.end == End::Terminate && status != Some(0) {
                    let status = status.unwrap_or(-1);
                    self.done.problem(format!("{node} ended with status {status} on SIGTERM"));
                }
            }
            Ok(state) => self.done.problem(format!("{node} is {state:?}")),
            Err(error) => self.done.problem(format!("end {node}: {error}")),
        }
    }

    fn start(&mut self, node: NodeId) {
        if !matches!(self.platform.process().state(node), ProcessState::Gone { .. }) {
            return;
        }
        match self.control.restart(node) {
            Ok(ProcessState::Running { pid }) => {
                self.done.pid(node, pid);
                *self.done.rounds.entry(node).or_default() += 1;
            }
            Ok(state) => self.done.problem(format!("{node} is {state:?}")),
            Err(error) => self.done.problem(format!("start {node}: {error}")),
        }
    }
}

/// Cycles that go on.
struct ActiveCycles {
    nodes: Vec<NodeId>,
    background: Option<Background<Done>>,
}

impl ActiveFault for ActiveCycles {
    fn holds(&self) -> &[NodeId] {
        &self.nodes
    }

    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let done = self.background.and_then(Background::stop);
        let mut problems = match &done {
            Some(done) => done.problems.clone(),
            None => vec!["the thread that did it ended by itself".to_owned()],
        };
        for &node in &self.nodes {
            let state = match surroundings.platform.process().state(node) {
                ProcessState::Gone { .. } => surroundings.control.restart(node),
                state => Ok(state),
            };
            match state {
                Ok(ProcessState::Running { .. }) => {}
                Ok(state) => problems.push(format!("{node} is {state:?}")),
                Err(error) => {
                    let reason = format!("bring {node} back: {error}");
                    record.heal_failure = Some(reason.clone());
                    problems.push(reason);
                }
            }
        }
        record.healed_time = Some(surroundings.now());
        let done = done.unwrap_or_default();
        let rounds: Vec<String> =
            done.rounds.iter().map(|(node, rounds)| format!("{node} {rounds} times")).collect();
        let evidence = json!(done);
        match problems.is_empty() {
            true => Seen::Yes {
                evidence,
                summary: format!("in all {}, and running at the end", rounds.join(", ")),
            },
            false => Seen::Unclear { reason: problems.join("; "), evidence },
        }
    }
}

/// These cycles for whichever nodes make sense.
pub(super) fn of_selectors(selectors: Vec<Selector>, cycles: &Cycles) -> Vec<Arc<dyn Fault>> {
    let of_selector = |selector| Arc::new(Cycles { selector, ..cycles.clone() }) as Arc<dyn Fault>;
    selectors.into_iter().map(of_selector).collect()
}
