//! `check`: judges histories. The exit code is that of the worst.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, anyhow};
use serde::Serialize;
use workloads::checker::{Check, CheckOptions, Method, Verdict};
use workloads::evidence::Evidence;
use workloads::history::Operation;

use super::args::CheckArgs;
use super::history::Source;
use super::judging::{CheckerPanicked, Job, Judged, Spent, judge};
use super::{initial, interrupt, manifest, table, text};
use crate::commands::expectations_of_run;
use crate::report::html::{CheckPage, render_check};
use crate::report::terminal::Colour;
use crate::{exit_code, output};

/// Columns of a terminal that does not say how wide it is.
const WIDTH: usize = 100;

/// What `--json` prints of a history.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a str,
    model: &'a str,
    property: &'a str,
    verdict: Verdict,
    summary: &'a str,
    reason: Option<&'a str>,
    operations: usize,
    events: u64,
    spent: Spent,
    notes: &'a [String],
    contradiction: Option<&'a str>,
    check: &'a Check,
}

/// Judges all files of the command line, or all histories of a manifest.
pub fn check(args: &CheckArgs) -> anyhow::Result<i32> {
    if let Some(path) = &args.manifest {
        return manifest::check(args, path);
    }
    for (option, given) in [("--evidence", &args.evidence), ("--html", &args.html)] {
        if given.is_some() && args.files.len() > 1 {
            return Err(anyhow!("{option} is of one history\nhint: check one file at a time"));
        }
    }
    let mut jobs = Vec::new();
    for file in &args.files {
        jobs.extend(jobs_of(args, file)?.into_iter().map(|job| (file.as_path(), job)));
    }
    let interrupted = interrupt::listen()?;
    let mut codes = Vec::new();
    let mut jobs = jobs.into_iter();
    for (file, job) in jobs.by_ref() {
        match judge_and_tell(args, file, &job, &interrupted) {
            Ok((code, go_on)) => {
                codes.push(code);
                if !go_on {
                    break;
                }
            }
            Err(error) if error.is::<CheckerPanicked>() => {
                output::note(&format!("error: {error}"));
                codes.push(exit_code::HARNESS_FAILURE);
            }
            Err(error) => return Err(error),
        }
    }
    for (file, _) in jobs {
        output::note(&format!("{}: not judged", file.display()));
        codes.push(exit_code::UNKNOWN);
    }
    Ok(exit_code::worst(codes))
}

/// What the command line asks of one history. A run is judged by all that was expected of it, but what
/// is written about one check is about its first.
fn jobs_of(args: &CheckArgs, file: &Path) -> anyhow::Result<Vec<Job>> {
    let property = args.property.as_deref();
    if let Some(model) = &args.model {
        return Ok(vec![job(args, file, model, property)?]);
    }
    if !file.is_dir() {
        return Err(table::which_model(file));
    }
    let is_of_one = property.is_some() || args.evidence.is_some() || args.html.is_some();
    expectations_of_run(file)?
        .into_iter()
        .take(if is_of_one { 1 } else { usize::MAX })
        .map(|expected| job(args, file, expected.model, property.or(Some(expected.property))))
        .collect()
}

fn job(args: &CheckArgs, file: &Path, model: &str, property: Option<&str>) -> anyhow::Result<Job> {
    let checker = table::find(model, property)?;
    let words = args.initial.as_deref().map(initial::parse).transpose()?;
    let (initial, total) = words.map_or((None, None), |words| (words.initial, words.total));
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let options = CheckOptions {
        initial,
        threads: if args.threads == 0 { cores() } else { usize::from(args.threads) },
        total: args.total.or(total),
        witness: args.evidence.is_some() || args.doublecheck,
        method: Method::Fastest,
    };
    Ok(Job {
        source: Source::new(file, &args.reading),
        model: model.to_owned(),
        checker,
        options,
        time: args.time_budget,
        memory: args.memory_budget,
        doublecheck: args.doublecheck,
    })
}

