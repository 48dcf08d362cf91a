//! Points in time of a run as text: seconds, with as many digits as tell them apart.
//!
//! Digits are cut off, never rounded, so that every text shows the same one for a moment.

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
    fn digits_are_cut_off() {
        assert_eq!(text(40_199_999_999, 3), "40.199 s");
        assert_eq!(text(40_000_330_000, 6), "40.000330 s");
        assert_eq!(text(1, 9), "0.000000001 s");
    }
}
