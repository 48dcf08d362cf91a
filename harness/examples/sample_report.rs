//! Makes sample reports from synthetic data, to look at: `sample_report FOLDER`.
//!
//! `FOLDER/valid`, `invalid`, `unknown` and `crowded` each get all the files of a run. Nothing is
//! run or broken; the numbers are drawn from a seeded generator.

use std::path::Path;

use anyhow::Context;
use harness::nemesis::record::{FaultOutcome, FaultRecord};
use harness::node_id::NodeId;
use harness::report::results::{FORMAT, RunFacts, RunInfo};
use harness::report::terminal::{self, Colour};
use harness::report::{analysis, files};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use workloads::checker::{
    Check, Counterexample, CounterexampleOperation, PartitionCounts, PrefixStep, StuckOperation,
    Verdict,
};
use workloads::history::{self, Event, EventKind, Process};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const CLIENTS: u64 = 10;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).context("name the folder to write to")?;
    let root = Path::new(&folder);
    for (name, write) in [
        ("valid", valid as fn() -> Sample),
        ("invalid", invalid),
        ("unknown", unknown),
        ("crowded", crowded),
    ] {
        let sample = write();
        let results = analysis::analyze(
            &sample.run,
            &sample.facts,
            &sample.events,
            &sample.faults,
            sample.checks.clone(),
        );
        let target = root.join(name);
        files::write_run(&target, &sample.run)?;
        for node in 1..=sample.run.nodes {
            let logs = target.join(format!("nodes/n{node}"));
            std::fs::create_dir_all(&logs).context("create node folder")?;
            std::fs::write(logs.join("log"), "started\n").context("write node log")?;
        }
        let Sample { run, facts, events, faults, .. } = &sample;
        let report = files::write_results(&target, run, facts, &results, events, faults)?;
        let path = report.display().to_string();
        eprintln!("{}", terminal::summary(run, facts, &results, &path, Colour::Never));
    }
    files::link_latest(root, &root.join("invalid"))?;
    Ok(())
}

struct Sample {
    run: RunInfo,
    facts: RunFacts,
    events: Vec<Event>,
    faults: Vec<FaultRecord>,
    checks: Vec<Check>,
}

fn valid() -> Sample {
    let faults = faults();
    let events = history(42, &faults);
    Sample {
        run: run(42, "partition,kill,pause", None),
        facts: facts(),
        events,
        faults,
        checks: vec![Check {
            partitions: Some(PartitionCounts { valid: 8, unknown: 0, invalid: 0 }),
            ..Check::new(
                "linearizable",
                Verdict::Valid,
                "all 8 keys are linearizable, each with a verified witness order".to_owned(),
            )
        }],
    }
}

fn unknown() -> Sample {
    let mut sample = valid();
    sample.run = run(7, "partition,clock", None);
    for fault in &mut sample.faults {
        fault.outcome = FaultOutcome::Skipped;
        fault.reason = Some("no network namespace: the kernel forbids them here".to_owned());
        (fault.installed_time, fault.healed_time) = (None, None);
        fault.evidence = Value::Null;
    }
    sample.facts.recovery = None;
    sample.facts.harness_failures = vec!["create bridge: operation not permitted".to_owned()];
    sample
}

