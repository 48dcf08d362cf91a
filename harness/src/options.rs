//! The options of a run, checked: what cannot work is refused before anything starts.

use std::sync::Arc;

use workloads::workload::Workload;

use crate::cli::RunArgs;
use crate::judge::{self, Promise};
use crate::nemesis::fault::{Arrangement, FaultKind, Situation, is_all, parse_faults};
use crate::nemesis::plan::{PlanOptions, PlannedFault, left_out, plan};
use crate::platform::PlatformChoice;
use crate::platform::loopback::NODES_MAX as LOOPBACK_NODES_MAX;
use crate::runner::{FailFast, Limits};
use crate::scenario::{self, Scenario, Setting};
use crate::seed::stream;
use crate::system::{Adapter, LEFT_OUT, SYSTEMS, Settings, StorageMode, SystemEntry};
use crate::usage::{BadUsage, check_bug, unknown};

/// Operations per second.
const RATE_MIN: f64 = 0.001;
const RATE_MAX: f64 = 1e6;
/// A run's folder is named after its faults, and a name has 255 bytes at most.
const FAULT_NAMES_MAX: usize = 120;

/// A run that makes sense.
#[derive(Clone)]
pub struct RunOptions {
    /// As given.
    pub args: RunArgs,
    /// The workload.
    pub workload: &'static Workload,
    /// By what it is judged.
    pub promise: Promise,
    /// The kinds of fault.
    pub faults: Vec<&'static FaultKind>,
    /// When each of them happens: drawn, or from a scenario.
    pub plan: Vec<PlannedFault>,
    /// The system.
    pub system: &'static SystemEntry,
    /// What was chosen about the system.
    pub settings: Settings,
    /// What the systems `command` and `external` are made of.
    pub adapter: Option<Arc<Adapter>>,
    /// Workers.
    pub concurrency: usize,
    /// What repeats the run's choices.
    pub seed: u64,
}

impl RunOptions {
    /// Checks the options. Draws a seed if none was given.
    pub fn resolve(mut args: RunArgs) -> Result<RunOptions, BadUsage> {
        let scenario = args.scenario.as_deref().map(Scenario::read).transpose();
        let scenario = scenario.map_err(|error| BadUsage(error.to_string()))?;
        if let Some(scenario) = &scenario {
            args.faults = scenario.kinds().join(",");
            if scenario.steps.is_empty() {
                args.faults = "none".to_owned();
            }
        }
        let workload = workloads::registry::workload(&args.workload).ok_or_else(|| {
            unknown(
                "workload",
                &args.workload,
                workloads::registry::WORKLOADS.iter().map(|workload| workload.name),
            )
        })?;
        let property = args.property.as_deref().map(|name| {
            judge::offered(workload)
                .find(|offered| *offered == name)
                .ok_or_else(|| unknown("property", name, judge::offered(workload)))
        });
        let read_mode = args.judge_as.unwrap_or(args.read_mode);
        let promise = Promise { read_mode, property: property.transpose()? };
        let faults = parse_faults(&args.faults).map_err(|error| BadUsage(error.to_string()))?;
        let system = system(&args.system)?;
        if !system.interfaces.contains(&workload.interface) {
            return Err(BadUsage(format!(
                "the system {} has nothing that the workload {} could use\n\
                 hint: `harness list workloads`",
                system.name, workload.name
            )));
        }
        let adapter = adapter(&args, workload)?;
        if let Some(external) = adapter.as_ref().and_then(|adapter| adapter.external.as_ref()) {
            args.nodes = u16::try_from(external.addresses.len()).unwrap_or(u16::MAX);
            if let Some(kind) = faults.iter().find(|kind| !kind.is_outside_nodes()) {
                return Err(BadUsage(format!(
                    "the fault {} needs nodes that the harness runs\n\
                     hint: --faults none, client-pause, or command with the adapter's own",
                    kind.name
                )));
            }
        }
        let commands = adapter.as_ref().is_some_and(|adapter| !adapter.fault_commands().is_empty());
        let needs_commands = |kind: &FaultKind| kind.arrangements.contains(&Arrangement::Commands);
        if let Some(kind) = faults.iter().find(|kind| needs_commands(kind) && !commands) {
            return Err(BadUsage(format!(
                "the fault {} needs a [[fault]] in the file given by --adapter\n\
                 hint: harness/ADAPTERS.md, \"Faults of your own\"",
                kind.name
            )));
        }
        let settings = args.settings.as_deref().unwrap_or_default();
        let settings = Settings::parse(settings, system.settings)
            .map_err(|error| BadUsage(format!("--settings: {error}")))?;
        if args.storage == StorageMode::Memory
            && let Some(kind) = faults.iter().find(|kind| kind.forgets)
        {
            return Err(BadUsage(format!(
                "--storage memory with the fault {}: a node would come back without \
                 its vote and log, which no consensus survives\n\
                 hint: use --storage rocksdb, or leave {} out",
                kind.name, kind.name
            )));
        }
        if let Some(kind) = faults.iter().find(|kind| args.nodes < kind.nodes_min) {
            return Err(BadUsage(format!(
                "the fault {} needs at least {} nodes\nhint: --nodes 5",
                kind.name, kind.nodes_min
            )));
        }
        if let Err(missing) = (system.version)() {
            return Err(BadUsage(format!(
                "the system {} is not installed: {missing}\nhint: {}",
                system.name, system.install
            )));
        }
        if system.has_own_ports && args.platform == PlatformChoice::Loopback {
            return Err(BadUsage(format!(
                "--platform loopback cannot cut off the nodes of the system {}\n\
                 hint: --platform namespaces",
                system.name
            )));
        }
        if args.rate != 0.0 && !(RATE_MIN..=RATE_MAX).contains(&args.rate) {
            return Err(BadUsage(format!(
                "--rate {} is not between {RATE_MIN} and {RATE_MAX} operations per second\n\
                 hint: 0 is as fast as the system answers",
                args.rate
            )));
        }
        if args.platform == PlatformChoice::Loopback && args.nodes > LOOPBACK_NODES_MAX {
            return Err(BadUsage(format!(
                "--platform loopback has at most {LOOPBACK_NODES_MAX} nodes, not {}\n\
                 hint: --platform namespaces has no such limit",
                args.nodes
            )));
        }
        check_bug(args.bug.as_deref())?;
        if args.fail_fast && FailFast::new(workload).is_none() {
            let able =
                workloads::registry::WORKLOADS.iter().filter(|it| FailFast::new(it).is_some());
            return Err(BadUsage(format!(
                "--fail-fast cannot judge the workload {} while it runs\nhint: it can judge {}",
                workload.name,
                able.map(|it| it.name).collect::<Vec<_>>().join(" and ")
            )));
        }
        let needed = workload.clients_per_key * usize::from(args.keys);
        let concurrency = match args.concurrency {
            0 => needed.max(usize::from(args.nodes)),
            given => usize::from(given),
        };
        if concurrency < needed {
            return Err(BadUsage(format!(
                "--concurrency {concurrency} is too few: {} keys need {needed} clients, {} each, \
                 or stale reads cannot be seen\nhint: fewer --keys, or leave --concurrency out",
                args.keys, workload.clients_per_key
            )));
        }
        let seed = args.seed.unwrap_or_else(random_seed);
        let plan = match scenario {
            Some(scenario) => written_plan(&scenario, &args, seed)?,
            None => drawn_plan(&faults, &args, seed)?,
        };
        Ok(RunOptions {
            args,
            workload,
            promise,
            faults,
            plan,
            system,
            settings,
            adapter,
            concurrency,
            seed,
        })
    }

