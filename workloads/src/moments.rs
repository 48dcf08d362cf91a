//! Times of a run as text: points in time in seconds, with as many digits as tell them apart, and durations.
//!
//! Digits of points in time are cut off, never rounded, so that every text shows the same for a moment.

/// How many digits behind the point tell these moments (ns) apart: 3, 6 or 9.
pub fn digits(moments: impl IntoIterator<Item = u64>) -> usize {
    let mut moments: Vec<u64> = moments.into_iter().collect();
    moments.sort_unstable();
    moments.dedup();
    let tells_apart = |&digits: &usize| {
        let unit = unit(digits);
        moments.windows(2).all(|two| two[0] / unit != two[1] / unit)
    };
    [3, 6].into_iter().find(tells_apart).unwrap_or(9)
}

/// A moment (ns), such as `0.000330 s` with six digits. There are at most nine.
pub fn text(moment: u64, digits: usize) -> String {
    let fraction = moment % 1_000_000_000 / unit(digits);
    format!("{}.{fraction:0digits$} s", moment / 1_000_000_000)
}

/// Nanoseconds with three significant digits: `850 ns`, `1.24 ms`, `12.3 s`, `2 min 05 s`.
pub fn duration(ns: u64) -> String {
    const UNITS: [(&str, f64); 4] = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    if ns >= 120_000_000_000 {
        let seconds = (ns + 500_000_000) / 1_000_000_000;
        return format!("{} min {:02} s", seconds / 60, seconds % 60);
    }
    let (unit, scale) =
        UNITS.into_iter().rev().find(|(_, scale)| ns as f64 >= *scale).unwrap_or(("ns", 1.0));
    let number = ns as f64 / scale;
    let digits = match number {
        n if unit == "ns" || n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{number:.digits$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

/// The nanoseconds of the last digit.
fn unit(digits: usize) -> u64 {
    10_u64.pow(9_u32.saturating_sub(digits as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_digits_as_tell_moments_apart() {
        assert_eq!(digits([]), 3);
        assert_eq!(digits([5, 5]), 3);
        assert_eq!(digits([40_199_900_000, 40_200_100_000]), 3);
        assert_eq!(digits([40_199_100_000, 40_199_900_000]), 6);
        assert_eq!(digits([40_199_100_000, 40_199_100_001]), 9);
    }

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        for (ns, text) in [
            (0, "0 ns"),
            (850, "850 ns"),
            (1_240_000, "1.24 ms"),
            (2_000_000, "2 ms"),
            (100_000_000, "100 ms"),
            (12_340_000_000, "12.3 s"),
            (60_000_000_000, "60 s"),
            (125_000_000_000, "2 min 05 s"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }

    #[test]
    fn digits_are_cut_off() {
        assert_eq!(text(40_199_999_999, 3), "40.199 s");
        assert_eq!(text(40_000_330_000, 6), "40.000330 s");
        assert_eq!(text(1, 9), "0.000000001 s");
    }
}
