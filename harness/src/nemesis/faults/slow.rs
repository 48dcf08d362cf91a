//! Nodes that run a part of the time only.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::json;

use super::background::{Background, StopFlag};
use super::selector::Selector;
use crate::cpu;
use crate::nemesis::fault::{ActiveFault, Fault, FaultKind};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::{Platform, ProcessState};

/// SIGSTOP and SIGCONT in quick alternation.
pub const SLOW: FaultKind = FaultKind {
    name: "slow",
    about: "SIGSTOP and SIGCONT in quick alternation, so that nodes run a tenth or half of the time. Finds \
            what relies on a node being either well or dead.",
    help: "\
How: a node is stopped for a part of every 200 ms: a half, or nine tenths. It is never away for as long as an election timeout \
(500 ms), so that it mostly stays what it is, but late in everything.
Seen to act: the processor time of the node, as the kernel counts it in /proc, does not grow while it is stopped; the record has \
the share of time in which it was.
Finds: a slow leader that holds up everybody, queues without a limit, timeouts that are too close to each other, ticks that \
are counted instead of time.
With --keep-quorum: never more than a minority.",
    nodes_min: 1,
    forgets: false,
    arrangements: &[],
    variants: |situation| {
        let of_selector = |selector| {
            STOPPED_MS.map(|stopped_ms| Arc::new(Slow { selector, stopped_ms }) as Arc<dyn Fault>)
        };
        Selector::variants(situation).into_iter().flat_map(of_selector).collect()
    },
};

/// One stop and one run of a node.
const PERIOD: Duration = Duration::from_millis(200);
/// How much of it the node is stopped.
const STOPPED_MS: [u64; 2] = [100, 180];
/// Processor time that may show in a stop: what the kernel had not counted yet, per stop.
const LATE_COUNT_MAX: Duration = Duration::from_millis(10);
/// The first round is watched for so many periods.
const WATCHED_PERIODS: u32 = 3;

#[derive(Debug, Clone, Copy)]
struct Slow {
    selector: Selector,
    stopped_ms: u64,
}

impl Fault for Slow {
    fn variant(&self) -> String {
        format!("{}, stopped {} of 200 ms", self.selector.variant(), self.stopped_ms)
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let nodes = self.selector.choose("slow", surroundings, rng, record)?;
        record.parameters = json!({
            "selector": self.selector,
            "stopped_ms": self.stopped_ms,
            "period_ms": PERIOD.as_millis() as u64,
        });
        record.installed_time = Some(surroundings.now());
        let stop = StopFlag::default();
        let mut first = Done::default();
        for _ in 0..WATCHED_PERIODS {
            self.period(surroundings.platform.as_ref(), &nodes, &stop, &mut first);
        }
        let (slow, platform, its_nodes) = (*self, Arc::clone(surroundings.platform), nodes.clone());
        let seen = first.seen("stopped and going on in turn");
        let background = Background::start("slow", move |stop| {
            let mut done = first;
            let began = Instant::now();
            while !stop.wait(Duration::ZERO) {
                slow.period(platform.as_ref(), &its_nodes, stop, &mut done);
            }
            done.lasted_ms = began.elapsed().as_millis() as u64;
            done
        });
        let (background, seen) = match background {
            Ok(background) => (Some(background), seen),
            Err(error) => {
                let reason = format!("start a thread: {error}");
                (None, Seen::Unclear { reason, evidence: json!({}) })
            }
        };
        Ok(Installed::new(ActiveSlow { nodes, background }, seen))
    }
}