/// The exit code, and whether others can still be judged.
fn judge_and_tell(
    args: &CheckArgs,
    file: &Path,
    job: &Job,
    interrupted: &Arc<AtomicBool>,
) -> anyhow::Result<(i32, bool)> {
    let mut judged = judge(job, interrupted)?;
    let name = file.display().to_string();
    for note in &judged.notes {
        output::note(&format!("{name}: {note}"));
    }
    if let Some(path) = &args.evidence {
        let evidence = Evidence::of(&judged.check, &job.model, job.checker.property, &job.options);
        write_evidence(path, &evidence)?;
    }
    if let Some(path) = &args.html {
        let page = page(&name, job, &judged);
        std::fs::write(path, page).with_context(|| format!("write {}", path.display()))?;
    }
    // Orders are for the file of evidence.
    judged.check.witness = Vec::new();
    if args.json {
        output::result(&json(&name, job, &judged)?);
    } else {
        let colour = Colour::for_stream(&std::io::stdout());
        output::result(&text::judged(&name, &judged, colour, width()));
    }
    let code = match (judged.check.verdict, &judged.contradiction) {
        (_, Some(contradiction)) => {
            output::note(&format!("error: {name}: a defect of the checker: {contradiction}"));
            exit_code::HARNESS_FAILURE
        }
        (Verdict::Valid, None) => exit_code::VALID,
        (Verdict::Invalid, None) => exit_code::INVALID,
        (Verdict::Unknown, None) => exit_code::UNKNOWN,
    };
    Ok((code, !judged.left_behind && !interrupted.load(Ordering::Relaxed)))
}

fn json(name: &str, job: &Job, judged: &Judged) -> anyhow::Result<String> {
    let report = Report {
        file: name,
        model: &job.model,
        property: job.checker.property,
        verdict: judged.check.verdict,
        summary: &judged.check.summary,
        reason: judged.check.reason.as_deref(),
        operations: judged.operations.len(),
        events: judged.events,
        spent: judged.spent,
        notes: &judged.notes,
        contradiction: judged.contradiction.as_deref(),
        check: &judged.check,
    };
    Ok(format!("{}\n", serde_json::to_string_pretty(&report)?))
}

fn page(name: &str, job: &Job, judged: &Judged) -> String {
    let (mut check, mut notes) = (judged.check.clone(), judged.notes.clone());
    if judged.operations.iter().all(|it| it.invoke_time == 0) {
        notes.push(
            "the history has no times: its events are drawn one millisecond apart".to_owned(),
        );
        space_out(&mut check, &judged.operations);
    }
    render_check(&CheckPage {
        file: name,
        model: &job.model,
        property: job.checker.property,
        about: job.checker.about,
        operations: &judged.operations,
        notes: &notes,
        check: &check,
    })
}

/// Gives operations that are shown a time for each event before them.
fn space_out(check: &mut Check, operations: &[Operation]) {
    let ends: BTreeMap<u64, Option<u64>> =
        operations.iter().map(|it| (it.invoke_index, it.complete_index)).collect();
    let shown = check.counterexamples.iter_mut().map(|it| &mut it.operations);
    let shown = shown.chain(check.anomalies.iter_mut().map(|it| &mut it.operations));
    for operation in shown.flatten() {
        let end = ends.get(&operation.invoke_index).copied().flatten();
        operation.invoke_time = operation.invoke_index * 1_000_000;
        operation.complete_time = operation.complete_time.and(end).map(|end| end * 1_000_000);
    }
}

fn write_evidence(path: &Path, evidence: &Evidence) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let mut sink = std::io::BufWriter::new(std::fs::File::create(path)?);
        serde_json::to_writer(&mut sink, evidence)?;
        sink.write_all(b"\n")?;
        sink.flush()
    };
    write().with_context(|| format!("write {}", path.display()))
}

/// Columns of the terminal.
fn width() -> usize {
    let mut size = std::mem::MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the call fills `size`, whose all-zero value is valid.
    let columns = unsafe {
        match libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, size.as_mut_ptr()) {
            0 => usize::from(size.assume_init().ws_col),
            _ => 0,
        }
    };
    if columns == 0 { WIDTH } else { columns }
}