    /// Names of kinds for which the time was too short.
    pub fn left_out(&self) -> Vec<&'static str> {
        left_out(&plan_options(&self.faults, &self.args, self.seed), &self.plan)
    }

    /// Does a fault of this run need it?
    pub fn needs(&self, arrangement: Arrangement) -> bool {
        self.faults.iter().any(|kind| kind.arrangements.contains(&arrangement))
    }

    /// How long operations may take: longer by the clock on the wall where clients are stopped meanwhile.
    pub fn limits(&self) -> Limits {
        let running = self.args.operation_timeout;
        match self.needs(Arrangement::Clients) {
            true => Limits { running, total: running + self.args.time_limit },
            false => Limits { running, total: running },
        }
    }

    /// The faults that the run must have been seen to have: the kinds that were asked for one by one, or
    /// `all`, of which it has as many as fit.
    pub fn promised_faults(&self) -> Vec<String> {
        match is_all(&self.faults) {
            true => vec!["all".to_owned()],
            false => self.faults.iter().map(|kind| kind.name.to_owned()).collect(),
        }
    }

    /// The faults, as they are written in names: `kill+pause`, `none`, `all`, or `12-faults`.
    pub fn fault_names(&self) -> String {
        if is_all(&self.faults) {
            return "all".to_owned();
        }
        let names = self.faults.iter().map(|kind| kind.name).collect::<Vec<_>>().join("+");
        match names.len() {
            0 => "none".to_owned(),
            1..=FAULT_NAMES_MAX => names,
            _ => format!("{}-faults", self.faults.len()),
        }
    }
}

fn system(name: &str) -> Result<&'static SystemEntry, BadUsage> {
    if let Some((_, feature)) = LEFT_OUT.iter().find(|(left_out, _)| *left_out == name) {
        return Err(BadUsage(format!(
            "this harness was built without the system {name}\n\
             hint: cargo run -p harness --features {feature} -- --system {name}"
        )));
    }
    crate::system::system(name)
        .ok_or_else(|| unknown("system", name, SYSTEMS.iter().map(|entry| entry.name)))
}

