//! Connections that are dead, although neither end was told.

use rand_chacha::ChaCha8Rng;

use super::on_links::{LinkFault, Look, on_links};
use crate::nemesis::fault::FaultKind;
use crate::platform::{Connections, LinkConditions};
use crate::plural::counted;

/// Half-open connections.
pub const HALF_OPEN: FaultKind = FaultKind {
    name: "half-open",
    about: "Silently drops the packets of every TCP connection that is open when it begins, and carries \
            new ones: a firewall that lost its state. Finds connections that are used without a limit of time.",
    help: "\
How: the harness' own switch carries the packets of the shaped links, but of TCP connections only those that were opened since the fault \
began; no end is told. Other packets pass. When it heals, what is left of the old connections goes on. \
Needs --platform namespaces --fabric nftables.
Links: all of the leader, those towards the leader, of one node, one link, one direction of it, all. On one direction only, one end \
hears everything and is not heard.
Seen to act: segments of old connections were dropped, and meanwhile probe packets arrive.
Finds: connections without keep-alive or time-out, pools that keep handing out a dead connection, a leader that takes a peer for slow \
for ever, though a new connection would do.
With --keep-quorum: all of them.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants: |situation| on_links(HalfOpen, situation),
};

#[derive(Debug, Clone, Copy)]
struct HalfOpen;

impl LinkFault for HalfOpen {
    const NAME: &'static str = "half-open";

    fn draw(self, _: &mut ChaCha8Rng) -> LinkConditions {
        LinkConditions { connections: Connections::New, ..LinkConditions::NONE }
    }

    fn words(self, _: &LinkConditions) -> String {
        "old connections".to_owned()
    }

    fn look(self, _: &LinkConditions, look: &mut Look<'_>) -> Result<String, String> {
        let seen = look.sample(50)?;
        let dropped = look.await_counts(|counts| counts.carried.forgotten > 0).carried.forgotten;
        let sentence = format!(
            "{} of old connections dropped, {} of {} probes arrived",
            counted(dropped, "segment"),
            seen.arrived,
            seen.sent
        );
        if dropped > 0 && seen.arrived > 0 { Ok(sentence) } else { Err(sentence) }
    }
}
