//! `check --manifest`: all histories of a table, each in a process of its own, so that its memory is
//! its own and nothing that happens to one touches the others.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow};
use serde_json::Value;
use workloads::checker::{Verdict, checker};

use super::args::CheckArgs;
use crate::plural::counted;
use crate::{exit_code, output};

/// A row of the table.
struct Row<'a> {
    file: &'a str,
    model: &'a str,
    property: &'a str,
    verdict: &'a str,
    initial: Option<&'a str>,
}

/// What the process of a row said.
struct Answer {
    /// None if it came to no verdict; then `reason` says why.
    verdict: Option<Verdict>,
    reason: String,
    contradiction: bool,
    seconds: f64,
    read_seconds: f64,
    cpu_seconds: f64,
    read_cpu_seconds: f64,
    peak: u64,
}

/// How an answer relates to the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Agreement {
    Agrees,
    Undecided,
    Disagrees,
    Failed,
}

/// Judges every row, prints a line each and the sums. 1 if a verdict disagrees or a row failed.
pub(super) fn check(args: &CheckArgs, path: &Path) -> anyhow::Result<i32> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let rows = rows(&text).with_context(|| path.display().to_string())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut not_judged: BTreeMap<String, u64> = BTreeMap::new();
    let mut numbers = Numbers::default();
    for row in &rows {
        if checker(row.model, Some(row.property)).is_none() {
            *not_judged.entry(format!("{} {}", row.model, row.property)).or_default() += 1;
            continue;
        }
        let answer = ask(args, &folder.join(row.file), row)?;
        let agreement = agreement(row.verdict, &answer)?;
        numbers.add(&answer, agreement);
        output::result(&line(row, &answer, agreement));
    }
    output::result(&numbers.text());
    for (what, number) in &not_judged {
        let rows = counted(*number, "row");
        output::result(&format!("NOT JUDGED  {rows}: there is no checker for {what}\n"));
    }
    Ok(if numbers.of(Agreement::Disagrees) + numbers.of(Agreement::Failed) > 0 {
        exit_code::INVALID
    } else if numbers.of(Agreement::Undecided) > 0 || !not_judged.is_empty() {
        exit_code::UNKNOWN
    } else {
        exit_code::VALID
    })
}

fn rows(text: &str) -> anyhow::Result<Vec<Row<'_>>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let column = |name: &str| {
        let position = header.iter().position(|&column| column == name);
        position.ok_or_else(|| anyhow!("line 1: there is no column {name:?}\nhint: the columns file, model, property and verdict are needed, separated by tabs"))
    };
    let [file, model, property, verdict] =
        [column("file")?, column("model")?, column("property")?, column("verdict")?];
    let initial = column("init").ok();
    let mut rows = Vec::new();
    for (number, line) in (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |position: usize| {
            cells.get(position).copied().ok_or_else(|| {
                anyhow!("line {number}: expected {} columns, got {}", header.len(), cells.len())
            })
        };
        rows.push(Row {
            file: cell(file)?,
            model: cell(model)?,
            property: cell(property)?,
            verdict: cell(verdict)?,
            initial: initial.map(cell).transpose()?,
        });
    }
    Ok(rows)
}

/// Judges one history in a process of its own.
fn ask(args: &CheckArgs, file: &Path, row: &Row<'_>) -> anyhow::Result<Answer> {
    let program = std::env::current_exe().context("find this program")?;
    let mut command = Command::new(program);
    command
        .args(["check", "--json", "--model", row.model, "--property", row.property])
        .arg(format!("--time-budget={}ms", args.time_budget.as_millis()))
        .arg(format!("--memory-budget={}", args.memory_budget))
        .arg(format!("--threads={}", args.threads))
        .args(row.initial.map(|initial| format!("--initial={initial}")))
        .args(args.doublecheck.then_some("--doublecheck"))
        .arg("--")
        .arg(file)
        .stdin(Stdio::null());
    let ended = command.output().context("start this program")?;
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap_or(Value::Null);
    let number = |name: &str| report["spent"][name].as_f64().unwrap_or(0.0);
    let stderr = String::from_utf8_lossy(&ended.stderr);
    let reason = match report["reason"].as_str() {
        Some(reason) => reason.to_owned(),
        None if ended.status.code().is_none() => format!("ended by {}", ended.status),
        None => stderr.lines().next_back().unwrap_or_default().to_owned(),
    };
    Ok(Answer {
        verdict: serde_json::from_value(report["verdict"].clone()).ok(),
        reason,
        contradiction: report["contradiction"].is_string(),
        seconds: number("seconds"),
        read_seconds: number("read_seconds"),
        cpu_seconds: number("cpu_seconds"),
        read_cpu_seconds: number("read_cpu_seconds"),
        peak: report["spent"]["peak_memory_bytes"].as_u64().unwrap_or(0),
    })
}

