//! Slow links.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::on_links::{LinkFault, Look, on_links, one_of};
use crate::nemesis::fault::FaultKind;
use crate::platform::{LinkConditions, Train};

/// What a busy machine may add to a measured delay.
const TOLERANCE: Duration = Duration::from_millis(100);

/// Delay and jitter.
pub const DELAY: FaultKind = FaultKind {
    name: "delay",
    about: "Packets between nodes take longer, by 10 to 400 ms each way, with jitter or without. Finds \
            what trusts that messages arrive soon, and answers that arrive after they have lost their meaning.",
    help: "\
How: the harness' own switch carries the packets of the shaped links and holds each for its time, in order; links that are not shaped \
stay in the kernel. No netem needed. Needs --platform namespaces --fabric nftables.
Drawn: a delay of 10, 50, 150 or 400 ms each way, and half of the time as much as half of it more or less.
Links: all of the leader, those towards the leader, of one node, one link, one direction of it, all.
Seen to act: the time of probe packets on each link, one way, while it lasts and afterwards.
Finds: answers of an old leader that arrive when there is a new one, reads confirmed by an acknowledgement that was on its way \
for long, time-outs shorter than a round trip, elections without end.
With --keep-quorum: all of them; a slow link is not a cut one.",
    nodes_min: 2,
    forgets: false,
    arrangements: &[],
    variants: |situation| on_links(Delay, situation),
};

#[derive(Debug, Clone, Copy)]
struct Delay;

impl LinkFault for Delay {
    const NAME: &'static str = "delay";

    fn draw(self, rng: &mut ChaCha8Rng) -> LinkConditions {
        let delay = Duration::from_millis(one_of(&[10, 50, 150, 400], rng));
        let jitter = one_of(&[Duration::ZERO, delay / 2], rng);
        LinkConditions { delay, jitter, ..LinkConditions::NONE }
    }

    fn words(self, conditions: &LinkConditions) -> String {
        let LinkConditions { delay, jitter, .. } = *conditions;
        if jitter.is_zero() {
            format!("{} ms", delay.as_millis())
        } else {
            format!("{} ± {} ms", delay.as_millis(), jitter.as_millis())
        }
    }

    fn look(self, conditions: &LinkConditions, look: &mut Look<'_>) -> Result<String, String> {
        let LinkConditions { delay, jitter, .. } = *conditions;
        let longest = delay + jitter + TOLERANCE;
        let spacing = Duration::from_millis(5);
        let measured =
            look.measure(Train { packets: 10, size: 100, spacing, patience: longest })?;
        let mut delays = Vec::new();
        for link in &measured {
            let (from, to) = (link.from, link.to);
            let Some(took) = link.delay else {
                return Err(format!("no probe from {from} arrived at {to} within {longest:?}"));
            };
            if took < delay - jitter || took > longest {
                return Err(format!("probes from {from} to {to} took {took:.1?}"));
            }
            delays.push(took);
        }
        let (least, most) = (delays.iter().min(), delays.iter().max());
        match (least, most) {
            (Some(least), Some(most)) if least != most => {
                Ok(format!("probes took {least:.1?} to {most:.1?} each way"))
            }
            _ => Ok(format!("probes took {:.1?}", most.copied().unwrap_or_default())),
        }
    }
}
