//! Wall clocks that run too fast or too slowly.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::on_clocks::{ClockMotion, on_clocks};
use crate::nemesis::fault::{Arrangement, FaultKind};
use crate::platform::ClockSetting;

/// Wrong rates of the wall clock.
pub const CLOCK_DRIFT: FaultKind = FaultKind {
    name: "clock-drift",
    about: "the wall clocks of some nodes run up to twice as fast or half as fast, and are right again \
            when the fault heals. Finds durations that are measured on the wall clock.",
    help: "\
How: as clock-jump, but the page gives the clock a rate: between 1.05 and 2 times (fast), or between 0.5 and 0.95 times (slow) that of real time, drawn for \
each node that is hit. When the fault heals the clock is right at once, which is a jump by what had added up.
Seen to act: the node is asked what its wall clock shows until it has moved further than the answer is uncertain, and again before \
it is healed, when minutes may have added up; then that it is right.
Finds: leases that last longer at their holder than at whoever grants them, rate limits, time stamps that order events of several nodes.
With --keep-quorum: no difference, no node is lost.",
    nodes_min: 1,
    forgets: false,
    arrangements: &[Arrangement::Clock],
    variants: |situation| on_clocks(&[ClockDrift::Fast, ClockDrift::Slow], situation),
};

/// Which way.
#[derive(Debug, Clone, Copy)]
enum ClockDrift {
    Fast,
    Slow,
}

impl ClockMotion for ClockDrift {
    const VERB: &'static str = "clock drift";

    fn variant(self) -> &'static str {
        match self {
            ClockDrift::Fast => "fast",
            ClockDrift::Slow => "slow",
        }
    }

    fn draw(self, rng: &mut ChaCha8Rng) -> ClockSetting {
        let drift_ppm = match self {
            ClockDrift::Fast => rng.random_range(50_000..=1_000_000),
            ClockDrift::Slow => -rng.random_range(50_000..=500_000),
        };
        ClockSetting { drift_ppm, ..ClockSetting::TRUE }
    }
}
