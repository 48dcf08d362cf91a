//! Links that go and come again and again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::cut::choose_grudge;
use super::grudge::{Direction, PartitionShape};
use super::moving_cut::{Step, install_moving_cut};
use crate::nemesis::fault::{Fault, FaultKind, Situation};
use crate::nemesis::record::FaultRecord;
use crate::nemesis::surroundings::{Installed, Skipped, Surroundings};

/// How long a cut lasts, and how long it is away: around the time of an election.
const PHASE_MS: std::ops::Range<u64> = 100..1_200;

/// A partition that comes and goes.
pub const FLAPPING: FaultKind = FaultKind {
    name: "flapping",
    about: "A partition that comes and goes every tenth of a second to a second, as a cable with a \
            loose contact. Finds what only happens at the moment in which links come back.",
    help: "\
How: the same links are cut and restored again and again, each time for 0.1 to 1.2 s, drawn from the seed.
Seen to act: probes over every link when it is first cut and after it healed; steps and dropped packets are counted.
Variants: one node, the leader, or halves; both ways, or only to or from the smaller side.
Finds: elections that are won and lost at once, messages of an old term that arrive after all, back-off that grows \
without a limit, a leader that is deposed by a node that just came back.
With --keep-quorum: only shapes that leave some majority connected.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants,
};

#[derive(Debug)]
struct Flapping {
    shape: PartitionShape,
    direction: Direction,
}

fn variants(situation: Situation) -> Vec<Arc<dyn Fault>> {
    let mut shapes = Vec::new();
    if !situation.keep_quorum || situation.nodes > 2 {
        shapes.extend([PartitionShape::One, PartitionShape::Leader]);
    }
    if !situation.keep_quorum || situation.nodes % 2 == 1 {
        shapes.push(PartitionShape::Halves);
    }
    shapes
        .into_iter()
        .flat_map(|shape| {
            [Direction::Both, Direction::Incoming, Direction::Outgoing]
                .map(|direction| Arc::new(Flapping { shape, direction }) as Arc<dyn Fault>)
        })
        .collect()
}

impl Fault for Flapping {
    fn variant(&self) -> String {
        format!("{}, {}", self.shape, self.direction)
    }

    fn install(
        &self,
        surroundings: &Surroundings<'_>,
        rng: &mut ChaCha8Rng,
        record: &mut FaultRecord,
    ) -> Result<Installed, Skipped> {
        let Flapping { shape, direction } = *self;
        let grudge = choose_grudge("flapping", shape, direction, surroundings, rng, record)?;
        record.parameters = json!({ "shape": shape, "direction": direction });
        let mut phases = ChaCha8Rng::from_rng(rng);
        let links = grudge.links.clone();
        let steps = [grudge.links, BTreeSet::new()].into_iter().cycle().map(move |links| {
            let lasts = Duration::from_millis(phases.random_range(PHASE_MS));
            Step { links, lasts }
        });
        install_moving_cut(steps, links, surroundings, record)
    }
}
