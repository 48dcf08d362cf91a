//! The subcommands that need no cluster.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, anyhow};
use serde::Deserialize;
use workloads::history::jsonl::read_events;
use workloads::history::{Event, TruncatedTail};
use workloads::workload::{Expectation, Workload};

use crate::budget::CheckBudget;
use crate::cli::Table;
use crate::judge;
use crate::nemesis::fault::{FAULTS, FaultKind, Situation, fault_kind};
use crate::nemesis::record::{FaultRecord, replace_or_push};
use crate::output;
use crate::report::results::{RunFacts, RunInfo};
use crate::report::{analysis, files, terminal};
use crate::system::{ReadMode, SYSTEMS, SystemEntry};
use crate::usage::{BadUsage, unknown};

/// What the run's workload expects first.
pub(crate) fn expectation_of_run(folder: &Path) -> anyhow::Result<Expectation> {
    let info = read_info(folder)?;
    let workload = workload_of(&info)?;
    Ok(judge::expectations(workload, read_mode_of(&info)?)[0])
}

/// By which reads the run is judged. One that does not say knew one way only.
fn read_mode_of(info: &RunInfo) -> anyhow::Result<ReadMode> {
    let given = |name| info.options.get(name).filter(|mode| !mode.is_null());
    match given("judge_as").or_else(|| given("read_mode")) {
        None => Ok(ReadMode::Linearizable),
        Some(mode) => ReadMode::deserialize(mode)
            .with_context(|| format!("run.json: unknown read mode {mode}")),
    }
}

fn read_info(folder: &Path) -> anyhow::Result<RunInfo> {
    let path = folder.join("run.json");
    match path.exists() {
        true => read_json(&path),
        false => Err(anyhow!(
            "{} is not the folder of a run: it has no run.json\n\
             hint: such as results/latest, or results/<workload>-<faults>/<time>-<seed>",
            folder.display()
        )),
    }
}

fn workload_of(info: &RunInfo) -> anyhow::Result<&'static Workload> {
    workloads::registry::workload(&info.workload)
        .ok_or_else(|| anyhow!("unknown workload {:?} in run.json", info.workload))
}

/// `report`: judges a recorded run again and writes its report again.
pub fn report(folder: &Path) -> anyhow::Result<i32> {
    let info = read_info(folder)?;
    let workload = workload_of(&info)?;
    let (events, truncated) = read_history(&folder.join("history.jsonl"), TruncatedTail::Tolerate)?;
    let facts = match folder.join("facts.json") {
        path if path.exists() => read_json(&path)?,
        _ => RunFacts {
            end: events.last().map_or(0, |event| event.time),
            interrupted: true,
            harness_failures: vec!["the harness was killed during the run".to_owned()],
            ..RunFacts::default()
        },
    };
    let faults = read_faults(&folder.join("schedule.jsonl"))?;
    let budget = CheckBudget::start(std::time::Duration::from_secs(60), 2 << 30);
    let checks = judge::checks(workload, read_mode_of(&info)?, &events, &budget);
    let results = analysis::analyze(&info, &facts, &events, &faults, checks);
    files::write_results(folder, &info, &facts, &results, &events, &faults)?;
    if let Some(line) = truncated {
        output::note(&format!("history.jsonl: line {line} is cut short and was left out"));
    }
    let colour = terminal::Colour::for_stream(&std::io::stdout());
    let path = folder.join("report.html").display().to_string();
    output::result(&format!("{}\n", terminal::summary(&info, &facts, &results, &path, colour)));
    Ok(results.exit_code)
}

/// `list`: a table, a line each; or all about one line of it.
///
/// # Errors
/// The table has no such name.
pub fn list(table: Table, name: Option<&str>) -> Result<String, BadUsage> {
    let rows = rows(table);
    let Some(name) = name else { return Ok(columns(&rows)) };
    let Some((name, about)) = rows.iter().find(|(known, _)| known == name) else {
        return Err(unknown("name", name, rows.iter().map(|(known, _)| known.as_str())));
    };
    let more = match table {
        Table::Faults => fault_kind(name).map_or(String::new(), fault_page),
        _ => String::new(),
    };
    Ok(format!("{name}\n{about}\n{more}"))
}

fn rows(table: Table) -> Vec<(String, String)> {
    match table {
        Table::Workloads => workloads::registry::WORKLOADS
            .iter()
            .map(|workload| (workload.name.to_owned(), workload.about.to_owned()))
            .collect(),
        Table::Faults => {
            FAULTS.iter().map(|kind| (kind.name.to_owned(), kind.about.to_owned())).collect()
        }
        Table::Systems => {
            SYSTEMS.iter().map(|system| (system.name.to_owned(), about_system(system))).collect()
        }
        Table::Models => crate::check::models(),
        Table::Properties => crate::check::properties(),
        Table::Bugs => bugs(),
    }
}

/// What it is, and whether it is here.
fn about_system(system: &SystemEntry) -> String {
    let here = match (system.version)() {
        Ok(version) => format!("installed: {version}"),
        Err(_) => format!("not installed; {}", system.install),
    };
    format!("{} [{here}]", system.about)
}

fn columns(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().map(|(name, about)| format!("{name:width$}  {about}\n")).collect()
}

/// The help of a kind, and the names of its variants for a cluster of five nodes.
fn fault_page(kind: &FaultKind) -> String {
    let mut variants: Vec<String> = Vec::new();
    for variant in (kind.variants)(Situation { nodes: 5, keep_quorum: false }) {
        let name = variant.variant();
        if !variants.contains(&name) {
            variants.push(name);
        }
    }
    format!("\n{}\nVariants (5 nodes): {}\n", kind.help, variants.join("; "))
}

#[cfg(feature = "simulation")]
fn bugs() -> Vec<(String, String)> {
    server::bug::BUGS.iter().map(|bug| (bug.name().to_owned(), bug.about().to_owned())).collect()
}

#[cfg(not(feature = "simulation"))]
fn bugs() -> Vec<(String, String)> {
    Vec::new()
}

fn read_history(path: &Path, tail: TruncatedTail) -> anyhow::Result<(Vec<Event>, Option<u64>)> {
    let file = open(path)?;
    read_events(BufReader::new(file), tail).with_context(|| path.display().to_string())
}

fn read_faults(path: &Path) -> anyhow::Result<Vec<FaultRecord>> {
    let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let mut faults = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(fault) => replace_or_push(&mut faults, fault),
            // A killed harness may leave half a line, but only at the end.
            Err(_) if number + 1 == lines.len() && !text.ends_with('\n') => {}
            Err(error) => {
                return Err(anyhow!("{}: line {}: {error}", path.display(), number + 1));
            }
        }
    }
    Ok(faults)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let file = open(path)?;
    serde_json::from_reader(BufReader::new(file)).with_context(|| path.display().to_string())
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("open {}", path.display()))
}
