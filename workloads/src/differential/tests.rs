//! A little of each campaign; `examples/differential.rs` runs as much as one likes.

use super::{Tally, campaigns};

#[test]
fn nobody_is_wrong_on_random_histories() {
    for campaign in campaigns() {
        let mut tally = Tally::default();
        for seed in 0..120 {
            campaign.random(seed, &mut tally);
        }
        let what = format!("{} {}", campaign.subject(), campaign.property());
        assert_eq!(tally.disagreements, 0, "{what}: {}", tally.told.join("\n"));
        assert!(tally.holds > 0, "{what}: {tally:?}");
    }
}

#[test]
fn a_wrong_verdict_is_told() {
    use crate::checker::{Check, Verdict};

    let mut tally = Tally::default();
    let check = |verdict| Check::new("linearizable", verdict, "so it is".to_owned());
    tally.verdict("search", &check(Verdict::Valid), false, true, &[]);
    tally.verdict("search", &check(Verdict::Invalid), true, true, &[]);
    tally.verdict("search", &check(Verdict::Unknown), true, true, &[]);
    tally.verdict("search", &check(Verdict::Valid), false, false, &[]);
    assert_eq!((tally.disagreements, tally.open), (2, 2));
    assert_eq!(tally.told[0], "search says Valid: so it is");
}
