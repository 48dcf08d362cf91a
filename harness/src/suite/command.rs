//! The command, from its arguments to its exit code.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;

use super::definition::{self, BUILT_IN, Suite};
use super::execute::{End, Job, Limits, execute, expected};
use super::folder::{Night, Nights};
use super::record::{Case, FORMAT, Record, ending};
use super::{index, junit, order};
use crate::child_runs::ChildRuns;
use crate::report::{files, words};
use crate::seed::stream;
use crate::usage::duration;
use crate::{exit_code, output};

/// Seeds of runs are smaller, so that they can be typed.
pub(crate) const SEEDS: u64 = 1_000_000_000;

/// Options of `suite`.
#[derive(Debug, Args)]
pub struct SuiteArgs {
    /// `smoke`, `nightly`, or a TOML file
    #[arg(required_unless_present = "list")]
    pub suite: Option<String>,
    /// Go on with further seeds until so much time is spent; every case once if not given
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub budget: Option<Duration>,
    /// Runs side by side; 0: one for every four cores
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=64))]
    pub jobs: u16,
    /// What repeats all seeds; drawn if not given
    #[arg(long)]
    pub seed: Option<u64>,
    /// Begin anew, even if the last one was stopped
    #[arg(long)]
    pub fresh: bool,
    /// Where results go
    #[arg(long, default_value = "results", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Say which runs would be made, and make none
    #[arg(long)]
    pub list: bool,
}

/// Makes the runs of a suite; writes its page. Returns the worst exit code.
pub fn run(args: &SuiteArgs) -> anyhow::Result<i32> {
    let Some(name) = &args.suite else {
        for (name, _) in BUILT_IN {
            let suite = definition::load(name)?;
            output::result(&format!("{name:<10} {}\n", suite.about));
        }
        return Ok(exit_code::VALID);
    };
    let suite = definition::load(name)?;
    if args.list {
        output::result(&listing(&suite));
        return Ok(exit_code::VALID);
    }
    let nights = Nights::new(&args.out, &suite.name)?;
    let (night, mut record) = begin(args, &suite, &nights)?;
    let earlier: Vec<Record> = earlier(&nights, &night).into_iter().map(|(_, it)| it).collect();
    output::note(&format!(
        "suite {}: {}, {} done already, about {} a round",
        suite.name,
        words::counted(suite.cases.len() as u64, "case"),
        words::counted(record.runs.len() as u64, "run"),
        words::duration(round(&suite.cases).as_nanos() as u64),
    ));
    let limits = Limits {
        side_by_side: side_by_side(args.jobs),
        deadline: args.budget.map(|budget| Instant::now() + budget),
        reruns: suite.reruns,
    };
    let cases: Vec<Case> = order::order(&record.cases, &earlier)
        .into_iter()
        .map(|position| record.cases[position].clone())
        .collect();
    let mut rounds = Rounds { cases, seed: record.seed, next: 0 };
    let was_run = record.clone();
    let first: Vec<Job> = rounds
        .next_round()
        .into_iter()
        .filter(|job| was_run.runs_of(&job.case.id).all(|run| run.seed != job.seed))
        .collect();
    let more = || rounds.next_round();
    let runs = ChildRuns::prepare()?;
    let end = execute(&runs, &night.path, first, limits, more, |run| {
        record.runs.push(run);
        night.save(&record).map_err(std::io::Error::other)?;
        write_pages(&nights, &night, &record).map_err(std::io::Error::other)
    })?;
    if end == End::Finished {
        record.finished = Some(now());
    }
    night.save(&record)?;
    write_pages(&nights, &night, &record)?;
    output::result(&summary(&record, &night, end));
    Ok(record.exit_code())
}

/// Seeds for round after round: the same for the same suite seed.
struct Rounds {
    cases: Vec<Case>,
    seed: u64,
    next: u64,
}

impl Rounds {
    fn next_round(&mut self) -> Vec<Job> {
        let round = self.next;
        self.next += 1;
        let mut jobs = Vec::new();
        for case in &self.cases {
            for number in 0..u64::from(case.seeds) {
                let which = round * u64::from(case.seeds) + number;
                let seed = stream(self.seed, &format!("{} {which}", case.id)) % SEEDS;
                let slot: String = case
                    .id
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
                    .collect();
                let slot = format!("{slot}-{seed}");
                jobs.push(Job { case: case.clone(), seed, repetition: false, slot });
            }
        }
        jobs
    }
}

