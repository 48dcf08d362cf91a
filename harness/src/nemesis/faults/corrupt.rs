//! Links that change bits.

use rand_chacha::ChaCha8Rng;

use super::on_links::{LinkFault, Look, is_about, on_links, one_of, percent};
use crate::nemesis::fault::FaultKind;
use crate::platform::LinkConditions;

/// Corrupted packets.
pub const CORRUPT: FaultKind = FaultKind {
    name: "corrupt",
    about: "In 5 to 40 of 100 packets between nodes one bit is turned round. The receiver's kernel sees \
            the wrong checksum and drops the packet; TCP repeats it.",
    help: "\
How: the harness' own switch carries the packets of the shaped links and turns one random bit round behind the Ethernet header, drawn \
from the seed. Checksums are filled in before, so that every such packet is recognised: one bit never goes unseen. \
Needs --platform namespaces --fabric nftables.
Drawn: 5%, 20% or 40%.
Links: all of the leader, those towards the leader, of one node, one link, one direction of it, all.
Seen to act: about as many probe packets do not arrive as should not; the nodes' kernels count segments with a wrong checksum.
Finds: what loss finds. Damage that checksums miss is another fault, and not this one: it would break every store without checksums of \
its own.
With --keep-quorum: all of them.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants: |situation| on_links(Corrupt, situation),
};

#[derive(Debug, Clone, Copy)]
struct Corrupt;

impl LinkFault for Corrupt {
    const NAME: &'static str = "corrupt";

    fn draw(self, rng: &mut ChaCha8Rng) -> LinkConditions {
        LinkConditions { corruption: one_of(&[0.05, 0.2, 0.4], rng), ..LinkConditions::NONE }
    }

    fn words(self, conditions: &LinkConditions) -> String {
        percent(conditions.corruption)
    }

    fn look(self, conditions: &LinkConditions, look: &mut Look<'_>) -> Result<String, String> {
        let seen = look.sample(200)?;
        let damaged = seen.sent - seen.arrived;
        let sentence = format!("{damaged} of {} probes were damaged and dropped", seen.sent);
        let acts = damaged > 0 && is_about(damaged, seen.sent, conditions.corruption);
        if acts { Ok(sentence) } else { Err(sentence) }
    }
}