impl Slow {
    /// One stop of all nodes, and the time after it in which they run.
    fn period(&self, platform: &dyn Platform, nodes: &[NodeId], stop: &StopFlag, done: &mut Done) {
        let began = Instant::now();
        let mut before = BTreeMap::new();
        for &node in nodes {
            match platform.process().pause(node) {
                Ok(ProcessState::Stopped { pid }) => {
                    before.insert(node, (pid, cpu::time_of_process(pid), Instant::now()));
                }
                Ok(state) => done.problem(format!("{node} is {state:?}")),
                Err(error) => done.problem(format!("stop {node}: {error}")),
            }
        }
        stop.wait(Duration::from_millis(self.stopped_ms));
        for &node in nodes {
            if let Some((pid, used, since)) = before.get(&node) {
                let of_node = done.nodes.entry(node).or_default();
                of_node.stops += 1;
                of_node.stopped_ms += since.elapsed().as_millis() as u64;
                let more = cpu::time_of_process(*pid).saturating_sub(*used);
                of_node.used_while_stopped_ms += more.as_millis() as u64;
            }
            if let Err(error) = platform.process().resume(node) {
                done.problem(format!("let {node} go on: {error}"));
            }
        }
        stop.wait(PERIOD.saturating_sub(began.elapsed()).max(PERIOD / 20));
    }
}

/// What was done, for the record.
#[derive(Debug, Default, Serialize)]
struct Done {
    nodes: BTreeMap<NodeId, Stops>,
    lasted_ms: u64,
    problems: Vec<String>,
}

/// What was seen of one node.
#[derive(Debug, Default, Serialize)]
struct Stops {
    stops: u64,
    stopped_ms: u64,
    used_while_stopped_ms: u64,
}

impl Done {
    /// Keeps the first few.
    fn problem(&mut self, problem: String) {
        const KEPT_MAX: usize = 8;
        if self.problems.len() < KEPT_MAX {
            self.problems.push(problem);
        }
    }

    fn seen(&self, what: &str) -> Seen {
        let evidence = json!(self);
        let mut problems = self.problems.clone();
        if self.nodes.is_empty() {
            problems.push("no node was stopped".to_owned());
        }
        for (node, stops) in &self.nodes {
            let late_ms = LATE_COUNT_MAX.as_millis() as u64 * stops.stops;
            if stops.used_while_stopped_ms > late_ms {
                let used = stops.used_while_stopped_ms;
                problems.push(format!("{node} used {used} ms of a processor while it was stopped"));
            }
        }
        if !problems.is_empty() {
            return Seen::Unclear { reason: problems.join("; "), evidence };
        }
        let of_node = |(node, stops): (&NodeId, &Stops)| {
            let Stops { stops, stopped_ms, used_while_stopped_ms } = stops;
            format!(
                "{node} {stops} times for {stopped_ms} ms with {used_while_stopped_ms} ms of work"
            )
        };
        let nodes: Vec<String> = self.nodes.iter().map(of_node).collect();
        Seen::Yes { evidence, summary: format!("{what}: {}", nodes.join(", ")) }
    }
}

/// Nodes that are slow.
struct ActiveSlow {
    nodes: Vec<NodeId>,
    background: Option<Background<Done>>,
}

impl ActiveFault for ActiveSlow {
    fn holds(&self) -> &[NodeId] {
        &self.nodes
    }

    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let done = self.background.and_then(Background::stop);
        let mut problems = Vec::new();
        for &node in &self.nodes {
            match surroundings.platform.process().resume(node) {
                Ok(ProcessState::Running { .. }) => {}
                Ok(state) => problems.push(format!("{node} is {state:?}")),
                Err(error) => {
                    let reason = format!("let {node} go on: {error}");
                    record.heal_failure = Some(reason.clone());
                    problems.push(reason);
                }
            }
        }
        record.healed_time = Some(surroundings.now());
        match done {
            Some(mut done) => {
                done.problems.extend(problems);
                done.seen("in all stopped")
            }
            None => Seen::Unclear {
                reason: "the thread that did it ended by itself".to_owned(),
                evidence: json!({}),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_in_a_stop_shows_that_there_was_none() {
        let stops = |used_while_stopped_ms| Done {
            nodes: [(NodeId(1), Stops { stops: 10, stopped_ms: 1_800, used_while_stopped_ms })]
                .into(),
            ..Done::default()
        };
        assert!(matches!(stops(0).seen("stopped"), Seen::Yes { .. }));
        let Seen::Unclear { reason, .. } = stops(900).seen("stopped") else {
            panic!("900 ms of work in 10 stops is no delay of the kernel's count")
        };
        assert!(reason.contains("n1 used 900 ms"), "{reason}");
        assert!(matches!(Done::default().seen("stopped"), Seen::Unclear { .. }));
    }
}
