//! Turns a monotonic clock into ticks.

use std::time::{Duration, Instant};

/// After a pause of the process, only so many of the missed ticks are delivered: the messages that
/// waited meanwhile must be seen before an election timeout passes.
pub(super) const CATCH_UP_TICKS_MAX: u32 = 3;

/// Counts ticks that are due.
#[derive(Debug)]
pub(super) struct Ticker {
    period: Duration,
    next: Instant,
}

impl Ticker {
    pub(super) fn new(period: Duration, now: Instant) -> Ticker {
        Ticker { period, next: now + period }
    }

    /// When the next tick is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// How many ticks are due now.
    pub(super) fn due(&mut self, now: Instant) -> u32 {
        let mut due = 0;
        while self.next <= now {
            due += 1;
            self.next += self.period;
            if due == CATCH_UP_TICKS_MAX {
                self.next = self.next.max(now + self.period);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(50);

    #[test]
    fn ticks_come_once_a_period() {
        let start = Instant::now();
        let mut ticker = Ticker::new(PERIOD, start);
        assert_eq!(ticker.due(start), 0);
        assert_eq!(ticker.due(start + PERIOD), 1);
        assert_eq!(ticker.due(start + PERIOD), 0);
        assert_eq!(ticker.due(start + PERIOD * 3), 2);
        assert_eq!(ticker.next(), start + PERIOD * 4);
    }

    #[test]
    fn a_long_pause_is_not_made_up_for() {
        let start = Instant::now();
        let mut ticker = Ticker::new(PERIOD, start);
        let resumed = start + Duration::from_secs(3600);
        assert_eq!(ticker.due(resumed), CATCH_UP_TICKS_MAX);
        assert_eq!(ticker.due(resumed), 0);
        assert_eq!(ticker.due(resumed + PERIOD), 1);
    }
}
