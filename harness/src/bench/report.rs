//! What a bench writes: the numbers of all rounds, their medians, and the ratios.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::disk::FileSystem;
use super::options::{BenchArgs, Operation};
use crate::cpu::ProcessUsage;
use crate::exit_code;
use crate::latency::LatencyPercentiles;
use crate::node_id::NodeId;

/// Version of `bench.json`.
pub(super) const FORMAT: u32 = 1;

/// `bench.json`; see `results/README.md`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) format: u32,
    pub(super) bench: String,
    pub(super) started: String,
    pub(super) version: String,
    pub(super) command: String,
    pub(super) options: BenchArgs,
    pub(super) host: Value,
    pub(super) file_system: Option<FileSystem>,
    pub(super) systems: Vec<SystemInfo>,
    pub(super) ratio: Ratios,
    pub(super) medians: Vec<Medians>,
    pub(super) rounds: Vec<Measurement>,
    pub(super) interrupted: bool,
    pub(super) findings: Vec<String>,
    pub(super) failures: Vec<String>,
    pub(super) exit_code: i32,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct SystemInfo {
    pub(super) name: &'static str,
    pub(super) version: String,
}

/// One system under one load once.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measurement {
    pub(super) round: u32,
    pub(super) operation: Operation,
    pub(super) clients: usize,
    pub(super) system: &'static str,
    /// Operations that succeeded within the window.
    pub(super) completed: u64,
    /// The same in a second.
    pub(super) throughput: f64,
    /// Nanoseconds.
    pub(super) latency: LatencyPercentiles,
    pub(super) errors: u64,
    pub(super) unfinished: u64,
    pub(super) first_error: Option<String>,
    /// Seconds of CPU of all servers for 1,000 operations; none if there were no operations.
    pub(super) server_cpu_per_1000: Option<f64>,
    /// The same of this process.
    pub(super) client_cpu_per_1000: Option<f64>,
    /// Cores that this process kept busy.
    pub(super) client_cores: f64,
    /// Cores that the systems that were not measured kept busy meanwhile.
    pub(super) idle_cores: f64,
    pub(super) leader: NodeId,
    pub(super) servers: Vec<ServerUsage>,
    /// A write and sync of 4 KiB just before this pair, nanoseconds.
    pub(super) disk: LatencyPercentiles,
}

/// What one node used during a measurement.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ServerUsage {
    pub(super) node: NodeId,
    pub(super) cpu_per_1000: f64,
    pub(super) switches_per_operation: f64,
    /// By name: seconds of CPU for 1,000 operations, and context switches per operation.
    pub(super) threads: BTreeMap<String, [f64; 2]>,
}

/// One system under one load, in the median of all rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Medians {
    pub(super) operation: Operation,
    pub(super) clients: usize,
    pub(super) system: &'static str,
    pub(super) throughput: Option<f64>,
    /// Nanoseconds.
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) p99_9: Option<f64>,
    pub(super) server_cpu_per_1000: Option<f64>,
    pub(super) client_cpu_per_1000: Option<f64>,
    pub(super) idle_cores: Option<f64>,
    /// Of all rounds together.
    pub(super) errors: u64,
}

/// Store / other, each by operation and number of clients: the medians of the ratios of the pairs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Ratios {
    pub(super) throughput: Map<String, Value>,
    pub(super) p50: Map<String, Value>,
    pub(super) p99: Map<String, Value>,
    pub(super) server_cpu_per_1000: Map<String, Value>,
}

impl ServerUsage {
    /// Of a node that used this much while so many operations succeeded.
    pub(super) fn new(node: NodeId, used: &ProcessUsage, completed: u64) -> ServerUsage {
        // Nothing that succeeded counts as one operation, so that nothing is infinite.
        let operations = completed.max(1) as f64;
        let threads = used.threads.iter().filter(|(_, it)| !it.cpu.is_zero());
        let threads = threads.map(|(name, it)| {
            let cpu = it.cpu.as_secs_f64() * 1_000.0 / operations;
            (name.clone(), [rounded(cpu), rounded(it.switches as f64 / operations)])
        });
        let switches: u64 = used.threads.values().map(|it| it.switches).sum();
        ServerUsage {
            node,
            cpu_per_1000: rounded(used.cpu.as_secs_f64() * 1_000.0 / operations),
            switches_per_operation: rounded(switches as f64 / operations),
            threads: threads.collect(),
        }
    }
}

impl Measurement {
    /// Is it of this load?
    fn is_of(&self, operation: Operation, clients: usize) -> bool {
        self.operation == operation && self.clients == clients
    }
}