fn invalid() -> Sample {
    let faults = faults();
    let mut events = history(1337, &faults);
    let base = 23_400 * MS;
    let key = history::Value::from(3);
    let planted = [
        (90, "write", history::Value::from(41), Some(history::Value::from(41)), 0, 22, "n1"),
        (91, "cas", history::Value::from([41, 42]), None, 31, 1031, "n1"),
        (92, "read", history::Value::Null, Some(history::Value::from(42)), 64, 131, "n3"),
        (93, "read", history::Value::Null, Some(history::Value::from(41)), 158, 171, "n5"),
    ];
    let mut extra = Vec::new();
    for (process, f, argument, result, from, to, node) in &planted {
        let event = |time, kind, value: &history::Value, error: Option<&str>| Event {
            index: 0,
            time: base + time * MS,
            scheduled: None,
            process: Process::Client(*process),
            kind,
            f: (*f).into(),
            key: Some(key.clone()),
            value: value.clone(),
            error: error.map(Into::into),
            node: Some((*node).into()),
        };
        extra.push(event(*from, EventKind::Invoke, argument, None));
        extra.push(match result {
            Some(result) => event(*to, EventKind::Ok, result, None),
            None => event(*to, EventKind::Info, argument, Some("deadline of 1 s exceeded")),
        });
    }
    let first = extra[0].clone();
    events.extend(extra);
    number(&mut events);
    let index_of = |process: u64, offset: u64| {
        events
            .iter()
            .find(|event| {
                event.process == Process::Client(process) && event.time == base + offset * MS
            })
            .map_or(first.index, |event| event.index)
    };
    let texts = ["write 41", "cas 41 -> 42 (unknown outcome)", "read -> 42", "read -> 41"];
    let mut operations: Vec<CounterexampleOperation> = planted
        .iter()
        .zip(texts)
        .map(|((process, f, _, result, from, to, node), text)| CounterexampleOperation {
            label: String::new(),
            process: *process,
            node: Some((*node).to_owned()),
            f: (*f).to_owned(),
            text: text.to_owned(),
            outcome: if result.is_some() { EventKind::Ok } else { EventKind::Info },
            invoke_index: index_of(*process, *from),
            invoke_time: base + from * MS,
            complete_time: result.as_ref().map(|_| base + to * MS),
        })
        .collect();
    operations.sort_by_key(|operation| operation.invoke_time);
    for (operation, label) in operations.iter_mut().zip('A'..) {
        operation.label = label.to_string();
    }
    let step = |operation, state: &str| PrefixStep { operation, state: state.to_owned() };
    let counterexample = Counterexample {
        key: Some(key),
        operations,
        longest_prefix: vec![step(0, "41"), step(1, "42"), step(2, "42")],
        stuck: vec![StuckOperation {
            operation: 3,
            why: "it read 41, but the register holds 42".to_owned(),
        }],
        explanation: vec![
            "A wrote 41, and was acknowledged at 23.422 s.".to_owned(),
            "B set out to change 41 to 42. Its client never learned the outcome, but C read 42, so \
             B did take effect, before C ended at 23.531 s."
                .to_owned(),
            "D began at 23.558 s, 27 ms after C had ended, so D comes after C, and after B, in \
             every order."
                .to_owned(),
            "Nothing wrote 41 after B. But D read 41: a stale read. No order explains it."
                .to_owned(),
        ],
    };
    Sample {
        run: run(1337, "partition,kill,pause", Some("read-without-quorum")),
        facts: RunFacts { recovery: None, ..facts() },
        events,
        faults,
        checks: vec![Check {
            partitions: Some(PartitionCounts { valid: 7, unknown: 0, invalid: 1 }),
            counterexamples: vec![counterexample],
            ..Check::new(
                "linearizable",
                Verdict::Invalid,
                "key 3 is not linearizable: a read returned 41 after 42 had been read".to_owned(),
            )
        }],
    }
}

/// As much as a page should bear: overlapping faults, and a counterexample of many operations.
fn crowded() -> Sample {
    let mut sample = invalid();
    for index in 8..40 {
        let mut fault = sample.faults[index as usize % 7].clone();
        let start = (3_000 + index * 1_350) * MS;
        fault.index = index;
        fault.installed_time = Some(start);
        fault.healed_time = Some(start + 2_100 * MS);
        sample.faults.push(fault);
    }
    let counterexample = &mut sample.checks[0].counterexamples[0];
    let first = counterexample.operations[0].clone();
    counterexample.operations = (0..14u64)
        .map(|position| {
            let start = 23_400 * MS + position * position * 900_000;
            CounterexampleOperation {
                label: char::from(b'A' + position as u8).to_string(),
                process: 100 + position * 3 % 8,
                text: format!("cas {} -> {} (unknown outcome)", position + 4000, position + 4001),
                invoke_time: start,
                complete_time: (position != 5).then_some(start + (position % 4 + 1) * 1_400_000),
                ..first.clone()
            }
        })
        .collect();
    counterexample.longest_prefix = (0..11)
        .map(|operation| PrefixStep { operation, state: (4001 + operation).to_string() })
        .collect();
    counterexample.stuck = vec![
        StuckOperation { operation: 11, why: "it expected 4015, but found 4011".to_owned() },
        StuckOperation { operation: 13, why: "it expected 4017, but found 4011".to_owned() },
    ];
    sample
}

