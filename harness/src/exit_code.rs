//! Exit codes of the `harness` binary.
//!
//! Where several hold, the first of this order is taken: [`INVALID`], [`HARNESS_FAILURE`],
//! [`UNKNOWN`], [`NOT_RECOVERED`], [`VALID`]. A found anomaly is never hidden by anything else,
//! and a harness failure is never taken for a verdict on the store.

/// Every check is valid and the system recovered.
pub const VALID: i32 = 0;
/// A check found a counterexample, or a node crashed by itself.
pub const INVALID: i32 = 1;
/// No check is invalid, but at least one could not decide, or the run proves nothing.
pub const UNKNOWN: i32 = 2;
/// Safe, but the system did not serve again within the bound after the last heal.
pub const NOT_RECOVERED: i32 = 3;
/// The command line, or a file named on it, cannot be used.
pub const BAD_USAGE: i32 = 254;
/// The harness itself failed: set-up, permissions, a bug of ours. Says nothing about the store.
pub const HARNESS_FAILURE: i32 = 255;
/// The second Ctrl-C: everything was abandoned at once.
pub const INTERRUPTED_TWICE: i32 = 130;

/// The code that wins where several hold; [`VALID`] if there are none.
///
/// Codes outside the order of this module (bad usage, Ctrl-C) end a run before it has results,
/// so they win over all.
pub fn worst(codes: impl IntoIterator<Item = i32>) -> i32 {
    fn rank(code: i32) -> u8 {
        match code {
            VALID => 0,
            NOT_RECOVERED => 1,
            UNKNOWN => 2,
            HARNESS_FAILURE => 3,
            INVALID => 4,
            _ => 5,
        }
    }
    codes.into_iter().max_by_key(|&code| rank(code)).unwrap_or(VALID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anomaly_wins_over_a_harness_failure_over_unknown_over_not_recovered() {
        let mut held = vec![VALID, NOT_RECOVERED, UNKNOWN, HARNESS_FAILURE, INVALID];
        for expected in [INVALID, HARNESS_FAILURE, UNKNOWN, NOT_RECOVERED, VALID] {
            assert_eq!(worst(held.iter().copied()), expected);
            held.pop();
        }
        assert_eq!(worst([]), VALID);
    }
}
