//! The numbers for people.

use std::fmt::Write;
use std::time::Duration;

use super::report::{Measurement, Medians, Report};
use crate::latency::LatencyPercentiles;
use crate::plural::{count, counted};

/// Above this the clients share a core that is mostly theirs, and measure themselves.
const BUSY_THREAD: f64 = 0.85;
/// Above this the idle systems take part in the measurement.
const IDLE_CORES_MAX: f64 = 0.1;

/// One line on a measurement, while the rest goes on.
pub(super) fn line(it: &Measurement) -> String {
    format!(
        "round {}  {} x {:<3}  {:5}  {:>7}/s  p99 {:>8}  {} CPU s/1,000  disk {}",
        it.round,
        it.operation.name(),
        it.clients,
        it.system,
        count(it.throughput.round() as u64),
        millis(it.latency.p99 as f64),
        it.server_cpu_per_1000.map_or("-".to_owned(), |cpu| format!("{cpu:.3}")),
        disk(&it.disk),
    )
}

/// The whole table.
pub(super) fn table(report: &Report, path: &str) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_table(&mut text, report, path);
    text
}

fn write_table(text: &mut String, report: &Report, path: &str) -> std::fmt::Result {
    let options = &report.options;
    let systems: Vec<String> =
        report.systems.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
    writeln!(
        text,
        "{}; {} each, values of {} bytes, {}, medians of {}",
        systems.join(" and "),
        counted(u64::from(options.nodes), "node"),
        count(options.value_bytes as u64),
        counted(options.keys as u64, "key"),
        counted(u64::from(options.rounds), "round"),
    )?;
    if let Some(file_system) = &report.file_system {
        writeln!(
            text,
            "data on {} ({}); a write and sync of 4 KiB took {}",
            file_system.kind,
            file_system.device,
            disk_of_all(&report.rounds)
        )?;
    }
    writeln!(
        text,
        "\n{:<4} {:>7}  {:6} {:>9} {:>9} {:>9} {:>9} {:>12} {:>12} {:>7}",
        "", "clients", "", "per s", "p50 ms", "p99 ms", "p99.9 ms", "servers", "client", "errors"
    )?;
    writeln!(text, "{:>60} {:>12} {:>12}", "", "CPU s/1,000", "CPU s/1,000")?;
    for pair in report.medians.chunks(report.systems.len().max(1)) {
        for medians in pair {
            write_row(text, medians)?;
        }
        if pair.len() == 2 {
            write_ratio(text, report, &pair[0])?;
        }
    }
    for note in notes(report) {
        writeln!(text, "note: {note}")?;
    }
    for finding in &report.findings {
        writeln!(text, "finding: {finding}")?;
    }
    for failure in &report.failures {
        writeln!(text, "failure: {failure}")?;
    }
    writeln!(text, "\nall numbers: {path}\nrepeat: {}", report.command)
}

fn write_row(text: &mut String, it: &Medians) -> std::fmt::Result {
    let number = |value: Option<f64>, show: fn(f64) -> String| value.map_or("-".into(), show);
    let cpu = |value: f64| format!("{value:.4}");
    writeln!(
        text,
        "{:<4} {:>7}  {:6} {:>9} {:>9} {:>9} {:>9} {:>12} {:>12} {:>7}",
        it.operation.name(),
        it.clients,
        it.system,
        number(it.throughput, |value| count(value.round() as u64)),
        number(it.p50, bare_millis),
        number(it.p99, bare_millis),
        number(it.p99_9, bare_millis),
        number(it.server_cpu_per_1000, cpu),
        number(it.client_cpu_per_1000, cpu),
        count(it.errors),
    )
}

fn write_ratio(text: &mut String, report: &Report, of: &Medians) -> std::fmt::Result {
    let ratio = |map: &serde_json::Map<String, serde_json::Value>| {
        let value = map.get(of.operation.name()).and_then(|it| it.get(of.clients.to_string()));
        value.and_then(serde_json::Value::as_f64).map_or("-".to_owned(), |it| format!("{it:.2}x"))
    };
    writeln!(
        text,
        "{:<4} {:>7}  {:6} {:>9} {:>9} {:>9} {:>9} {:>12}",
        "",
        "",
        "ratio",
        ratio(&report.ratio.throughput),
        ratio(&report.ratio.p50),
        ratio(&report.ratio.p99),
        "",
        ratio(&report.ratio.server_cpu_per_1000),
    )
}

/// What a reader should know before believing the numbers.
fn notes(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    if report.file_system.as_ref().is_some_and(super::disk::FileSystem::is_memory) {
        notes.push("the data is in memory: syncs cost nothing here (--data chooses)".to_owned());
    }
    let threads = f64::from(report.options.client_threads);
    let busy = report.rounds.iter().filter(|it| it.client_cores > threads * BUSY_THREAD);
    let busy = busy.count() as u64;
    if busy > 0 {
        notes.push(format!(
            "in {} the clients used nearly all of their threads (--client-threads)",
            counted(busy, "measurement")
        ));
    }
    let disturbed = report.rounds.iter().filter(|it| it.idle_cores > IDLE_CORES_MAX).count() as u64;
    if disturbed > 0 {
        notes.push(format!(
            "in {} the system that was not measured used more than {IDLE_CORES_MAX} cores",
            counted(disturbed, "measurement")
        ));
    }
    if let Some(error) = report.rounds.iter().find_map(|it| it.first_error.as_deref()) {
        notes.push(format!("the first error: {error}"));
    }
    let unfinished: u64 = report.rounds.iter().map(|it| it.unfinished).sum();
    if unfinished > 0 {
        notes.push(format!("{} without an answer", counted(unfinished, "operation")));
    }
    if report.interrupted {
        notes.push("stopped before the end".to_owned());
    }
    notes
}

fn disk_of_all(rounds: &[Measurement]) -> String {
    let mut p50: Vec<u64> = rounds.iter().map(|it| it.disk.p50).collect();
    let mut p99: Vec<u64> = rounds.iter().map(|it| it.disk.p99).collect();
    p50.sort_unstable();
    p99.sort_unstable();
    let range = |of: &[u64]| match (of.first(), of.last()) {
        (Some(&least), Some(&most)) => {
            format!("{} to {} ms", bare_millis(least as f64), bare_millis(most as f64))
        }
        _ => "-".to_owned(),
    };
    format!("p50 {}, p99 {}", range(&p50), range(&p99))
}

fn disk(it: &LatencyPercentiles) -> String {
    format!("p50 {} p99 {}", millis(it.p50 as f64), millis(it.p99 as f64))
}

fn millis(nanos: f64) -> String {
    format!("{} ms", bare_millis(nanos))
}

/// Three digits: `0.104`, `15.2`, `149`.
fn bare_millis(nanos: f64) -> String {
    let millis = Duration::from_nanos(nanos as u64).as_secs_f64() * 1e3;
    match millis {
        it if it < 10.0 => format!("{it:.2}"),
        it if it < 100.0 => format!("{it:.1}"),
        it => format!("{it:.0}"),
    }
}
