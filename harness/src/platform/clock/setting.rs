//! What a clock shows instead of the real time. Pure.

use serde::Serialize;

/// How a clock deviates from real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ClockSetting {
    /// Nanoseconds ahead of real time; negative if behind.
    #[serde(rename = "offset_ns")]
    pub offset: i64,
    /// How much faster than real time it runs, in millionths; -500000 is half as fast.
    pub drift_ppm: i64,
    /// A second deviation that comes and goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strobe: Option<Strobe>,
}

/// Flips between two offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Strobe {
    /// Nanoseconds that are added in every second half of a period.
    #[serde(rename = "swing_ns")]
    pub swing: i64,
    /// Nanoseconds until it flips.
    #[serde(rename = "half_period_ns")]
    pub half_period: u64,
}

impl ClockSetting {
    /// No deviation.
    pub const TRUE: ClockSetting = ClockSetting { offset: 0, drift_ppm: 0, strobe: None };

    /// What the page holds for the drift: 2^-32 nanoseconds a nanosecond.
    pub(super) fn drift_fixed_point(self) -> i64 {
        let drift = (i128::from(self.drift_ppm) << 32) / 1_000_000;
        i64::try_from(drift).unwrap_or(i64::MAX)
    }

    /// The offsets that a clock may show `elapsed` nanoseconds after it was set so: one, or two if
    /// it strobes.
    pub(crate) fn offsets(self, elapsed: i64) -> Vec<i64> {
        let drifted = (i128::from(elapsed) * i128::from(self.drift_fixed_point())) >> 32;
        let steady = self.offset + i64::try_from(drifted).unwrap_or(i64::MAX);
        let swung = self.strobe.map(|strobe| steady + strobe.swing);
        std::iter::once(steady).chain(swung).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_true_clock_is_never_off() {
        assert_eq!(ClockSetting::TRUE.offsets(0), [0]);
        assert_eq!(ClockSetting::TRUE.offsets(3600 * SECOND), [0]);
    }

    #[test]
    fn a_drift_grows_with_time_and_keeps_its_offset() {
        let slow = ClockSetting { offset: SECOND, drift_ppm: -500_000, strobe: None };
        assert_eq!(slow.offsets(0), [SECOND]);
        assert_eq!(slow.offsets(4 * SECOND), [-SECOND]);
        let fast = ClockSetting { drift_ppm: 1_000_000, ..ClockSetting::TRUE };
        assert_eq!(fast.offsets(4 * SECOND), [4 * SECOND]);
    }

    #[test]
    fn a_strobe_has_two_offsets() {
        let strobe = Some(Strobe { swing: -300, half_period: 7 });
        let setting = ClockSetting { offset: 100, strobe, ..ClockSetting::TRUE };
        assert_eq!(setting.offsets(SECOND), [100, -200]);
    }
}
