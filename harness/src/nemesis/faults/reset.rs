//! Connections that are reset.

use rand_chacha::ChaCha8Rng;

use super::on_links::{LinkFault, Look, on_links, one_of, percent};
use crate::nemesis::fault::FaultKind;
use crate::platform::LinkConditions;
use crate::plural::counted;

/// TCP resets.
pub const RESET: FaultKind = FaultKind {
    name: "reset",
    about: "Resets TCP connections between nodes again and again: 1 to 20 of 100 segments are answered by \
            a reset to both ends. Finds requests in flight that are repeated, or forgotten.",
    help: "\
How: the harness' own switch carries the packets of the shaped links; instead of carrying a segment that was drawn from the seed, it sends \
a reset to both of its ends, as a firewall that rejects would. New connections can be made, and live until a segment of theirs is \
drawn. Needs --platform namespaces --fabric nftables.
Drawn: 1%, 5% or 20%.
Links: all of the leader, those towards the leader, of one node, one link, one direction of it, all.
Seen to act: the switch counts the segments that it answered, the kernels of the nodes the connections that they lost.
Finds: retries that apply a request twice, streams that lose what was in flight, messages that arrive on a new connection before older \
ones, connections that are never made again.
With --keep-quorum: all of them.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants: |situation| on_links(Reset, situation),
};

#[derive(Debug, Clone, Copy)]
struct Reset;

impl LinkFault for Reset {
    const NAME: &'static str = "reset";

    fn draw(self, rng: &mut ChaCha8Rng) -> LinkConditions {
        LinkConditions { resets: one_of(&[0.01, 0.05, 0.2], rng), ..LinkConditions::NONE }
    }

    fn words(self, conditions: &LinkConditions) -> String {
        format!("{} of segments", percent(conditions.resets))
    }

    fn look(self, _: &LinkConditions, look: &mut Look<'_>) -> Result<String, String> {
        // Nodes lose connections for other reasons too, such as an earlier fault.
        let counts =
            look.await_counts(|counts| counts.carried.reset > 0 && counts.connections_reset > 0);
        let (answered, lost) = (counts.carried.reset, counts.connections_reset);
        let (segments, connections) = (counted(answered, "segment"), counted(lost, "connection"));
        let sentence = format!("{segments} answered by resets, {connections} lost");
        if answered > 0 && lost > 0 { Ok(sentence) } else { Err(sentence) }
    }
}
