//! The whole life of one run.
//!
//! 1. the run's folder, `run.json`, and the nodes;
//! 2. the main phase: operations and faults, recorded as they happen;
//! 3. heal, and wait until every node serves again;
//! 4. the last operations, then the nodes end;
//! 5. judge, and write the report.
//!
//! From 2 on, whatever fails, what was recorded is judged and reported.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use workloads::checker::Check;
use workloads::generator::GeneratorOptions;
use workloads::history::Event;

use crate::budget::CheckBudget;
use crate::cluster::{Cluster, ClusterControl, ClusterError};
use crate::disk::Disks;
use crate::exit_code;
use crate::judge;
use crate::nemesis::fault::Arrangement;
use crate::nemesis::record::FaultRecord;
use crate::node_id::NodeId;
use crate::options::RunOptions;
use crate::output;
use crate::pausable::PausableClients;
use crate::platform::Platform;
use crate::platform::namespaces::Entered;
use crate::progress::ProgressPrinter;
use crate::recorder::{HistoryRecorder, Recorder};
use crate::repeat;
use crate::report::files::{self, WriteError};
use crate::report::results::{FORMAT, Results, RunFacts, RunInfo};
use crate::report::{analysis, terminal};
use crate::role_watch::RoleWatch;
use crate::run_store::{RunStore, RunStoreError};
use crate::runner::{
    ClientFactory, Dispatched, Dispatcher, DispatcherOptions, FailFast, NemesisThread, RunnerError,
    Workers,
};
use crate::running::Running;
use crate::scenario::{self, Scenario};
use crate::scheduler::{Scheduler, SchedulerOptions};
use crate::seed::stream;
use crate::stop::Stop;
use crate::system::{System, SystemOptions};

/// A platform that is ready, and why it was chosen.
pub struct ChosenPlatform {
    /// The platform.
    pub platform: Arc<dyn Platform>,
    /// In words, for the report.
    pub why: String,
    /// The namespaces that this process entered, if any.
    pub namespaces: Option<Entered>,
}

/// The run could not be made or reported.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The results folder.
    #[error(transparent)]
    Store(#[from] RunStoreError),
    /// The nodes.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A report file.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The history, workers or nemesis.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The nemesis' thread or the signal handlers.
    #[error("prepare the run: {0}")]
    Prepare(#[from] std::io::Error),
}

/// Pause between recovery probes of one node.
const RECOVERY_POLL: Duration = Duration::from_millis(50);

/// Makes one run. Returns the exit code.
pub async fn run(options: RunOptions, chosen: ChosenPlatform) -> Result<i32, RunError> {
    let mut stop = Stop::listen()?;
    let args = &options.args;
    let started = jiff::Timestamp::now();
    let group = format!("{}-{}", options.workload.name, options.fault_names());
    let time = started.strftime("%Y%m%dT%H%M%SZ").to_string();
    let store = RunStore::create(&args.out, &group, &time, options.seed)?;
    if let Err(error) = files::link_latest(store.root(), &store.path()) {
        // Only a convenience, for `exec` and `check` while it runs too.
        tracing::warn!("{}", output::chain(&error));
    }
    let system: Arc<dyn System> = Arc::from((options.system.build)(SystemOptions {
        cluster: store.name().to_owned(),
        storage: args.storage,
        fsync: args.fsync,
        read_mode: args.read_mode,
        shards: args.shards,
        snapshot_entries: args.snapshot_entries,
        bug: args.bug.clone(),
        workload: options.workload.name,
        settings: options.settings.clone(),
        adapter: options.adapter.clone(),
        seed: stream(options.seed, "system"),
        folder: Some(store.path()),
    }));
    let info = run_info(&options, &chosen, &store, started);
    files::write_run(&store.path(), &info)?;
    let kept = scenario::of_run(&info.options, options.seed);
    Scenario::new(format!("The faults of {}.", info.run), kept, scenario::steps(&options.plan))
        .write(&store.file("scenario.toml"))?;

    let progress = ProgressPrinter::new(args.quiet || args.json, args.time_limit);
    progress.header(&info);
    let cluster = Cluster::new(
        chosen.platform.clone(),
        system.clone(),
        args.nodes,
        store.file("nodes"),
        tokio::runtime::Handle::current(),
    );
    let disks = disks(&options, &chosen, cluster.nodes(), &store.file("nodes"));
    let cluster = Arc::new(cluster.on_disks(disks));
    let started = tokio::select! {
        started = cluster.start() => started,
        () = stop.wait() => {
            cluster.stop();
            output::note("stopped before the cluster served: nothing was recorded");
            return Ok(exit_code::UNKNOWN);
        }
    };
    if let Err(error) = started {
        cluster.stop();
        return Err(error.into());
    }
    let running = announce(&chosen, &store, &cluster)?;
    let recorded =
        record(&options, &chosen, &store, &system, &cluster, progress, stop.clone()).await;
    if args.hold && recorded.is_ok() && !stop.requested() {
        output::note(&format!(
            "the nodes are kept until Ctrl-C; such as: harness exec {} -- server ctl status",
            relative(store.path())
        ));
        stop.wait().await;
    }
    drop(running);
    let findings = tokio::task::spawn_blocking({
        let cluster = cluster.clone();
        move || cluster.stop()
    })
    .await
    .unwrap_or_else(|_| vec!["the harness panicked while it ended the nodes".to_owned()]);
    let mut recorded = recorded?;
    recorded.facts.node_findings = findings;
    files::write_json(&store.file("facts.json"), &recorded.facts)?;

    let results = judge(&options, &info, &mut recorded).await;
    let written = files::write_results(
        &store.path(),
        &info,
        &recorded.facts,
        &results,
        &recorded.events,
        &recorded.faults,
    );
    if results.exit_code == exit_code::VALID && !args.keep_data {
        cluster.remove_data();
    }
    print_results(&options, &info, &recorded.facts, &results, &store);
    match written {
        Ok(_) => Ok(results.exit_code),
        Err(error) => {
            output::note(&format!("error: {}", output::chain(&error)));
            Ok(exit_code::worst([results.exit_code, exit_code::HARNESS_FAILURE]))
        }
    }
}

/// Disks that can fail, if a fault of the run needs them and this machine can have them.
fn disks(
    options: &RunOptions,
    chosen: &ChosenPlatform,
    nodes: &[NodeId],
    root: &std::path::Path,
) -> Disks {
    if !options.needs(Arrangement::Disk) {
        return Disks::none("this run has no disks that can fail");
    }
    let disks = match chosen.namespaces {
        Some(_) => Disks::new(nodes, root).unwrap_or_else(|error| Disks::none(error.to_string())),
        None => Disks::none("the platform has no mounts of its own"),
    };
    if let Some(why) = disks.missing() {
        output::note(&format!(
            "the faults of disks are skipped: {why}\nhint: `harness doctor` says what would help"
        ));
    }
    disks
}

/// Tells other processes how to reach the nodes.
fn announce(
    chosen: &ChosenPlatform,
    store: &RunStore,
    cluster: &Cluster,
) -> Result<Running, WriteError> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let pid = chosen.namespaces.map_or(own, |entered| entered.outside_pid);
    let address = |node: &NodeId| (node.to_string(), cluster.address(*node).to_string());
    let nodes = cluster.nodes().iter().map(address).collect();
    Running::announce(&store.path(), pid, chosen.namespaces.is_some(), nodes)
}