/// The faults as a scenario has them.
fn written_plan(
    scenario: &Scenario,
    args: &RunArgs,
    seed: u64,
) -> Result<Vec<PlannedFault>, BadUsage> {
    let setting = Setting {
        situation: Situation { nodes: args.nodes, keep_quorum: args.keep_quorum },
        time_limit: args.time_limit,
        seed: stream(seed, "plan"),
    };
    scenario::planned(&scenario.steps, &setting).map_err(|error| BadUsage(error.to_string()))
}

/// The faults as they are drawn.
fn drawn_plan(
    faults: &[&'static FaultKind],
    args: &RunArgs,
    seed: u64,
) -> Result<Vec<PlannedFault>, BadUsage> {
    if !faults.is_empty() && args.interval.as_secs_f64() < 2.0 {
        return Err(BadUsage(
            "--interval must be at least 2s, so that a fault can act and heal\nhint: --interval 9s"
                .to_owned(),
        ));
    }
    if !faults.is_empty() && args.time_limit < args.interval + crate::nemesis::plan::MARGIN {
        return Err(BadUsage(format!(
            "--time-limit {} leaves no room for a fault at --interval {}\n\
             hint: a longer time limit, or --faults none",
            humantime::format_duration(args.time_limit),
            humantime::format_duration(args.interval)
        )));
    }
    Ok(plan(&plan_options(faults, args, seed)))
}

fn plan_options(faults: &[&'static FaultKind], args: &RunArgs, seed: u64) -> PlanOptions {
    PlanOptions {
        kinds: faults.to_vec(),
        interval: args.interval,
        time_limit: args.time_limit,
        nodes: args.nodes,
        keep_quorum: args.keep_quorum,
        program: args.program,
        at_once_max: args.faults_at_once,
        seed: stream(seed, "plan"),
    }
}

/// The adapter of the systems that are made of one.
fn adapter(args: &RunArgs, workload: &Workload) -> Result<Option<Arc<Adapter>>, BadUsage> {
    let system = args.system.as_str();
    let path = match (&args.adapter, is_made(system)) {
        (None, false) => return Ok(None),
        (Some(path), true) => path,
        (None, true) => {
            let message = format!("--system {system} needs --adapter\nhint: harness/ADAPTERS.md");
            return Err(BadUsage(message));
        }
        (Some(_), false) => {
            return Err(BadUsage(format!(
                "--adapter with the system {system}\nhint: --system command or external"
            )));
        }
    };
    let adapter = Adapter::read(path).map_err(|error| BadUsage(error.to_string()))?;
    let wanted = if adapter.external.is_some() { "external" } else { "command" };
    if system != wanted {
        let path = path.display();
        return Err(BadUsage(format!("{path} is no file for this\nhint: --system {wanted}")));
    }
    let offered: Vec<&str> = match adapter.protocol() {
        None => adapter.workloads.iter().map(String::as_str).collect(),
        Some(protocol) => {
            let entries = crate::system::SYSTEMS.iter().filter(|entry| !is_made(entry.name));
            let entry = entries.clone().find(|entry| entry.name == protocol).ok_or_else(|| {
                unknown("client.protocol", protocol, entries.map(|entry| entry.name))
            })?;
            workloads::registry::WORKLOADS
                .iter()
                .filter(|workload| entry.interfaces.contains(&workload.interface))
                .map(|workload| workload.name)
                .collect()
        }
    };
    if !offered.contains(&workload.name) {
        return Err(BadUsage(format!(
            "{} does not offer the workload {}\nhint: it offers {}",
            path.display(),
            workload.name,
            offered.join(", ")
        )));
    }
    Ok(Some(Arc::new(adapter)))
}

/// Is a system of this name made of an adapter?
fn is_made(system: &str) -> bool {
    ["command", "external"].contains(&system)
}

/// A seed that is short enough to be typed.
pub(crate) fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) % 1_000_000_000
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;
    use crate::nemesis::fault::FAULTS;

    #[test]
    fn faults_make_a_name_that_a_folder_can_have() {
        let named = |faults: &str| {
            let cli = Cli::try_parse_from(["harness", "--faults", faults]).unwrap();
            RunOptions::resolve(cli.run).map(|it| it.fault_names()).map_err(|error| error.0)
        };
        let name = |name: &str| Ok(name.to_owned());
        assert_eq!(named("pause,kill"), name("kill+pause"));
        assert_eq!(named("none"), name("none"));
        assert_eq!(named("all"), name("all"));
        let many: Vec<&str> = FAULTS[1..]
            .iter()
            .filter(|kind| !kind.needs_an_author())
            .map(|kind| kind.name)
            .collect();
        assert_eq!(named(&many.join(",")), Ok(format!("{}-faults", many.len())));
    }
}