fn run(seed: u64, faults: &str, bug: Option<&str>) -> RunInfo {
    let planted = bug.map_or(String::new(), |bug| format!(" --bug {bug}"));
    RunInfo {
        format: FORMAT,
        run: format!("register-{}/20261122T130501Z-{seed}", faults.replace(',', "-")),
        world: "real".to_owned(),
        started: "2026-11-22T13:05:01Z".to_owned(),
        workload: "register".to_owned(),
        faults: faults.split(',').map(str::to_owned).collect(),
        system: "store".to_owned(),
        nodes: 5,
        seed,
        command: format!(
            "cargo run -p harness -- --workload register --faults {faults} --nodes 5 \
             --time-limit 60s --seed {seed}{planted}"
        ),
        platform: "namespaces with an nftables fabric: chosen because user namespaces work here"
            .to_owned(),
        platform_notes: vec![
            "clocks are those of the host: no clock faults".to_owned(),
            "power loss is not simulated: a killed node keeps what the kernel had".to_owned(),
        ],
        bug: bug.map(str::to_owned),
        options: json!({
            "nodes": 5, "rate": 100, "concurrency": 10, "keys": 8, "time_limit": "60 s",
            "interval": "5 s", "read_mode": "linearizable", "storage": "rocksdb", "fsync": "always",
        }),
        version: "0.0.0 (4f2c91a)".to_owned(),
        host: json!({"cores": 8, "kernel": "6.12.0", "fsync_p50": "1.9 ms"}),
    }
}

fn facts() -> RunFacts {
    RunFacts {
        workload_start: 500 * MS,
        final_heal: Some(57_200 * MS),
        recovery: Some(1_340 * MS),
        recovery_limit: 30 * SECOND,
        end: 60_500 * MS,
        interrupted: false,
        proved: None,
        shed_starts: 0,
        began_at: None,
        roles: Vec::new(),
        node_findings: Vec::new(),
        harness_failures: Vec::new(),
    }
}

fn faults() -> Vec<FaultRecord> {
    let shapes = [
        ("partition", "partition: halves", vec![1, 2]),
        ("kill", "kill n3", vec![3]),
        ("partition", "partition: majorities-ring", vec![1, 2, 3, 4, 5]),
        ("pause", "pause n2, n4", vec![2, 4]),
        ("partition", "partition: isolate the leader, n5", vec![5]),
        ("kill", "kill n1, n4, n5 (beyond quorum)", vec![1, 4, 5]),
        ("pause", "pause n1", vec![1]),
    ];
    let mut faults: Vec<FaultRecord> = (0..)
        .zip(shapes)
        .map(|(index, (kind, description, targets))| {
            let planned = (5_000 + index * 7_500) * MS;
            FaultRecord {
                index,
                kind: kind.to_owned(),
                description: description.to_owned(),
                targets: targets.into_iter().map(NodeId).collect(),
                parameters: json!({}),
                planned_time: planned,
                installed_time: Some(planned + 40 * MS),
                healed_time: Some(planned + 4_600 * MS),
                outcome: FaultOutcome::Installed,
                reason: None,
                heal_failure: None,
                evidence: match kind {
                    "partition" => json!({
                        "summary": "12 links cut; 60 of 60 probe packets lost; after heal 60 of 60 arrived",
                        "cut_links": 12,
                        "during": {"sent": 60, "arrived": 0},
                        "after_heal": {"sent": 60, "arrived": 60},
                    }),
                    "kill" => json!({"summary": "pids 4011, 4012 gone after 2 ms; new pids 4190, 4191 ready after 410 ms"}),
                    _ => json!({"state": "T (stopped)", "stopped_after_ms": 3, "resumed": true}),
                },
            }
        })
        .collect();
    faults[6].outcome = FaultOutcome::Indeterminate;
    faults[6].reason = Some("n1 was not seen to stop within 1 s".to_owned());
    faults.push(FaultRecord {
        index: 7,
        kind: "kill".to_owned(),
        description: "kill n2".to_owned(),
        targets: vec![NodeId(2)],
        parameters: json!({}),
        planned_time: 58_000 * MS,
        installed_time: None,
        healed_time: None,
        outcome: FaultOutcome::Skipped,
        reason: Some("the time limit was reached".to_owned()),
        heal_failure: None,
        evidence: Value::Null,
    });
    faults
}

