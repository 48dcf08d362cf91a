//! Links that are too narrow.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::on_links::{LinkFault, Look, on_links, one_of};
use crate::nemesis::fault::FaultKind;
use crate::platform::{LinkConditions, Train};

/// A burst that takes some time at every rate that is drawn.
const BURST: Train = Train {
    packets: 40,
    size: 1_000,
    spacing: Duration::ZERO,
    patience: Duration::from_millis(600),
};

/// How much faster than asked probes may seem; a link without a limit is a hundred times as fast.
const TOLERANCE: u64 = 4;

/// Limited bandwidth.
pub const BANDWIDTH: FaultKind = FaultKind {
    name: "bandwidth",
    about: "Each link between nodes carries only 0.25 to 4 Mbit/s, with a short queue. Finds followers \
            that never catch up, and queues without a limit.",
    help: "\
How: the harness' own switch carries the packets of the shaped links at the rate asked for, each direction of a link by itself; at most \
200 ms of packets wait, the rest is lost. Needs --platform namespaces --fabric nftables.
Drawn: 256 kbit/s, 1 Mbit/s or 4 Mbit/s.
Links: all of the leader, those towards the leader, of one node, one link, one direction of it, all.
Seen to act: a burst of probe packets arrives no faster than that.
Finds: followers that fall behind for ever, snapshots that are sent again from their beginning, heartbeats that wait behind data, queues in \
memory that grow. Together with --snapshot-entries 50 a narrow node is sent snapshots.
With --keep-quorum: all of them.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants: |situation| on_links(Bandwidth, situation),
};

#[derive(Debug, Clone, Copy)]
struct Bandwidth;

impl LinkFault for Bandwidth {
    const NAME: &'static str = "bandwidth";

    fn draw(self, rng: &mut ChaCha8Rng) -> LinkConditions {
        let rate = one_of(&[256_000, 1_000_000, 4_000_000], rng);
        LinkConditions { rate: Some(rate), ..LinkConditions::NONE }
    }

    fn words(self, conditions: &LinkConditions) -> String {
        rate(conditions.rate.unwrap_or(0))
    }

    fn look(self, conditions: &LinkConditions, look: &mut Look<'_>) -> Result<String, String> {
        let asked = conditions.rate.unwrap_or(0);
        let mut fastest = 0;
        for link in look.measure(BURST)? {
            let (from, to) = (link.from, link.to);
            let Some(seen) = link.rate.filter(|_| link.arrived > 2) else {
                return Err(format!("{} probes from {from} arrived at {to}", link.arrived));
            };
            // A busy machine fetches packets late and then in one go, which looks fast.
            if seen > asked * TOLERANCE {
                return Err(format!("probes from {from} to {to} came at {}", rate(seen)));
            }
            fastest = fastest.max(seen);
        }
        Ok(format!("probes came at {} at most", rate(fastest)))
    }
}

/// `256 kbit/s`.
fn rate(bits_per_second: u64) -> String {
    format!("{} kbit/s", bits_per_second / 1000)
}
