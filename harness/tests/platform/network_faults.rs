//! Every fault of the network, installed and healed among nodes that talk: seen to act, and to be over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::nemesis::fault::{FaultKind, Situation, fault_kind};
use harness::nemesis::plan::PlannedFault;
use harness::nemesis::record::{FaultOutcome, FaultRecord};
use harness::nemesis::{Action, Injector, NodeControl, Operator};
use harness::node_id::NodeId;
use harness::platform::{Platform, PlatformError, ProcessState};

use crate::common::witness::eventually;
use crate::scenario::{SILENCE, all_links};

const CUTS: &[&str] = &["partition", "partial", "flapping", "swizzle"];
const CONDITIONS: &[&str] =
    &["delay", "loss", "duplicate", "reorder", "corrupt", "bandwidth", "reset", "half-open"];

/// Those that cut other links while they last.
const MOVING: &[&str] = &["flapping", "swizzle"];

/// A cluster whose first node leads.
struct Talkers;

impl NodeControl for Talkers {
    fn leader(&self) -> Option<NodeId> {
        Some(NodeId(1))
    }

    fn restart(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        Err(PlatformError::Unsupported(format!("{node} is not killed here")))
    }

    fn restart_joining(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        self.restart(node)
    }

    fn wipe(&self, node: NodeId) -> Result<u64, PlatformError> {
        Err(PlatformError::Unsupported(format!("{node} has no data")))
    }

    fn serves(&self, _node: NodeId) -> bool {
        true
    }

    fn operator(&self) -> Option<&dyn Operator> {
        None
    }
}

/// The first and the last variant of each kind of cut.
pub(crate) fn cuts_are_seen(platform: Arc<dyn Platform>, nodes: u16) {
    perform(platform, nodes, CUTS, |record| {
        expect_installed(record);
        if MOVING.contains(&record.kind.as_str()) {
            assert!(record.parameters["steps"].as_u64() > Some(1), "{record:?}");
        }
    });
}

/// The first and the last variant of each kind of condition.
pub(crate) fn conditions_are_seen(platform: Arc<dyn Platform>, nodes: u16) {
    perform(platform, nodes, CONDITIONS, expect_installed);
}

/// Where packets are not carried by the fabric, conditions are skipped, and the reason says so.
pub(crate) fn conditions_are_skipped(platform: Arc<dyn Platform>, nodes: u16) {
    perform(platform, nodes, CONDITIONS, |record| {
        assert_eq!(record.outcome, FaultOutcome::Skipped, "{record:?}");
        assert!(record.reason.as_deref().is_some_and(|reason| reason.contains("hint: ")));
    });
}

fn expect_installed(record: &FaultRecord) {
    eprintln!("measured: {}: {}", record.description, record.evidence["summary"]);
    assert_eq!(record.outcome, FaultOutcome::Installed, "{record:?}");
    let healed = record.healed_time.expect("it was healed");
    assert!(record.installed_time.is_some_and(|installed| installed < healed));
}

/// Do packets arrive over every link?
fn all_arrive(platform: &dyn Platform) -> bool {
    let results = platform.fabric().probe(&all_links(), SILENCE).expect("probes");
    results.iter().all(|result| result.arrived > 0)
}

fn perform(platform: Arc<dyn Platform>, nodes: u16, kinds: &[&str], check: fn(&FaultRecord)) {
    let kinds: Vec<&'static FaultKind> =
        kinds.iter().map(|name| fault_kind(name).expect("it is in the table")).collect();
    let situation = Situation { nodes, keep_quorum: false };
    let plan: Vec<PlannedFault> = kinds
        .into_iter()
        .flat_map(|kind| {
            let variants = (kind.variants)(situation);
            let ends = [variants.first().cloned(), variants.last().cloned()];
            ends.into_iter().flatten().map(move |fault| PlannedFault {
                start: Duration::ZERO,
                stop: Duration::ZERO,
                kind,
                fault,
                seed: 11,
            })
        })
        .collect();
    let node_ids = (1..=nodes).map(NodeId).collect();
    let moving: Vec<bool> = plan.iter().map(|it| MOVING.contains(&it.kind.name)).collect();
    let control = Arc::new(Talkers);
    let mut injector =
        Injector::new(Arc::clone(&platform), control, node_ids, plan, Instant::now());
    for (index, moves) in moving.into_iter().enumerate() {
        let installed = injector.perform(Action::Install(index));
        if moves {
            eventually("all links are back by themselves", || all_arrive(&*platform));
        }
        let healed = injector.perform(Action::Heal(index));
        // One that was skipped has nothing to heal.
        check(healed.last().or(installed.last()).expect("every fault leaves a record"));
    }
}