/// Goes on with the newest night, if it was stopped and has the same cases; or begins a new one.
fn begin(args: &SuiteArgs, suite: &Suite, nights: &Nights) -> anyhow::Result<(Night, Record)> {
    let newest = nights.all().into_iter().next();
    if let Some((name, record)) = newest.filter(|(_, record)| {
        !args.fresh && record.finished.is_none() && record.cases == suite.cases
    }) && args.seed.is_none_or(|seed| seed == record.seed)
    {
        output::note(&format!("going on with {name}; --fresh begins anew"));
        return Ok((nights.night(&name), record));
    }
    let now = now();
    let night = nights.create(&now[..10])?;
    let record = Record {
        format: FORMAT,
        suite: suite.name.clone(),
        about: suite.about.clone(),
        started: now,
        version: crate::host::version(),
        seed: args.seed.unwrap_or_else(crate::options::random_seed),
        finished: None,
        cases: suite.cases.clone(),
        runs: Vec::new(),
    };
    night.save(&record)?;
    Ok((night, record))
}

fn earlier(nights: &Nights, night: &Night) -> Vec<(String, Record)> {
    let mut all = nights.all();
    all.retain(|(name, _)| night.path.file_name().is_none_or(|own| own != name.as_str()));
    all
}

fn write_pages(nights: &Nights, night: &Night, record: &Record) -> anyhow::Result<()> {
    let page = index::render(record, &earlier(nights, night));
    files::write_atomically(&night.path.join("index.html"), page.as_bytes())?;
    let all = index::render_nights(&record.suite, &nights.all());
    files::write_atomically(&nights.root().join("index.html"), all.as_bytes())?;
    let junit = junit::render(record)?;
    files::write_atomically(&night.path.join("junit.xml"), junit.as_bytes())?;
    Ok(())
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A run keeps about four cores busy.
fn side_by_side(jobs: u16) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match jobs {
        0 => (cores / 4).max(1),
        given => usize::from(given),
    }
}

fn round(cases: &[Case]) -> Duration {
    cases.iter().map(|case| expected(case) * case.seeds).sum()
}

fn listing(suite: &Suite) -> String {
    let mut text = format!("{}\n", suite.about);
    for case in &suite.cases {
        text.push_str(&format!(
            "{:<12} {:<24} {} ({})\n",
            case.workload,
            case.faults,
            case.arguments.join(" "),
            words::counted(u64::from(case.seeds), "seed"),
        ));
    }
    let length = words::duration(round(&suite.cases).as_nanos() as u64);
    text.push_str(&format!(
        "{}, about {length} one after the other\n",
        words::counted(suite.cases.len() as u64, "case")
    ));
    text
}

/// The last lines.
fn summary(record: &Record, night: &Night, end: End) -> String {
    let [valid, invalid, other] = record.counts();
    let mut text = String::new();
    for run in record.runs.iter().filter(|run| !run.repetition && run.exit_code != 0) {
        let word = ending(run.exit_code).1;
        text.push_str(&format!(
            "{word}: {} seed {}\n  repeat: {}\n",
            run.case, run.seed, run.command
        ));
        if run.exit_code == exit_code::INVALID {
            let (again, times) = record.repetitions(run);
            text.push_str(&format!(
                "  with the same inputs again: invalid {again} of {times} times\n"
            ));
        }
    }
    let not_run = record.not_run().len();
    if not_run > 0 {
        let cases = words::counted(not_run as u64, "case");
        text.push_str(&format!("not run for want of time: {cases}\n"));
    }
    if end == End::Stopped {
        text.push_str("stopped; the same command goes on from here\n");
    }
    text.push_str(&format!(
        "{}: {valid} valid, {invalid} invalid, {other} other\nexit code {}\nindex       {}\n",
        words::counted((valid + invalid + other) as u64, "run"),
        record.exit_code(),
        night.path.join("index.html").display(),
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::super::record::fixtures::case;
    use super::*;

    #[test]
    fn rounds_have_seeds_of_their_own_and_repeat() {
        let cases = vec![Case { seeds: 2, ..case("register", "kill,pause") }, case("set", "kill")];
        let rounds = || Rounds { cases: cases.clone(), seed: 7, next: 0 };
        let mut first = rounds();
        let jobs: Vec<Job> = (0..3).flat_map(|_| first.next_round()).collect();
        let mut slots: Vec<String> = jobs.iter().map(|job| job.slot.clone()).collect();
        assert!(slots[0].starts_with("register_kill_pause-"), "{}", slots[0]);
        let again: Vec<String> = rounds().next_round().into_iter().map(|job| job.slot).collect();
        assert_eq!(slots[..3], again);
        slots.sort();
        slots.dedup();
        assert_eq!(slots.len(), 9);
    }
}
