//! The options of a run, checked: what cannot work is refused before anything starts.

use workloads::workload::Workload;

use crate::cli::RunArgs;
use crate::nemesis::fault::{Arrangement, FaultKind, parse_faults};
use crate::platform::PlatformChoice;
use crate::platform::loopback::NODES_MAX as LOOPBACK_NODES_MAX;
use crate::system::{StorageMode, SystemEntry};
use crate::usage::{BadUsage, check_bug, unknown};

/// Operations per second.
const RATE_MIN: f64 = 0.001;
const RATE_MAX: f64 = 1e6;

/// A run that makes sense.
#[derive(Clone)]
pub struct RunOptions {
    /// As given.
    pub args: RunArgs,
    /// The workload.
    pub workload: &'static Workload,
    /// The kinds of fault.
    pub faults: Vec<&'static FaultKind>,
    /// The system.
    pub system: &'static SystemEntry,
    /// Workers.
    pub concurrency: usize,
    /// What repeats the run's choices.
    pub seed: u64,
}

impl RunOptions {
    /// Checks the options. Draws a seed if none was given.
    pub fn resolve(args: RunArgs) -> Result<RunOptions, BadUsage> {
        let workload = workloads::registry::workload(&args.workload).ok_or_else(|| {
            unknown(
                "workload",
                &args.workload,
                workloads::registry::WORKLOADS.iter().map(|workload| workload.name),
            )
        })?;
        let faults = parse_faults(&args.faults).map_err(|error| BadUsage(error.to_string()))?;
        let system = crate::system::system(&args.system).ok_or_else(|| {
            unknown("system", &args.system, crate::system::SYSTEMS.iter().map(|entry| entry.name))
        })?;
        if !system.interfaces.contains(&workload.interface) {
            return Err(BadUsage(format!(
                "the system {} has nothing that the workload {} could use\n\
                 hint: `harness list workloads`",
                system.name, workload.name
            )));
        }
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
        if !faults.is_empty() && args.interval.as_secs_f64() < 2.0 {
            return Err(BadUsage(
                "--interval must be at least 2s, so that a fault can act and heal\nhint: --interval 9s".to_owned(),
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
        check_bug(args.bug.as_deref())?;
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
        Ok(RunOptions { args, workload, faults, system, concurrency, seed })
    }

    /// Does a fault of this run need it?
    pub fn needs(&self, arrangement: Arrangement) -> bool {
        self.faults.iter().any(|kind| kind.arrangements.contains(&arrangement))
    }

    /// The faults, as they are written in names: `kill+pause`, or `none`.
    pub fn fault_names(&self) -> String {
        if self.faults.is_empty() {
            return "none".to_owned();
        }
        self.faults.iter().map(|kind| kind.name).collect::<Vec<_>>().join("+")
    }
}

/// A seed that is short enough to be typed.
pub(crate) fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0) % 1_000_000_000
}
