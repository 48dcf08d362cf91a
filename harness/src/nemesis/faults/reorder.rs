//! Links on which packets overtake each other.

use rand_chacha::ChaCha8Rng;

use super::on_links::{LinkFault, Look, on_links, one_of, percent};
use crate::nemesis::fault::FaultKind;
use crate::platform::LinkConditions;

/// Reordered packets.
pub const REORDER: FaultKind = FaultKind {
    name: "reorder",
    about: "5 to 50 of 100 packets between nodes are held back for 20 ms, so that those behind \
            overtake them. TCP puts them in order again, but takes them for lost at first.",
    help: "\
How: the harness' own switch carries the packets of the shaped links and holds some back for 20 ms, drawn from the seed. \
Needs --platform namespaces --fabric nftables.
Drawn: 5%, 20% or 50%.
Links: all of the leader, those towards the leader, of one node, one link, one direction of it, all.
Seen to act: probe packets arrive behind others that were sent after them; the switch counts what it held back.
Finds: messages on several connections or over UDP that are taken for the order in which they were sent; over one TCP \
connection only stalls.
With --keep-quorum: all of them.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants: |situation| on_links(Reorder, situation),
};

#[derive(Debug, Clone, Copy)]
struct Reorder;

impl LinkFault for Reorder {
    const NAME: &'static str = "reorder";

    fn draw(self, rng: &mut ChaCha8Rng) -> LinkConditions {
        LinkConditions { reordering: one_of(&[0.05, 0.2, 0.5], rng), ..LinkConditions::NONE }
    }

    fn words(self, conditions: &LinkConditions) -> String {
        percent(conditions.reordering)
    }

    fn look(self, _: &LinkConditions, look: &mut Look<'_>) -> Result<String, String> {
        let seen = look.sample(200)?;
        let sentence = format!("{} of {} probes were overtaken", seen.overtaken, seen.arrived);
        if seen.overtaken > 0 { Ok(sentence) } else { Err(sentence) }
    }
}
