//! Any history through every checker, with little budget: none panics, and no evidence is wrong.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workloads::differential::{Tally, arbitrary, judge_by_all};

fuzz_target!(|bytes: &[u8]| {
    let mut tally = Tally::default();
    judge_by_all(&arbitrary(bytes), 16, &mut tally);
    assert_eq!(tally.disagreements, 0, "{:#?}", tally.told);
});
