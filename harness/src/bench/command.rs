//! The whole life of one bench.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::{DiskProbe, FileSystem};
use super::load::{Data, LoadPlan, Window};
use super::options::{BenchArgs, Operation};
use super::report::{self, FORMAT, Measurement, Report, ServerUsage, SystemInfo, rounded};
use super::subject::{Kind, Subject, SubjectError};
use super::table;
use crate::cpu;
use crate::output;
use crate::report::files::{self, WriteError};
use crate::run_store::{RunStore, RunStoreError};
use crate::stop::Stop;

/// The folder below the results, where a run has its workload and faults.
const GROUP: &str = "bench";

/// Operations that are under way at the end of a measurement get this long.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Nothing could be measured, or it could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The results folder.
    #[error(transparent)]
    Store(#[from] RunStoreError),
    /// The data folder, or the disk below it.
    #[error("use {} for data: {source}\nhint: --data names a folder that can be written to", path.display())]
    Data {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A system.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The report.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The signal handlers.
    #[error("prepare the bench: {0}")]
    Prepare(#[from] std::io::Error),
}

/// What one measurement is about.
#[derive(Debug, Clone, Copy)]
struct Cell {
    round: u32,
    operation: Operation,
    clients: usize,
}

struct Bench<'a> {
    args: &'a BenchArgs,
    subjects: Vec<Subject>,
    data: Arc<Data>,
    disk: Arc<DiskProbe>,
    stop: Stop,
    rounds: Vec<Measurement>,
}

/// Measures and reports. Returns the exit code.
pub async fn run(args: BenchArgs) -> Result<i32, BenchError> {
    let stop = Stop::listen()?;
    let kinds = Kind::all(&args).into_iter().map(|kind| Ok((kind, kind.version()?)));
    let kinds = kinds.collect::<Result<Vec<_>, SubjectError>>()?;
    let started = jiff::Timestamp::now();
    let time = started.strftime("%Y%m%dT%H%M%SZ").to_string();
    let store = RunStore::create(&args.out, GROUP, &time, args.seed)?;
    let nodes = match &args.data {
        None => store.file("nodes"),
        Some(folder) => std::path::absolute(folder)?.join(store.name()),
    };
    let data_error = |source| BenchError::Data { path: nodes.clone(), source };
    std::fs::create_dir_all(&nodes).map_err(data_error)?;
    let disk = DiskProbe::create(&nodes).map_err(data_error)?;
    let file_system = FileSystem::of(&nodes);
    let subjects = kinds
        .into_iter()
        .map(|(kind, version)| {
            Subject::new(kind, version, &args, store.name(), nodes.join(kind.name()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    say_what_comes(&args, &subjects, file_system.as_ref(), &nodes);
    let host = crate::host::facts(&nodes);
    let systems: Vec<SystemInfo> = subjects
        .iter()
        .map(|it| SystemInfo { name: it.name(), version: it.version().to_owned() })
        .collect();

    let mut bench = Bench {
        args: &args,
        subjects,
        data: Arc::new(Data::new(args.keys, args.value_bytes, args.seed)),
        disk: Arc::new(disk),
        stop,
        rounds: Vec::new(),
    };
    let measured = bench.measure_all().await;
    let mut findings = Vec::new();
    for subject in &bench.subjects {
        findings.extend(subject.stop().await);
    }
    if !args.keep_data {
        bench.subjects.iter().for_each(Subject::remove_data);
    }
    let failures = match measured {
        Ok(()) => Vec::new(),
        // Nothing to report but the error itself.
        Err(error) if bench.rounds.is_empty() => return Err(error),
        Err(error) => vec![output::chain(&error)],
    };
    let names: Vec<&'static str> = systems.iter().map(|it| it.name).collect();
    let loads = loads(&args);
    let ratio = match names[..] {
        [ours, other] => report::ratios(&bench.rounds, &loads, [ours, other]),
        _ => report::Ratios::default(),
    };
    let mut report = Report {
        format: FORMAT,
        bench: store.name().to_owned(),
        started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        version: crate::host::version(),
        command: crate::repeat::command(args.seed),
        options: args.clone(),
        host,
        file_system,
        systems,
        ratio,
        medians: report::medians(&bench.rounds, &loads, &names),
        interrupted: bench.stop.requested(),
        rounds: bench.rounds,
        findings,
        failures,
        exit_code: 0,
    };
    report.exit_code = report::exit_code(&report);
    let path = store.file("bench.json");
    print(&report, &path);
    files::write_json(&path, &report)?;
    Ok(report.exit_code)
}

impl Bench<'_> {
    /// Starts everything and measures round by round, until the end or Ctrl-C.
    async fn measure_all(&mut self) -> Result<(), BenchError> {
        for subject in &self.subjects {
            subject.start().await?;
            self.say(&format!("{} runs; writing {} keys", subject.name(), self.args.keys));
            subject.preload(&self.data).await?;
        }
        let loads = loads(self.args);
        for round in 1..=self.args.rounds {
            for (position, &(operation, clients)) in loads.iter().enumerate() {
                let cell = Cell { round, operation, clients };
                let disk = self.probe_disk().await?;
                // Whoever comes second may find a warmer machine, so they take turns.
                let mut order: Vec<usize> = (0..self.subjects.len()).collect();
                if (round as usize + position).is_multiple_of(2) {
                    order.reverse();
                }
                for subject in order {
                    if self.stop.requested() {
                        return Ok(());
                    }
                    let Some(mut measured) = self.measure(cell, subject).await? else {
                        return Ok(());
                    };
                    measured.disk = disk;
                    self.say(&table::line(&measured));
                    self.rounds.push(measured);
                }
            }
        }
        Ok(())
    }

    async fn probe_disk(&self) -> Result<crate::latency::LatencyPercentiles, BenchError> {
        let disk = Arc::clone(&self.disk);
        let measured = tokio::task::spawn_blocking(move || disk.measure()).await;
        Ok(measured.unwrap_or_else(|_| Err(std::io::Error::other("the disk probe panicked")))?)
    }

    /// One measurement; none if it was interrupted.
    async fn measure(
        &mut self,
        cell: Cell,
        subject: usize,
    ) -> Result<Option<Measurement>, BenchError> {
        let (measured, others): (Vec<_>, Vec<_>) =
            self.subjects.iter().enumerate().partition(|(position, _)| *position == subject);
        let [(_, subject)] = measured[..] else { return Ok(None) };
        let (leader, address) = subject.leader().await?;
        let plan = LoadPlan {
            address,
            operation: cell.operation,
            clients: cell.clients,
            clients_per_connection: usize::from(self.args.clients_per_connection),
            threads: usize::from(self.args.client_threads),
            seed: self.args.seed.wrapping_add(u64::from(cell.round)),
            drain_limit: DRAIN_LIMIT,
        };
        let load = subject.load(&plan, &self.data).await?;
        let begin = Instant::now() + self.args.warm_up;
        let window = Window { begin, end: begin + self.args.duration };
        let usage = || -> Result<_, SubjectError> {
            let others = others.iter().map(|(_, it)| it.usage()).collect::<Result<Vec<_>, _>>()?;
            Ok((Instant::now(), subject.usage()?, others.concat(), cpu::of_self()))
        };
        let running = tokio::spawn(load.run(window));
        let sampled = async {
            tokio::time::sleep_until(window.begin.into()).await;
            let before = usage()?;
            tokio::time::sleep_until(window.end.into()).await;
            Ok::<_, SubjectError>((before, usage()?))
        };
        let mut stop = self.stop.clone();
        let (before, after) = tokio::select! {
            sampled = sampled => sampled?,
            () = stop.wait() => return Ok(None),
        };
        let tally = running
            .await
            .unwrap_or(Err(super::load::LoadFailure::Panicked))
            .map_err(|source| subject.load_failed(source))?;

        let seconds = after.0.duration_since(before.0).as_secs_f64();
        let per_1000 = |cpu: Duration| {
            (tally.completed > 0).then(|| rounded(cpu.as_secs_f64() * 1e3 / tally.completed as f64))
        };
        let used = |before: &[(_, cpu::ProcessUsage)], after: &[(_, cpu::ProcessUsage)]| {
            let pairs = after.iter().zip(before);
            pairs.map(|((_, after), (_, before))| after.since(before)).collect::<Vec<_>>()
        };
        let cpu_of = |used: &[cpu::ProcessUsage]| used.iter().map(|it| it.cpu).sum::<Duration>();
        let servers = used(&before.1, &after.1);
        let client = after.3.saturating_sub(before.3);
        Ok(Some(Measurement {
            round: cell.round,
            operation: cell.operation,
            clients: cell.clients,
            system: subject.name(),
            completed: tally.completed,
            throughput: rounded(tally.completed as f64 / self.args.duration.as_secs_f64()),
            latency: tally.latencies.percentiles(),
            errors: tally.errors,
            unfinished: tally.unfinished,
            server_cpu_per_1000: per_1000(cpu_of(&servers)),
            client_cpu_per_1000: per_1000(client),
            client_cores: rounded(client.as_secs_f64() / seconds),
            idle_cores: rounded(cpu_of(&used(&before.2, &after.2)).as_secs_f64() / seconds),
            leader,
            servers: after
                .1
                .iter()
                .zip(&servers)
                .map(|((node, _), used)| ServerUsage::new(*node, used, tally.completed))
                .collect(),
            first_error: tally.first_error,
            disk: crate::latency::LatencyPercentiles::default(),
        }))
    }

    fn say(&self, line: &str) {
        if !self.args.quiet && !self.args.json {
            output::note(line);
        }
    }
}

/// In the order in which they are measured.
fn loads(args: &BenchArgs) -> Vec<(Operation, usize)> {
    let of_operation = |&operation| args.clients.iter().map(move |&clients| (operation, clients));
    args.operations.iter().flat_map(of_operation).collect()
}

fn say_what_comes(
    args: &BenchArgs,
    subjects: &[Subject],
    file_system: Option<&FileSystem>,
    nodes: &Path,
) {
    if args.quiet || args.json {
        return;
    }
    let names: Vec<&str> = subjects.iter().map(|it| it.kind().name()).collect();
    let disk = file_system.map_or("an unknown file system".to_owned(), |it| {
        let warning = if it.is_memory() { ", where a sync costs nothing" } else { "" };
        format!("{} ({}){warning}", it.kind, it.device)
    });
    output::note(&format!("measuring {}; data in {} on {disk}", names.join(", "), nodes.display()));
    let pairs = loads(args).len() * args.rounds as usize;
    let time = (args.duration + args.warm_up) * u32::try_from(pairs * names.len()).unwrap_or(1);
    output::note(&format!(
        "this takes at least {}",
        humantime::format_duration(Duration::from_secs(time.as_secs()))
    ));
}

fn print(report: &Report, path: &Path) {
    if report.options.json {
        let text = serde_json::to_string_pretty(report).unwrap_or_default();
        output::result(&format!("{text}\n"));
        return;
    }
    if report.options.quiet {
        return;
    }
    let here = std::env::current_dir().unwrap_or_default();
    let shown = path.strip_prefix(&here).unwrap_or(path).display().to_string();
    output::result(&format!("{}\n", table::table(report, &shown)));
}