/// The medians of all systems under all loads.
pub(super) fn medians(
    rounds: &[Measurement],
    loads: &[(Operation, usize)],
    systems: &[&'static str],
) -> Vec<Medians> {
    let mut all = Vec::new();
    for &(operation, clients) in loads {
        for &system in systems {
            let of_load: Vec<&Measurement> = rounds
                .iter()
                .filter(|it| it.is_of(operation, clients) && it.system == system)
                .collect();
            let median_of = |value: fn(&Measurement) -> Option<f64>| {
                median(of_load.iter().filter_map(|it| value(it)).collect())
            };
            all.push(Medians {
                operation,
                clients,
                system,
                throughput: median_of(|it| Some(it.throughput)),
                p50: median_of(|it| Some(it.latency.p50 as f64)),
                p99: median_of(|it| Some(it.latency.p99 as f64)),
                p99_9: median_of(|it| Some(it.latency.p99_9 as f64)),
                server_cpu_per_1000: median_of(|it| it.server_cpu_per_1000),
                client_cpu_per_1000: median_of(|it| it.client_cpu_per_1000),
                idle_cores: median_of(|it| Some(it.idle_cores)),
                errors: of_load.iter().map(|it| it.errors).sum(),
            });
        }
    }
    all
}

/// The ratios of the first system to the second.
pub(super) fn ratios(
    rounds: &[Measurement],
    loads: &[(Operation, usize)],
    [ours, other]: [&str; 2],
) -> Ratios {
    let by_load = |value: fn(&Measurement) -> Option<f64>| {
        let mut by_operation = Map::new();
        for &(operation, clients) in loads {
            let of_load = || rounds.iter().filter(|it| it.is_of(operation, clients));
            let pairs = of_load().filter(|it| it.system == ours).filter_map(|mine| {
                let theirs = of_load().find(|it| it.system == other && it.round == mine.round)?;
                let (mine, theirs) = (value(mine)?, value(theirs)?);
                (theirs > 0.0).then(|| mine / theirs)
            });
            if let Some(ratio) = median(pairs.collect()) {
                let by_clients = by_operation
                    .entry(operation.name())
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(by_clients) = by_clients {
                    by_clients.insert(clients.to_string(), rounded(ratio).into());
                }
            }
        }
        by_operation
    };
    Ratios {
        throughput: by_load(|it| Some(it.throughput)),
        p50: by_load(|it| Some(it.latency.p50 as f64)),
        p99: by_load(|it| Some(it.latency.p99 as f64)),
        server_cpu_per_1000: by_load(|it| it.server_cpu_per_1000),
    }
}

/// The code of a bench with these findings and failures.
pub(super) fn exit_code(report: &Report) -> i32 {
    let loads = report.options.operations.len() * report.options.clients.len();
    let expected = loads * report.systems.len() * report.options.rounds as usize;
    let measured = report.rounds.iter().filter(|it| it.completed > 0).count();
    exit_code::worst([
        if report.findings.is_empty() { exit_code::VALID } else { exit_code::INVALID },
        if report.failures.is_empty() { exit_code::VALID } else { exit_code::HARNESS_FAILURE },
        if measured == expected { exit_code::VALID } else { exit_code::UNKNOWN },
    ])
}

/// Six significant digits are more than anybody can measure.
pub(super) fn rounded(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return number;
    }
    let digits = 5 - number.abs().log10().floor() as i32;
    if digits >= 0 {
        let scale = 10_f64.powi(digits);
        (number * scale).round() / scale
    } else {
        number.round()
    }
}

/// The middle one, or the mean of the two in the middle; none of nothing.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        length if length % 2 == 1 => Some(numbers[middle]),
        _ => Some((numbers[middle - 1] + numbers[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(round: u32, system: &'static str, throughput: f64, cpu: f64) -> Measurement {
        Measurement {
            round,
            operation: Operation::Put,
            clients: 64,
            system,
            completed: 1,
            throughput,
            latency: LatencyPercentiles { p99: throughput as u64, ..Default::default() },
            errors: 1,
            unfinished: 0,
            first_error: None,
            server_cpu_per_1000: Some(cpu),
            client_cpu_per_1000: None,
            client_cores: 0.0,
            idle_cores: 0.0,
            leader: NodeId(1),
            servers: Vec::new(),
            disk: LatencyPercentiles::default(),
        }
    }

    const LOADS: &[(Operation, usize)] = &[(Operation::Put, 64), (Operation::Get, 64)];

    #[test]
    fn ratios_are_those_of_the_pairs_and_not_of_the_medians() {
        let rounds = [
            measurement(1, "store", 100.0, 1.0),
            measurement(1, "etcd", 50.0, 2.0),
            measurement(2, "etcd", 10.0, 2.0),
            measurement(2, "store", 40.0, 1.0),
            measurement(3, "store", 90.0, 1.0),
            measurement(3, "etcd", 30.0, 4.0),
            // Without its other half.
            measurement(4, "store", 1e6, 1.0),
        ];
        let ratios = ratios(&rounds, LOADS, ["store", "etcd"]);
        let json = serde_json::to_value(&ratios).unwrap();
        assert_eq!(json["throughput"], serde_json::json!({"put": {"64": 3.0}}));
        assert_eq!(json["p99"]["put"]["64"], 3.0);
        assert_eq!(json["server_cpu_per_1000"]["put"]["64"], 0.5);
        // A latency of 0 is that of nothing.
        assert_eq!(json["p50"], serde_json::json!({}));
    }

    #[test]
    fn medians_are_of_one_load_and_one_system() {
        let mut rounds = vec![
            measurement(1, "store", 3.0, 1.0),
            measurement(2, "store", 1.0, 4.0),
            measurement(1, "etcd", 70.0, 1.0),
        ];
        rounds.push(Measurement { clients: 1, ..measurement(1, "store", 900.0, 1.0) });
        let all = medians(&rounds, LOADS, &["store", "etcd"]);
        assert_eq!(all.len(), 4);
        assert_eq!((all[0].system, all[0].throughput, all[0].errors), ("store", Some(2.0), 2));
        assert_eq!(all[0].server_cpu_per_1000, Some(2.5));
        assert_eq!((all[1].system, all[1].throughput), ("etcd", Some(70.0)));
        assert_eq!((all[2].operation, all[2].throughput), (Operation::Get, None));
    }

    #[test]
    fn numbers_keep_six_digits() {
        assert_eq!(rounded(0.123_456_789), 0.123_457);
        assert_eq!(rounded(1_234_567.8), 1_234_568.0);
        assert_eq!(rounded(0.0), 0.0);
    }
}
