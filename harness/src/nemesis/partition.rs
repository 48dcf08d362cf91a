//! Partitions: cut links, and look whether packets really stop.

use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::grudge::{Direction, PartitionShape, grudge};
use super::record::FaultRecord;
use super::surroundings::{PROBE_PATIENCE, Seen, Surroundings};
use crate::platform::{Link, ProbeResult};

/// A partition in force.
pub(super) struct Partition {
    links: BTreeSet<Link>,
    dropped_before: Option<u64>,
}

impl Partition {
    /// Cuts the links of the shape and probes all links.
    pub(super) fn install(
        shape: PartitionShape,
        direction: Direction,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> (Option<Partition>, Seen) {
        let leader = match shape {
            PartitionShape::Leader => surroundings.control.leader(),
            _ => None,
        };
        record.description = format!("partition: {shape}");
        let grudge = match grudge(shape, direction, surroundings.nodes, leader, rng) {
            Ok(grudge) => grudge,
            Err(error) => return (None, Seen::Skipped { reason: error.to_string() }),
        };
        record.description = format!("partition: {}", grudge.description);
        record.targets.clone_from(&grudge.targets);
        record.parameters = json!({
            "shape": shape,
            "direction": direction,
            "links": grudge.links.iter().map(|(a, b)| format!("{a}->{b}")).collect::<Vec<_>>(),
        });
        let fabric = surroundings.platform.fabric();
        let dropped_before = fabric.dropped();
        if let Err(error) = fabric.cut(&grudge.links) {
            return (None, Seen::Skipped { reason: error.to_string() });
        }
        record.installed_time = Some(surroundings.now());
        let partition = Partition { links: grudge.links, dropped_before };
        let seen = partition.probe_cut(surroundings);
        (Some(partition), seen)
    }

    /// Heals all links and probes them.
    pub(super) fn heal(self, surroundings: &Surroundings<'_>, record: &mut FaultRecord) -> Seen {
        let fabric = surroundings.platform.fabric();
        let dropped = match (fabric.dropped(), self.dropped_before) {
            (Some(after), Some(before)) => Some(after.saturating_sub(before)),
            _ => None,
        };
        let healed = fabric.heal();
        record.healed_time = Some(surroundings.now());
        if let Err(error) = healed {
            let reason = format!("heal the partition: {error}");
            record.heal_failure = Some(reason.clone());
            return Seen::Unclear { reason, evidence: json!({}) };
        }
        let links: Vec<Link> = self.links.iter().copied().collect();
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
            let reason =
                format!("after the heal nothing arrived from {} at {}", probe.from, probe.to);
            return Seen::Unclear { reason, evidence };
        }
        let packets = match dropped {
            Some(dropped) => format!("{dropped} packets dropped meanwhile, "),
            None => String::new(),
        };
        let summary = format!("{packets}after the heal {arrived} of {sent} probes arrived");
        Seen::Yes { evidence, summary }
    }

    fn probe_cut(&self, surroundings: &Surroundings<'_>) -> Seen {
        let nodes = surroundings.nodes;
        let cut: Vec<Link> = self.links.iter().copied().collect();
        let open: Vec<Link> = nodes
            .iter()
            .flat_map(|&a| nodes.iter().filter(move |&&b| a != b).map(move |&b| (a, b)))
            .filter(|link| !self.links.contains(link))
            .collect();
        // Apart, because probes of cut links wait for all of their patience.
        let fabric = surroundings.platform.fabric();
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
        let evidence = json!({
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
}

fn totals(probes: &[ProbeResult]) -> (u32, u32) {
    (probes.iter().map(|probe| probe.sent).sum(), probes.iter().map(|probe| probe.arrived).sum())
}
