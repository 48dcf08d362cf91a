//! The command, from its arguments to its exit code.

use std::path::PathBuf;

use clap::Args;

use super::page;
use super::seen::{Seen, SeenRow, Status};
use super::table::{Expected, Row, rows};
use crate::child_runs::ChildRuns;
use crate::report::files;
use crate::seed::stream;
use crate::suite::{End, Job, Limits, Night, Nights, SEEDS, execute};
use crate::system::system;
use crate::usage::unknown;
use crate::{exit_code, output};

/// The folder below the results.
const GROUP: &str = "findings";

/// Options of `findings`.
#[derive(Debug, Args)]
pub struct FindingsArgs {
    /// Only this row, or the rows of this system; may be given several times
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// So many runs of each row, in place of as many as a finding takes to be seen
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub runs: Option<u32>,
    /// What repeats all seeds; drawn if not given
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where results go
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Say what there is and what can be run here, and run nothing
    #[arg(long)]
    pub list: bool,
}

/// Makes the findings again; writes their page. Returns 0 if everything that could be run was as
/// expected, 1 otherwise, and unknown if nothing could be run.
pub fn run(args: &FindingsArgs) -> anyhow::Result<i32> {
    let all = rows()?;
    for name in &args.only {
        if !all.iter().any(|row| row.is_meant(std::slice::from_ref(name))) {
            let known = all.iter().map(|row| row.name.as_str());
            return Err(unknown("finding", name, known).into());
        }
    }
    let meant: Vec<Row> = all.into_iter().filter(|row| row.is_meant(&args.only)).collect();
    if args.list {
        output::result(&listing(&meant)?);
        return Ok(exit_code::VALID);
    }
    let started = now();
    let night = Nights::new(&args.out, GROUP)?.create(&started[..10])?;
    let rows = meant.into_iter().map(|row| {
        let command = row.command()?;
        let skipped = cannot_run(&row);
        let row = SeenRow::new(row, command);
        let status = if skipped.is_some() { Status::Skipped } else { row.status };
        anyhow::Ok(SeenRow { status, reason: skipped, ..row })
    });
    let rows: Vec<SeenRow> = rows.collect::<anyhow::Result<_>>()?;
    let mut seen = Seen::new(started, args.seed.unwrap_or_else(crate::options::random_seed), rows);
    let runs = ChildRuns::prepare()?;
    let mut end = End::Finished;
    for position in 0..seen.rows.len() {
        if end == End::Finished && seen.rows[position].status != Status::Skipped {
            end = make_runs(&runs, &night, args.runs, &mut seen, position)?;
        }
    }
    if end == End::Finished {
        seen.finished = Some(now());
    }
    save(&night, &seen)?;
    output::result(&summary(&seen, &night, end));
    Ok(seen.exit_code())
}

/// Makes the runs of one row: all of them, or those that a finding takes to be seen.
fn make_runs(
    runs: &ChildRuns,
    night: &Night,
    asked: Option<u32>,
    seen: &mut Seen,
    position: usize,
) -> anyhow::Result<End> {
    let row = &seen.rows[position].row;
    let case = row.case()?;
    let most = asked.unwrap_or(match row.expected {
        Expected::Valid => 1,
        Expected::Invalid => row.attempts,
    });
    for attempt in 0..most {
        let seed = stream(seen.seed, &format!("{} {attempt}", case.id)) % SEEDS;
        let slot = format!("{}-{seed}", case.id);
        let job = Job { case: case.clone(), seed, repetition: false, slot };
        let limits = Limits { side_by_side: 1, deadline: None, reruns: 0 };
        let end = execute(runs, &night.path, vec![job], limits, Vec::new, |run| {
            seen.rows[position].add(&night.path, run);
            save(night, seen).map_err(std::io::Error::other)
        })?;
        if end == End::Stopped {
            return Ok(end);
        }
        let row = &seen.rows[position];
        if asked.is_none() && row.row.expected == Expected::Invalid && row.shown.is_some() {
            break;
        }
    }
    Ok(End::Finished)
}

/// Why a row cannot be run here, if it cannot.
fn cannot_run(row: &Row) -> Option<String> {
    let Some(entry) = system(&row.system) else {
        return Some(format!("{} is not built in; `harness list systems`", row.system));
    };
    let missing = (entry.version)().err()?;
    Some(format!("not installed: {missing}; {}", entry.install))
}

fn save(night: &Night, seen: &Seen) -> Result<(), files::WriteError> {
    files::write_json(&night.path.join("findings.json"), seen)?;
    files::write_atomically(&night.path.join("index.html"), page::render(seen).as_bytes())
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn listing(rows: &[Row]) -> anyhow::Result<String> {
    let mut text = String::new();
    for row in rows {
        let expected = match row.expected {
            Expected::Valid => "valid".to_owned(),
            Expected::Invalid => format!("invalid: {}", row.check),
        };
        text.push_str(&format!("{}\n  {}\n", row.name, row.what));
        text.push_str(&format!("  expected {expected}, about {} a run\n", row.takes));
        if let Some(origin) = row.origin {
            text.push_str(&format!("  {}: {}\n", origin.words(), row.source));
        }
        text.push_str(&format!("  {}\n", row.command()?));
        if let Some(reason) = cannot_run(row) {
            text.push_str(&format!("  cannot be run here: {reason}\n"));
        }
    }
    Ok(text)
}

/// The last lines.
fn summary(seen: &Seen, night: &Night, end: End) -> String {
    let mut text = String::new();
    for row in &seen.rows {
        let (word, more) = match row.status {
            Status::AsExpected => ("as expected", times(row)),
            Status::NotAsExpected => ("NOT AS EXPECTED", times(row)),
            Status::Skipped => ("skipped", row.reason.clone().unwrap_or_default()),
            Status::NotRun => ("not run", String::new()),
        };
        text.push_str(&format!("{word:<15} {}  {more}\n", row.row.name));
        let Some(shown) = &row.shown else { continue };
        text.push_str(&format!("  {}: {}\n", row.row.check, shown.summary));
        for operation in &shown.operations {
            text.push_str(&format!("  {operation}\n"));
        }
        for (number, step) in (1..).zip(&shown.explanation) {
            text.push_str(&format!("  {number}. {step}\n"));
        }
    }
    if end == End::Stopped {
        text.push_str("stopped\n");
    }
    let index = night.path.join("index.html");
    text.push_str(&format!("exit code {}\nindex       {}\n", seen.exit_code(), index.display()));
    text
}

fn times(row: &SeenRow) -> String {
    let word = match row.row.expected {
        Expected::Valid => "valid",
        Expected::Invalid => "invalid",
    };
    format!("{word} in {} of {}", row.hits(), crate::plural::counted(row.runs.len() as u64, "run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_place_in_the_listing() {
        let rows = rows().unwrap();
        let listing = listing(&rows).unwrap();
        for row in &rows {
            assert!(listing.contains(&format!("{}\n", row.name)), "{}", row.name);
        }
    }

    #[test]
    fn what_is_not_built_in_is_skipped_with_the_reason() {
        let row = Row { system: "abacus".to_owned(), ..rows().unwrap().remove(0) };
        assert!(cannot_run(&row).unwrap().starts_with("abacus is not built in"));
    }
}