/// What a run left behind.
struct Recorded {
    /// Shared with the checker.
    events: Arc<Vec<Event>>,
    faults: Vec<FaultRecord>,
    facts: RunFacts,
}

/// Phases 2 to 4.
async fn record(
    options: &RunOptions,
    chosen: &ChosenPlatform,
    store: &RunStore,
    system: &Arc<dyn System>,
    cluster: &Arc<Cluster>,
    mut progress: ProgressPrinter,
    stop: Stop,
) -> Result<Recorded, RunError> {
    let args = &options.args;
    let history = HistoryRecorder::create(&store.file("history.jsonl"))?;
    let schedule = Recorder::create(&store.file("schedule.jsonl"))?;
    let plan = options.plan.clone();
    let left_out = options.left_out();
    if args.scenario.is_none() && !left_out.is_empty() {
        output::note(&format!(
            "there is no room for {}\nhint: a longer --time-limit, or more --faults-at-once",
            left_out.join(", ")
        ));
    }
    let generator = (options.workload.generator)(&GeneratorOptions {
        concurrency: options.concurrency,
        keys: usize::from(args.keys),
        seed: stream(options.seed, "generator"),
    });
    let scheduler = Scheduler::new(
        SchedulerOptions {
            concurrency: options.concurrency,
            rate: (args.rate > 0.0).then_some(args.rate),
            time_limit: args.time_limit,
            seed: stream(options.seed, "scheduler"),
        },
        generator,
        &plan,
    );
    let nodes_of_workers: Vec<NodeId> = (0..options.concurrency)
        .map(|worker| cluster.nodes()[worker % cluster.nodes().len()])
        .collect();
    let factory: ClientFactory = {
        let (system, cluster, nodes) = (system.clone(), cluster.clone(), nodes_of_workers.clone());
        let interface = options.workload.interface;
        Arc::new(move |worker| {
            system.client(nodes[worker], cluster.address(nodes[worker]), interface)
        })
    };
    let clients = PausableClients::new(options.concurrency);
    let workers = Workers::start(&clients, &factory, options.limits());
    let began = Instant::now();
    let mut nemesis = NemesisThread::start(
        chosen.platform.clone(),
        Arc::new(ClusterControl { cluster: cluster.clone(), clients }),
        cluster.nodes().to_vec(),
        plan,
        began,
    )?;
    let began_at = jiff::Timestamp::now().as_nanosecond();
    let roles = RoleWatch::start(cluster.clone(), &store.file("roles.jsonl"), began)?;
    progress.began(began);
    let mut dispatcher = Dispatcher::new(
        DispatcherOptions {
            began,
            nodes_of_workers: nodes_of_workers.iter().map(NodeId::to_string).collect(),
            progress: Box::new(move |now| progress.update(now)),
            fail_fast: if args.fail_fast { FailFast::new(options.workload) } else { None },
        },
        scheduler,
        workers,
        history,
        schedule,
        stop,
    );
    let mut facts = RunFacts {
        recovery_limit: args.recovery_limit.as_nanos() as u64,
        began_at: u64::try_from(began_at).ok(),
        ..RunFacts::default()
    };
    let mut dispatched = Dispatched::default();
    if let Err(error) = dispatcher.run_main(&mut nemesis, &mut dispatched).await {
        facts.harness_failures.push(output::chain(&error));
    }
    facts.interrupted = dispatched.interrupted;
    if let Some(proved) = &dispatched.proved {
        output::note(&format!("--fail-fast ends the run: {proved}"));
    }
    facts.proved = dispatched.proved.take();
    let not_undone = dispatched.faults.iter().filter_map(|fault| fault.heal_failure.clone());
    facts.harness_failures.extend(not_undone);
    facts.harness_failures.extend(cluster.disk_failures());
    let healed = began.elapsed();
    facts.final_heal = Some(healed.as_nanos() as u64);
    let recovery = recovery(system, cluster, args.recovery_limit).await;
    facts.recovery = recovery.map(|time| time.as_nanos() as u64);
    if facts.harness_failures.is_empty()
        && let Err(error) = dispatcher.run_final().await
    {
        facts.harness_failures.push(output::chain(&error));
    }
    facts.end = began.elapsed().as_nanos() as u64;
    match roles.stop().await {
        Ok(roles) => facts.roles = roles,
        Err(error) => facts.harness_failures.push(format!("record roles: {error}")),
    }
    let (events, shed) = dispatcher.finish();
    facts.shed_starts = shed;
    Ok(Recorded { events: Arc::new(events), faults: dispatched.faults, facts })
}

