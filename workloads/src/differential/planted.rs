//! Synthetic histories: what is valid by construction, and what surely is not.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::tally::Tally;
use crate::checker::linearizable::Unlimited;
use crate::checker::{CheckOptions, checker};
use crate::synthetic::{BANK_TOTAL, SyntheticModel, SyntheticOptions, generate};

/// Judges a random history of a model, with or without something planted.
pub(super) fn random(model: &SyntheticModel, rng: &mut ChaCha8Rng, tally: &mut Tally) {
    let options = SyntheticOptions {
        operations: rng.random_range(4..60),
        concurrency: rng.random_range(1..6),
        crash_rate: [0.0, 0.05, 0.2][rng.random_range(0..3)],
        keys: rng.random_range(1..4),
        at: rng.random_range(0.0..1.0),
        seed: rng.random(),
    };
    let planted = rng.random_bool(0.5) && !model.violations.is_empty();
    let violation = planted.then(|| &model.violations[rng.random_range(0..model.violations.len())]);
    let Some((operations, what)) = generate(model, violation, &options) else { return };
    let info = checker(model.model, Some(model.property)).expect("the table has all models");
    let total = (model.model == "bank").then_some(BANK_TOTAL);
    let options = CheckOptions { witness: true, total, ..CheckOptions::default() };
    tally.case(violation.is_none());
    match (info.check)(&operations, &options, &Unlimited) {
        Ok(check) => {
            let way = what.map_or("the checker".to_owned(), |what| format!("planted: {what}; it"));
            tally.verdict(&way, &check, violation.is_none(), true, &operations);
            tally.evidence(&check, model.model, model.property, &options, &operations);
        }
        Err(error) => tally.disagree(&format!("it cannot be read: {error}"), &operations),
    }
}