/// Whether an answer is what the table says.
fn agreement(said: &str, answer: &Answer) -> anyhow::Result<Agreement> {
    let Some(verdict) = answer.verdict.filter(|_| !answer.contradiction) else {
        return Ok(Agreement::Failed);
    };
    let expected: &[Verdict] = match said {
        "valid"
        | "linearizable"
        | "sequential"
        | "strict-serializable"
        | "serializable"
        | "satisfied" => &[Verdict::Valid],
        "invalid" | "not-linearizable" | "not-sequential" | "violation" => &[Verdict::Invalid],
        // Nobody proved more.
        "no-anomaly-found" | "unknown" => &[Verdict::Valid, Verdict::Unknown],
        other => return Err(anyhow!("unknown verdict {other:?} in the manifest")),
    };
    Ok(match verdict {
        verdict if expected.contains(&verdict) => Agreement::Agrees,
        Verdict::Unknown => Agreement::Undecided,
        Verdict::Valid | Verdict::Invalid => Agreement::Disagrees,
    })
}

fn line(row: &Row<'_>, answer: &Answer, agreement: Agreement) -> String {
    let said = match answer.verdict {
        Some(verdict) => format!("{verdict:?}").to_lowercase(),
        None => "no verdict".to_owned(),
    };
    let word = match agreement {
        Agreement::Agrees => "agrees",
        Agreement::Undecided => "UNDECIDED",
        Agreement::Disagrees => "DISAGREES",
        Agreement::Failed => "FAILED",
    };
    let more = match agreement {
        Agreement::Agrees => said,
        Agreement::Disagrees => format!("{said}, but the table says {}", row.verdict),
        Agreement::Undecided => format!("{}: {}", row.verdict, answer.reason),
        Agreement::Failed => answer.reason.clone(),
    };
    format!(
        "{word:<9} {:>8.3} s {:>8.3} s {:>6} MiB  {}  {} {}: {more}\n",
        answer.seconds - answer.read_seconds,
        answer.read_seconds,
        answer.peak >> 20,
        row.file,
        row.model,
        row.property,
    )
}

/// Sums over all rows.
#[derive(Default)]
struct Numbers {
    counts: [u64; 4],
    seconds: f64,
    read_seconds: f64,
    cpu_seconds: f64,
    read_cpu_seconds: f64,
    slowest: f64,
    peak: u64,
}

impl Numbers {
    fn add(&mut self, answer: &Answer, agreement: Agreement) {
        self.counts[agreement as usize] += 1;
        let seconds = answer.seconds - answer.read_seconds;
        self.seconds += seconds;
        self.read_seconds += answer.read_seconds;
        self.cpu_seconds += answer.cpu_seconds - answer.read_cpu_seconds;
        self.read_cpu_seconds += answer.read_cpu_seconds;
        self.slowest = self.slowest.max(seconds);
        self.peak = self.peak.max(answer.peak);
    }

    fn of(&self, agreement: Agreement) -> u64 {
        self.counts[agreement as usize]
    }

    fn text(&self) -> String {
        format!(
            "\n{} agree, {} undecided, {} disagree, {} failed\n\
             checking {:.3} s ({:.3} s of CPU), slowest {:.3} s; reading {:.3} s ({:.3} s of CPU); \
             most memory {} MiB\n",
            self.of(Agreement::Agrees),
            self.of(Agreement::Undecided),
            self.of(Agreement::Disagrees),
            self.of(Agreement::Failed),
            self.seconds,
            self.cpu_seconds,
            self.slowest,
            self.read_seconds,
            self.read_cpu_seconds,
            self.peak >> 20
        )
    }
}
