//! Wall clocks that flip between two times.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::on_clocks::{ClockMotion, MILLISECOND, SECOND, on_clocks};
use crate::nemesis::fault::{Arrangement, FaultKind};
use crate::platform::{ClockSetting, Strobe};

/// Wall clocks that flip.
pub const CLOCK_STROBE: FaultKind = FaultKind {
    name: "clock-strobe",
    about: "the wall clocks of some nodes flip between the right time and another one every few \
            milliseconds. Finds durations that come out negative, and order by time stamps.",
    help: "\
How: as clock-jump, but the page adds an amount (200 ms to 10 s, forward or backward) in every second half of a period, and nothing in \
the other; it flips every 1 to 100 ms. The node computes it whenever it reads the clock: no thread has to keep up. Both are drawn for each node that is hit.
Seen to act: the node is asked what its wall clock shows until both times were seen; afterwards only the right one.
Finds: elapsed times that are negative or huge, waits for a time that was there already, generators of ids from time stamps that repeat.
With --keep-quorum: no difference, no node is lost.",
    nodes_min: 1,
    forgets: false,
    arrangements: &[Arrangement::Clock],
    variants: |situation| on_clocks(&[ClockStrobe], situation),
};

#[derive(Debug, Clone, Copy)]
struct ClockStrobe;

impl ClockMotion for ClockStrobe {
    const VERB: &'static str = "clock strobe";

    fn variant(self) -> &'static str {
        ""
    }

    fn draw(self, rng: &mut ChaCha8Rng) -> ClockSetting {
        let amount = rng.random_range(200 * MILLISECOND..10 * SECOND);
        let swing = if rng.random() { amount } else { -amount };
        let half_period = rng.random_range(MILLISECOND..=100 * MILLISECOND).unsigned_abs();
        let strobe = Some(Strobe { swing, half_period });
        ClockSetting { strobe, ..ClockSetting::TRUE }
    }
}
