//! Links that deliver packets twice.

use rand_chacha::ChaCha8Rng;

use super::on_links::{LinkFault, Look, is_about, on_links, one_of, percent};
use crate::nemesis::fault::FaultKind;
use crate::platform::LinkConditions;

/// Duplicated packets.
pub const DUPLICATE: FaultKind = FaultKind {
    name: "duplicate",
    about: "10 to 90 of 100 packets between nodes arrive twice. TCP hides it from stores that use TCP; \
            those with protocols of their own over UDP must do so themselves.",
    help: "\
How: the harness' own switch carries the packets of the shaped links and sends some of them twice, drawn from the seed. \
Needs --platform namespaces --fabric nftables.
Drawn: 10%, 50% or 90%.
Links: all of the leader, those towards the leader, of one node, one link, one direction of it, all.
Seen to act: about as many probe packets arrive twice as should, and afterwards none does.
Finds: protocols over UDP that count a vote or apply a message twice. Over TCP it costs bandwidth and acknowledgements only, \
and a store that shows an anomaly under it has another defect too.
With --keep-quorum: all of them.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants: |situation| on_links(Duplicate, situation),
};

#[derive(Debug, Clone, Copy)]
struct Duplicate;

impl LinkFault for Duplicate {
    const NAME: &'static str = "duplicate";

    fn draw(self, rng: &mut ChaCha8Rng) -> LinkConditions {
        LinkConditions { duplication: one_of(&[0.1, 0.5, 0.9], rng), ..LinkConditions::NONE }
    }

    fn words(self, conditions: &LinkConditions) -> String {
        percent(conditions.duplication)
    }

    fn look(self, conditions: &LinkConditions, look: &mut Look<'_>) -> Result<String, String> {
        let seen = look.sample(200)?;
        let sentence = format!("{} of {} probes arrived twice", seen.duplicates, seen.arrived);
        let acts =
            seen.duplicates > 0 && is_about(seen.duplicates, seen.arrived, conditions.duplication);
        if acts { Ok(sentence) } else { Err(sentence) }
    }
}