/// The time until every node has answered a write and a read again.
async fn recovery(
    system: &Arc<dyn System>,
    cluster: &Arc<Cluster>,
    limit: Duration,
) -> Option<Duration> {
    let began = Instant::now();
    let probes = cluster.nodes().iter().map(|&node| async move {
        while !system.serves(node, cluster.address(node)).await {
            tokio::time::sleep(RECOVERY_POLL).await;
        }
    });
    let all = futures_util::future::join_all(probes);
    tokio::time::timeout(limit, all).await.ok().map(|_| began.elapsed())
}

/// Phase 5.
async fn judge(options: &RunOptions, info: &RunInfo, recorded: &mut Recorded) -> Results {
    let budget =
        CheckBudget::start(options.args.check_time_budget, options.args.check_memory_budget);
    let (workload, promise) = (options.workload, options.promise);
    let events = recorded.events.clone();
    let judged =
        tokio::task::spawn_blocking(move || judge::checks(workload, promise, &events, &budget));
    let checks: Vec<Check> = judged.await.unwrap_or_else(|_| {
        recorded.facts.harness_failures.push("the checker panicked".to_owned());
        vec![judge::checker_panicked()]
    });
    analysis::analyze(info, &recorded.facts, &recorded.events, &recorded.faults, checks)
}

fn print_results(
    options: &RunOptions,
    info: &RunInfo,
    facts: &RunFacts,
    results: &Results,
    store: &RunStore,
) {
    if options.args.json {
        let text = serde_json::to_string_pretty(results).unwrap_or_default();
        output::result(&format!("{text}\n"));
    } else if !options.args.quiet {
        let colour = terminal::Colour::for_stream(&std::io::stdout());
        let path = relative(store.file("report.html"));
        output::result(&format!("{}\n", terminal::summary(info, facts, results, &path, colour)));
    }
}

/// A path as the user would type it.
fn relative(path: PathBuf) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(&path).display().to_string()
}

fn run_info(
    options: &RunOptions,
    chosen: &ChosenPlatform,
    store: &RunStore,
    started: jiff::Timestamp,
) -> RunInfo {
    let args = &options.args;
    RunInfo {
        format: FORMAT,
        run: store.name().to_owned(),
        world: "real".to_owned(),
        started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        workload: options.workload.name.to_owned(),
        faults: options.promised_faults(),
        system: options.system.name.to_owned(),
        nodes: args.nodes,
        seed: options.seed,
        command: repeat::command(options.seed),
        platform: chosen.why.clone(),
        platform_notes: chosen.platform.notes(),
        bug: args.bug.clone(),
        options: serde_json::to_value(args).unwrap_or_default(),
        version: crate::host::version(),
        host: crate::host::facts(&store.path()),
    }
}
