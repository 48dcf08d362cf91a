//! Links that are cut: look whether packets really stop, and whether they flow again.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::grudge::{Direction, Grudge, GrudgeError, PartitionShape, grudge};
use crate::nemesis::fault::ActiveFault;
use crate::nemesis::network::NetworkClaim;
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, PROBE_PATIENCE, Seen, Skipped, Surroundings};
use crate::node_id::NodeId;
use crate::platform::{Link, ProbeResult};

/// Cuts links until the fault heals.
pub(super) fn install_cut(
    links: BTreeSet<Link>,
    surroundings: &Surroundings<'_>,
    record: &mut FaultRecord,
) -> Result<Installed, Skipped> {
    let claim = surroundings.network.claim();
    let dropped_before = claim.fabric().dropped();
    claim.cut(&links)?;
    record.installed_time = Some(surroundings.now());
    let seen = probe_cut(&claim, &links, surroundings.nodes);
    Ok(Installed::new(Cut { claim, links, dropped_before }, seen))
}

/// Draws a grudge and writes into the record what is to be done to which nodes.
///
/// # Errors
/// Why there is none; the record says what was to be done all the same.
pub(super) fn choose_grudge(
    what: &str,
    shape: PartitionShape,
    direction: Direction,
    surroundings: &Surroundings<'_>,
    rng: &mut ChaCha8Rng,
    record: &mut FaultRecord,
) -> Result<Grudge, GrudgeError> {
    record.description = format!("{what}: {shape}");
    let leader = match shape {
        PartitionShape::Leader => surroundings.control.leader(),
        _ => None,
    };
    let grudge = grudge(shape, direction, surroundings.nodes, leader, rng)?;
    record.description = format!("{what}: {}", grudge.description);
    record.targets.clone_from(&grudge.targets);
    Ok(grudge)
}

/// Such as `n1->n2`, for the record.
pub(super) fn link_names<'a>(links: impl IntoIterator<Item = &'a Link>) -> Vec<String> {
    links.into_iter().map(|(from, to)| format!("{from}->{to}")).collect()
}

/// Every link between these nodes.
pub(super) fn all_links(nodes: &[NodeId]) -> impl Iterator<Item = Link> {
    nodes.iter().flat_map(|&a| nodes.iter().filter(move |&&b| a != b).map(move |&b| (a, b)))
}

/// The links from and to a node.
pub(super) fn links_of(node: NodeId, nodes: &[NodeId]) -> impl Iterator<Item = Link> {
    all_links(nodes).filter(move |&(from, to)| from == node || to == node)
}

/// Links that are cut.
struct Cut {
    claim: NetworkClaim,
    links: BTreeSet<Link>,
    dropped_before: Option<u64>,
}

impl ActiveFault for Cut {
    fn heal(self: Box<Self>, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        heal_cut(&self.claim, &self.links, self.dropped_before, surroundings, record)
    }
}

/// Releases a claim that has cut these links at some time, and looks whether packets flow over them.
pub(super) fn heal_cut(
    claim: &NetworkClaim,
    links: &BTreeSet<Link>,
    dropped_before: Option<u64>,
    surroundings: &Surroundings<'_>,
    record: &mut FaultRecord,
) -> Seen {
    let fabric = claim.fabric();
    let dropped = match (fabric.dropped(), dropped_before) {
        (Some(after), Some(before)) => Some(after.saturating_sub(before)),
        _ => None,
    };
    let healed = claim.release();
    record.healed_time = Some(surroundings.now());
    if let Err(error) = healed {
        let reason = format!("heal the cut: {error}");
        record.heal_failure = Some(reason.clone());
        return Seen::Unclear { reason, evidence: json!({}) };
    }
    let links = claim.alone_on(links.iter().copied());
    let probes = match fabric.probe(&links, PROBE_PATIENCE) {
        Ok(probes) => probes,
        Err(error) => {
            let reason = format!("probe the healed links: {error}");
            return Seen::Unclear { reason, evidence: json!({}) };
        }
    };
    let (sent, arrived) = totals(&probes);
    let evidence =
        json!({ "probes_sent": sent, "probes_arrived": arrived, "packets_dropped": dropped });
    let silent: Vec<&ProbeResult> = probes.iter().filter(|probe| probe.arrived == 0).collect();
    if let Some(probe) = silent.first() {
        let reason = format!("after the heal nothing arrived from {} at {}", probe.from, probe.to);
        return Seen::Unclear { reason, evidence };
    }
    let packets = match dropped {
        Some(dropped) => format!("{dropped} packets dropped meanwhile, "),
        None => String::new(),
    };
    let summary = format!("{packets}after the heal {arrived} of {sent} probes arrived");
    Seen::Yes { evidence, summary }
}

/// Probes all links, cut or not.
pub(super) fn probe_cut(claim: &NetworkClaim, links: &BTreeSet<Link>, nodes: &[NodeId]) -> Seen {
    let cut: Vec<Link> = links.iter().copied().collect();
    let open = claim.alone_on(all_links(nodes).filter(|link| !links.contains(link)));
    // Apart, because probes of cut links wait for all of their patience.
    let fabric = claim.fabric();
    let probed = fabric
        .probe(&cut, PROBE_PATIENCE)
        .and_then(|cut_probes| Ok((cut_probes, fabric.probe(&open, PROBE_PATIENCE)?)));
    let (cut_probes, open_probes) = match probed {
        Ok(probes) => probes,
        Err(error) => {
            let reason = format!("probe the cut links: {error}");
            return Seen::Unclear { reason, evidence: json!({}) };
        }
    };
    let (cut_sent, cut_arrived) = totals(&cut_probes);
    let (open_sent, open_arrived) = totals(&open_probes);
    let evidence: Value = json!({
        "cut_links": cut.len(),
        "cut_probes_sent": cut_sent,
        "cut_probes_arrived": cut_arrived,
        "open_links": open.len(),
        "open_probes_sent": open_sent,
        "open_probes_arrived": open_arrived,
    });
    if cut_arrived > 0 {
        let reason = format!("{cut_arrived} of {cut_sent} probes still arrived over cut links");
        return Seen::Unclear { reason, evidence };
    }
    let others = match open.len() {
        0 => String::new(),
        _ => format!(", {open_arrived} of {open_sent} arrived over the other links"),
    };
    let summary = format!(
        "{} cut: {cut_sent} of {cut_sent} probes lost{others}",
        crate::plural::counted(cut.len() as u64, "link"),
    );
    Seen::Yes { evidence, summary }
}

fn totals(probes: &[ProbeResult]) -> (u32, u32) {
    (probes.iter().map(|probe| probe.sent).sum(), probes.iter().map(|probe| probe.arrived).sum())
}
