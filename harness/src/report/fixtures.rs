//! Hand-made runs for the tests of this folder.

use serde_json::{Value, json};
use workloads::checker::{
    Check, Counterexample, CounterexampleOperation, PrefixStep, StuckOperation, Verdict,
};
use workloads::history::{self, Event, EventKind, Process};

use crate::nemesis::record::{FaultOutcome, FaultRecord};
use crate::node_id::NodeId;
use crate::report::results::{FORMAT, RunFacts, RunInfo};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1_000 * MS;

pub(crate) fn run(faults: &[&str]) -> RunInfo {
    RunInfo {
        format: FORMAT,
        run: "register-partition/20261122T130501Z-42".to_owned(),
        world: "real".to_owned(),
        started: "2026-11-22T13:05:01Z".to_owned(),
        workload: "register".to_owned(),
        faults: faults.iter().map(|&fault| fault.to_owned()).collect(),
        system: "store".to_owned(),
        nodes: 5,
        seed: 42,
        command: "harness --workload register --faults partition --seed 42".to_owned(),
        platform: "namespaces".to_owned(),
        platform_notes: Vec::new(),
        bug: None,
        options: Value::Null,
        version: "0.0.0".to_owned(),
        host: Value::Null,
    }
}

pub(crate) fn facts() -> RunFacts {
    RunFacts {
        workload_start: 0,
        final_heal: Some(6 * SECOND),
        recovery: Some(300 * MS),
        recovery_limit: 10 * SECOND,
        end: 10 * SECOND,
        ..RunFacts::default()
    }
}

/// A fault in force from 4 s to 6 s.
pub(crate) fn fault(kind: &str, outcome: FaultOutcome) -> FaultRecord {
    let acted = outcome == FaultOutcome::Installed;
    FaultRecord {
        index: 0,
        kind: kind.to_owned(),
        description: format!("{kind}: n1"),
        targets: vec![NodeId(1)],
        parameters: Value::Null,
        planned_time: 4 * SECOND,
        installed_time: acted.then_some(4 * SECOND),
        healed_time: acted.then_some(6 * SECOND),
        outcome,
        reason: (!acted).then(|| "the kernel forbids it".to_owned()),
        heal_failure: None,
        evidence: json!({"summary": "60 of 60 probe packets lost"}),
    }
}

pub(crate) struct Op {
    pub(crate) process: u64,
    pub(crate) f: &'static str,
    pub(crate) start: u64,
    pub(crate) latency: u64,
    pub(crate) outcome: EventKind,
}

/// A history of these operations; times in milliseconds.
pub(crate) fn history(ops: &[Op]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for op in ops {
        let event = |ms: u64, kind, value| Event {
            index: 0,
            time: ms * MS,
            scheduled: None,
            process: Process::Client(op.process),
            kind,
            f: op.f.into(),
            key: None,
            value,
            error: None,
            node: Some("n1".into()),
        };
        events.push(event(op.start, EventKind::Invoke, history::Value::Null));
        events.push(event(op.start + op.latency, op.outcome, 7.into()));
    }
    events.sort_by_key(|event| event.time);
    for (index, event) in (0..).zip(&mut events) {
        event.index = index;
    }
    events
}

/// A read every 100 ms: 10 ms when quiet, 50 ms from 4 s to 6 s, where every fifth is `info`.
pub(crate) fn steady() -> Vec<Event> {
    let ops: Vec<Op> = (0..100)
        .map(|position| {
            let start = position * 100;
            let under_fault = (4000..6000).contains(&start);
            let lost = under_fault && position % 5 == 0;
            Op {
                process: position,
                f: "read",
                start,
                latency: if under_fault { 50 } else { 10 },
                outcome: if lost { EventKind::Info } else { EventKind::Ok },
            }
        })
        .collect();
    history(&ops)
}

pub(crate) fn valid_check() -> Check {
    Check::new("linearizable", Verdict::Valid, "the register is linearizable".to_owned())
}

pub(crate) fn invalid_check() -> Check {
    let operation =
        |label: &str, process, text: &str, start: u64, end: Option<u64>| CounterexampleOperation {
            label: label.to_owned(),
            process,
            node: Some("n1".into()),
            f: "read".to_owned(),
            text: text.to_owned(),
            outcome: if end.is_some() { EventKind::Ok } else { EventKind::Info },
            invoke_index: process,
            invoke_time: start * MS,
            complete_time: end.map(|end| end * MS),
        };
    Check {
        verdict: Verdict::Invalid,
        summary: "a read was stale".to_owned(),
        counterexamples: vec![Counterexample {
            key: None,
            operations: vec![
                operation("A", 0, "write 1", 4000, Some(4050)),
                operation("B", 1, "write <script>2</script>", 4060, None),
                operation("C", 2, "read -> nothing", 4100, Some(4150)),
            ],
            longest_prefix: vec![PrefixStep { operation: 0, state: "1".to_owned() }],
            stuck: vec![StuckOperation {
                operation: 2,
                why: "it read nothing, but the register holds 1".to_owned(),
            }],
            explanation: vec![
                "A wrote 1 and ended before C began.".to_owned(),
                "But C read nothing.".to_owned(),
            ],
        }],
        ..valid_check()
    }
}
