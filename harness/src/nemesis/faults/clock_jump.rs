//! Wall clocks that jump, and jump back at the end.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::on_clocks::{ClockMotion, MILLISECOND, SECOND, on_clocks};
use crate::nemesis::fault::{Arrangement, FaultKind};
use crate::platform::ClockSetting;

/// Steps of the wall clock.
pub const CLOCK_JUMP: FaultKind = FaultKind {
    name: "clock-jump",
    about: "the wall clocks of some nodes jump forward or backward by 100 ms to 4 h, and back when \
            the fault heals. Finds leases and timeouts that trust the wall clock.",
    help: "\
How: the kernel's vDSO was replaced in every node when it was started (ptrace, x86-64 only); the page that sets its clock is shared \
with the harness, which changes it at once, also in a running node. Each node that is hit gets an amount of its own: \
100 ms to 1 s, 1 s to 1 min, or 1 min to 4 h. CLOCK_MONOTONIC and timers are not moved, as when NTP or an administrator steps the clock. \
While clocks can be set, reading one costs a node a system call.
Seen to act: the node is asked what its wall clock shows, and the answer is compared with the harness's clock, within the time \
that the question took; asked and measured offsets are in the evidence. The same when the fault heals.
Finds: leases of leaders and of locks that are kept by the wall clock, last-write-wins, timeouts that end early or never, sessions that expire. \
A jump forward that heals is a jump backward.
Not moved: programs that a node's wrapper executes later (let a wrapper script `exec` the node), raw system calls, timestamps of files.
With --keep-quorum: no difference, no node is lost.",
    nodes_min: 1,
    forgets: false,
    arrangements: &[Arrangement::Clock],
    variants: |situation| on_clocks(&[ClockJump::Forward, ClockJump::Backward], situation),
};

/// Where to.
#[derive(Debug, Clone, Copy)]
enum ClockJump {
    Forward,
    Backward,
}

/// Amounts are drawn from each band as often: what breaks at an hour may not break at a second.
const BANDS: [std::ops::Range<i64>; 3] =
    [100 * MILLISECOND..SECOND, SECOND..60 * SECOND, 60 * SECOND..4 * 3600 * SECOND];

impl ClockMotion for ClockJump {
    const VERB: &'static str = "clock jump";

    fn variant(self) -> &'static str {
        match self {
            ClockJump::Forward => "forward",
            ClockJump::Backward => "backward",
        }
    }

    fn draw(self, rng: &mut ChaCha8Rng) -> ClockSetting {
        let band = BANDS.choose(rng).expect("there are three").clone();
        let amount = rng.random_range(band);
        let offset = match self {
            ClockJump::Forward => amount,
            ClockJump::Backward => -amount,
        };
        ClockSetting { offset, ..ClockSetting::TRUE }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn amounts_have_the_sign_that_was_asked_and_come_from_every_band() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for jump in [ClockJump::Forward, ClockJump::Backward] {
            let mut seen = [false; BANDS.len()];
            for _ in 0..100 {
                let offset = jump.draw(&mut rng).offset;
                assert_eq!(offset > 0, matches!(jump, ClockJump::Forward));
                let band = BANDS.iter().position(|band| band.contains(&offset.abs()));
                seen[band.expect("in a band")] = true;
            }
            assert_eq!(seen, [true; BANDS.len()]);
        }
    }
}
