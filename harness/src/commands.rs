//! The subcommands that need no cluster.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, anyhow};
use workloads::checker::{Check, Verdict};
use workloads::history::jsonl::{TruncatedTail, read_events};
use workloads::history::{Event, operations};
use workloads::model::{Initial, MODELS, model};
use workloads::workload::Workload;

use crate::budget::CheckBudget;
use crate::cli::{CheckArgs, Table};
use crate::exit_code;
use crate::judge;
use crate::nemesis::fault::FAULTS;
use crate::nemesis::record::{FaultRecord, replace_or_push};
use crate::output;
use crate::report::results::{RunFacts, RunInfo};
use crate::report::{analysis, files, terminal};
use crate::system::SYSTEMS;

/// `check`: judges histories. The exit code is that of the worst.
pub fn check(args: &CheckArgs) -> anyhow::Result<i32> {
    let mut codes = Vec::new();
    for file in &args.files {
        let (check, truncated) = check_one(args, file)?;
        codes.push(match check.verdict {
            Verdict::Valid => exit_code::VALID,
            Verdict::Invalid => exit_code::INVALID,
            Verdict::Unknown => exit_code::UNKNOWN,
        });
        if let Some(line) = truncated {
            output::note(&format!("{}: line {line} is cut short and was left out", file.display()));
        }
        if args.json {
            output::result(&format!("{}\n", serde_json::to_string_pretty(&check)?));
        } else {
            let colour = terminal::Colour::for_stream(&std::io::stdout());
            let verdict = terminal::check_text(&check, colour);
            let steps = check.counterexamples.first().into_iter().flat_map(|c| &c.explanation);
            let steps: String = steps
                .enumerate()
                .map(|(position, step)| format!("  {}. {step}\n", position + 1))
                .collect();
            output::result(&format!("{}: {verdict}\n{steps}", file.display()));
        }
    }
    Ok(exit_code::worst(codes))
}

fn check_one(args: &CheckArgs, file: &Path) -> anyhow::Result<(Check, Option<u64>)> {
    let is_run = file.is_dir();
    let history = if is_run { file.join("history.jsonl") } else { file.to_owned() };
    let name = match &args.model {
        Some(name) => name.clone(),
        None if is_run => model_of_run(file)?,
        None => {
            let names: Vec<&str> = MODELS.iter().map(|model| model.name).collect();
            return Err(anyhow!(
                "{}: which model?\nhint: --model, one of {}",
                file.display(),
                names.join(", ")
            ));
        }
    };
    let model = model(&name).ok_or_else(|| {
        let names: Vec<&str> = MODELS.iter().map(|model| model.name).collect();
        anyhow!("unknown model {name:?}\nhint: one of {}", names.join(", "))
    })?;
    let initial: Initial = args.initial.parse().context("read --initial")?;
    // Only a run of our own may have been cut short by a kill.
    let tail = if is_run { TruncatedTail::Tolerate } else { TruncatedTail::Refuse };
    let (events, truncated) = read_history(&history, tail)?;
    let budget = CheckBudget::start(args.time_budget, args.memory_budget);
    let judging = || format!("judge {}", history.display());
    let operations = operations(&events).with_context(judging)?;
    let check = judge::linearizable(&operations, model, initial, &budget).with_context(judging)?;
    Ok((check, truncated))
}

/// The model that the run's workload expects.
fn model_of_run(folder: &Path) -> anyhow::Result<String> {
    let info = read_info(folder)?;
    let workload = workload_of(&info)?;
    Ok(workload.expectations[0].model.to_owned())
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
    let checks = judge::checks(workload, &events, &budget);
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

/// `list`: a table, a line each.
pub fn list(table: Table) -> String {
    let rows: Vec<(String, String)> = match table {
        Table::Workloads => workloads::registry::WORKLOADS
            .iter()
            .map(|workload| (workload.name.to_owned(), workload.about.to_owned()))
            .collect(),
        Table::Faults => FAULTS
            .iter()
            .map(|fault| (fault.kind.name().to_owned(), fault.about.to_owned()))
            .collect(),
        Table::Systems => {
            SYSTEMS.iter().map(|system| (system.name.to_owned(), system.about.to_owned())).collect()
        }
        Table::Models => MODELS
            .iter()
            .map(|model| {
                let names = std::iter::once(model.name).chain(model.aliases.iter().copied());
                (names.collect::<Vec<_>>().join(", "), model.about.to_owned())
            })
            .collect(),
        Table::Bugs => bugs(),
    };
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().map(|(name, about)| format!("{name:width$}  {about}\n")).collect()
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
