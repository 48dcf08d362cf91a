//! The subcommands that need no cluster.

use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use workloads::workload::{Expectation, Workload};

use crate::budget::CheckBudget;
use crate::cli::Table;
use crate::judge::{self, Promise};
use crate::nemesis::fault::{FAULTS, FaultKind, Situation, fault_kind};
use crate::output;
use crate::recorded_run::{self, RecordedRun};
use crate::report::results::RunInfo;
use crate::report::{analysis, files, terminal};
use crate::system::{LEFT_OUT, ReadMode, SYSTEMS, SystemEntry, system};
use crate::usage::{BadUsage, unknown};

/// What is expected of a run, in the order of its checks.
pub(crate) fn expectations_of_run(folder: &Path) -> anyhow::Result<Vec<Expectation>> {
    let info = recorded_run::info(folder)?;
    let workload = recorded_run::workload(folder, &info)?;
    Ok(promise_of(&info, workload)?.expectations(workload))
}

/// By what the run is judged. One that does not say by which reads knew one way only.
fn promise_of(info: &RunInfo, workload: &Workload) -> anyhow::Result<Promise> {
    let given = |name| info.options.get(name).filter(|option| !option.is_null());
    let read_mode = match given("judge_as").or_else(|| given("read_mode")) {
        None => ReadMode::Linearizable,
        Some(mode) => ReadMode::deserialize(mode)
            .with_context(|| format!("run.json: unknown read mode {mode}"))?,
    };
    let property = given("property").map(|name| {
        judge::offered(workload)
            .find(|offered| name == offered)
            .with_context(|| format!("run.json: unknown property {name}"))
    });
    Ok(Promise { read_mode, property: property.transpose()? })
}

/// `report`: judges a recorded run again and writes its report again.
pub fn report(folder: &Path) -> anyhow::Result<i32> {
    let run = RecordedRun::read(folder)?;
    let workload = recorded_run::workload(folder, &run.info)?;
    let budget = CheckBudget::start(std::time::Duration::from_secs(60), 2 << 30);
    let checks = judge::checks(workload, promise_of(&run.info, workload)?, &run.events, &budget);
    let results = analysis::analyze(&run.info, &run.facts, &run.events, &run.faults, checks);
    files::write_results(folder, &run.info, &run.facts, &results, &run.events, &run.faults)?;
    if let Some(line) = run.truncated {
        output::note(&format!("history.jsonl: line {line} is cut short and was left out"));
    }
    let colour = terminal::Colour::for_stream(&std::io::stdout());
    let path = folder.join("report.html").display().to_string();
    let summary = terminal::summary(&run.info, &run.facts, &results, &path, colour);
    output::result(&format!("{summary}\n"));
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
        Table::Systems => system(name).map_or(String::new(), system_page),
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
            let here = SYSTEMS.iter().map(|it| (it.name.to_owned(), about_system(it)));
            let left_out = LEFT_OUT.iter().map(|(name, feature)| {
                (name.to_string(), format!("[built without it; it needs --features {feature}]"))
            });
            here.chain(left_out).collect()
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

/// What may be chosen about a system.
fn system_page(system: &SystemEntry) -> String {
    let settings: String = system
        .settings
        .iter()
        .map(|it| format!("  {}={}  {}\n", it.name, it.values.join("|"), it.about))
        .collect();
    match settings.is_empty() {
        true => String::new(),
        false => format!("\nSettings (the first value is the default):\n{settings}"),
    }
}

#[cfg(feature = "simulation")]
fn bugs() -> Vec<(String, String)> {
    server::bug::BUGS.iter().map(|bug| (bug.name().to_owned(), bug.about().to_owned())).collect()
}

#[cfg(not(feature = "simulation"))]
fn bugs() -> Vec<(String, String)> {
    Vec::new()
}