/// An open-loop history: slow and uncertain at the start of each fault, else a few milliseconds.
fn history(seed: u64, faults: &[FaultRecord]) -> Vec<Event> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut events = Vec::new();
    let mut free: Vec<(u64, u64)> = (0..CLIENTS).map(|process| (0, process)).collect();
    let mut scheduled = 500 * MS;
    let mut state = 0u64;
    while scheduled < 60_000 * MS {
        scheduled += rng.random_range(2..18) * MS;
        free.sort_unstable();
        let (since, process) = free[0];
        let start = since.max(scheduled);
        let hit = faults.iter().find(|fault| {
            fault.installed_time.is_some_and(|from| from <= start)
                && fault.healed_time.is_some_and(|to| to > start)
        });
        let node = format!("n{}", process % 5 + 1);
        let (latency, kind, error) = outcome(&mut rng, hit, start, &node);
        let (f, argument, result) = match rng.random_range(0..10) {
            0..5 => ("read", history::Value::Null, history::Value::from(state)),
            5..8 => {
                state = rng.random_range(0..100);
                ("write", history::Value::from(state), history::Value::from(state))
            }
            _ => {
                let next = rng.random_range(0..100);
                ("cas", history::Value::from([state, next]), history::Value::from([state, next]))
            }
        };
        let event = |time, kind, value, error: Option<&str>| Event {
            index: 0,
            time,
            scheduled: (kind == EventKind::Invoke && start != scheduled).then_some(scheduled),
            process: Process::Client(process),
            kind,
            f: f.into(),
            key: Some(history::Value::from(process % 8)),
            value,
            error: error.map(Into::into),
            node: Some(node.as_str().into()),
        };
        events.push(event(start, EventKind::Invoke, argument.clone(), None));
        let value = if kind == EventKind::Ok { result } else { argument };
        events.push(event(start + latency, kind, value, error));
        let next = if kind == EventKind::Info { process + CLIENTS } else { process };
        free[0] = (start + latency, next);
    }
    number(&mut events);
    events
}

fn outcome(
    rng: &mut ChaCha8Rng,
    hit: Option<&FaultRecord>,
    start: u64,
    node: &str,
) -> (u64, EventKind, Option<&'static str>) {
    let quick = (1_000_000.0 * (1.0 + 3.0 * rng.random::<f64>().powi(4))
        / rng.random_range(0.25..1.0)) as u64;
    let Some(fault) = hit else { return (quick, EventKind::Ok, None) };
    let into = start - fault.installed_time.unwrap_or(start);
    let cut = fault.targets.iter().any(|target| target.to_string() == node);
    let beyond = fault.description.contains("beyond");
    if into < 1_300 * MS || beyond {
        return match rng.random_range(0..4) {
            0 => (1_000 * MS, EventKind::Info, Some("deadline of 1 s exceeded")),
            1 => (quick / 2, EventKind::Fail, Some("no leader")),
            _ if beyond => (1_000 * MS, EventKind::Info, Some("connection broke")),
            _ => (quick + 1_300 * MS - into, EventKind::Ok, None),
        };
    }
    if cut && rng.random_bool(0.3) {
        return (1_000 * MS, EventKind::Info, Some("deadline of 1 s exceeded"));
    }
    (quick * rng.random_range(1..5), EventKind::Ok, None)
}

fn number(events: &mut [Event]) {
    // A client may invoke at the moment at which it completed.
    events.sort_by_key(|event| (event.time, event.kind == EventKind::Invoke));
    for (index, event) in (0..).zip(events) {
        event.index = index;
    }
}
