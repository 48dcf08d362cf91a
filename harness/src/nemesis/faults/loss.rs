//! Links that lose packets.

use rand_chacha::ChaCha8Rng;

use super::on_links::{LinkFault, Look, is_about, on_links, one_of, percent};
use crate::nemesis::fault::FaultKind;
use crate::platform::LinkConditions;

/// Lost packets.
pub const LOSS: FaultKind = FaultKind {
    name: "loss",
    about: "5 to 60 of 100 packets between nodes are lost. TCP repeats them, ever more slowly, so \
            connections stall for long. Finds time-outs and retries that are wrong.",
    help: "\
How: the harness' own switch carries the packets of the shaped links and drops some, each by itself, drawn from the seed. \
Segments are cut to the size of a packet before, as on a wire. Needs --platform namespaces --fabric nftables.
Drawn: 5%, 20%, 40% or 60%.
Links: all of the leader, those towards the leader, of one node, one link, one direction of it, all.
Seen to act: about as many probe packets are lost as should be, and afterwards all arrive.
Finds: requests that are repeated and applied twice, answers that are lost after the work was done, heartbeats that come too late \
although nobody is gone.
With --keep-quorum: all of them.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants: |situation| on_links(Loss, situation),
};

#[derive(Debug, Clone, Copy)]
struct Loss;

impl LinkFault for Loss {
    const NAME: &'static str = "loss";

    fn draw(self, rng: &mut ChaCha8Rng) -> LinkConditions {
        LinkConditions { loss: one_of(&[0.05, 0.2, 0.4, 0.6], rng), ..LinkConditions::NONE }
    }

    fn words(self, conditions: &LinkConditions) -> String {
        percent(conditions.loss)
    }

    fn look(self, conditions: &LinkConditions, look: &mut Look<'_>) -> Result<String, String> {
        let seen = look.sample(200)?;
        let lost = seen.sent - seen.arrived;
        let sentence = format!("{lost} of {} probes lost", seen.sent);
        let acts = lost > 0 && is_about(lost, seen.sent, conditions.loss);
        if acts { Ok(sentence) } else { Err(sentence) }
    }
}
