//! The table of campaigns.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::arbitrary::{arbitrary, judge_by_all};
use super::objects::{Asked, SUBJECTS, Subject};
use super::planted;
use super::tally::Tally;
use super::transactions::{ISOLATION, Isolation};
use crate::history::Operation;
use crate::synthetic::{SYNTHETIC, SyntheticModel};

/// Something to compare.
#[derive(Clone, Copy)]
enum What {
    Object(&'static Subject, Asked),
    Isolation(&'static Isolation),
    Planted(&'static SyntheticModel),
    Anything,
}

/// Histories of one kind, judged in two ways.
#[derive(Clone, Copy)]
pub struct Campaign(What);

/// All campaigns.
pub fn campaigns() -> Vec<Campaign> {
    let linearizable = SUBJECTS.iter().map(|it| What::Object(it, Asked::Linearizable));
    let ordered = SUBJECTS.iter().filter(|it| !it.sequential.is_empty());
    let sequential = ordered.clone().map(|it| What::Object(it, Asked::Sequential));
    let weaker = ordered.map(|it| What::Object(it, Asked::Weaker));
    let isolation = ISOLATION.iter().map(What::Isolation);
    let planted = SYNTHETIC.iter().map(What::Planted);
    linearizable
        .chain(sequential)
        .chain(weaker)
        .chain(isolation)
        .chain(planted)
        .chain([What::Anything])
        .map(Campaign)
        .collect()
}

impl Campaign {
    /// What is judged, such as `register`.
    pub fn subject(&self) -> &'static str {
        match self.0 {
            What::Object(subject, _) => subject.name,
            What::Isolation(isolation) => isolation.model,
            What::Planted(model) => model.model,
            What::Anything => "any history",
        }
    }

    /// The property, such as `linearizable`.
    pub fn property(&self) -> &'static str {
        match self.0 {
            What::Object(_, asked) => asked.name(),
            What::Isolation(isolation) => isolation.property,
            What::Planted(model) => model.property,
            What::Anything => "every property",
        }
    }

    /// What it is compared with.
    pub fn against(&self) -> &'static str {
        match self.0 {
            What::Object(..) => "all orders",
            What::Isolation(isolation) if isolation.property == "all levels" => "the lattice",
            What::Isolation(_) => "definition",
            What::Planted(_) => "what was planted",
            What::Anything => "no panic, nothing refuted",
        }
    }

    /// Compares all histories of a small size, and says which; none if there is no such set.
    pub fn exhaustive(&self) -> Option<(Tally, String)> {
        let mut tally = Tally::default();
        let size = match self.0 {
            What::Object(_, Asked::Weaker) | What::Planted(_) | What::Anything => return None,
            What::Object(subject, asked) => subject.all(asked, &mut tally),
            What::Isolation(isolation) => isolation.all(&mut tally),
        };
        Some((tally, size))
    }

    /// Compares one random history; the same seed gives the same.
    pub fn random(&self, seed: u64, tally: &mut Tally) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        match self.0 {
            What::Object(subject, asked) => subject.random(asked, &mut rng, tally),
            What::Isolation(isolation) => isolation.random(&mut rng, tally),
            What::Planted(model) => planted::random(model, &mut rng, tally),
            What::Anything => {
                let bytes: [u8; 256] = std::array::from_fn(|_| rng.random());
                judge_by_all(&arbitrary(&bytes), rng.random_range(1..32), tally);
            }
        }
    }

    /// Shows all histories of a small size to others, and says which these are; none if there are none.
    pub fn each_small(&self, visit: &mut dyn FnMut(&[Operation])) -> Option<String> {
        match self.0 {
            What::Object(_, Asked::Weaker) => None,
            What::Object(subject, asked) => Some(subject.each_small(asked, visit)),
            What::Isolation(_) | What::Planted(_) | What::Anything => None,
        }
    }

    /// The random history of a seed, for others to judge; none if there are no such histories.
    pub fn history(&self, seed: u64) -> Option<Vec<Operation>> {
        match self.0 {
            What::Object(subject, _) => Some(subject.history(&mut ChaCha8Rng::seed_from_u64(seed))),
            What::Isolation(_) | What::Planted(_) | What::Anything => None,
        }
    }
}
