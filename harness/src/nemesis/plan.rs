//! Which faults happen when: a pure function of the options and the seed.

use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fault::{Fault, FaultKind, Situation};

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// The kinds asked for, without repetition.
    pub kinds: Vec<&'static FaultKind>,
    /// From the start of one fault to the start of the next.
    pub interval: Duration,
    /// When the run ends; every fault is healed before.
    pub time_limit: Duration,
    /// Nodes in the cluster.
    pub nodes: u16,
    /// Never leave fewer than a majority of nodes connected and running.
    pub keep_quorum: bool,
    /// What repeats the plan.
    pub seed: u64,
}

/// A fault that will happen. Times count from the start of the run.
#[derive(Debug, Clone)]
pub struct PlannedFault {
    /// When it is installed.
    pub start: Duration,
    /// When it is healed.
    pub stop: Duration,
    /// Its kind.
    pub kind: &'static FaultKind,
    /// Which of the kind's variants.
    pub fault: Arc<dyn Fault>,
    /// What it draws its targets from: nothing else does, so that other faults may be left out.
    pub seed: u64,
}

/// Time before the first fault, so that there is a quiet baseline; and after the last.
pub const LEAD_IN: Duration = Duration::from_secs(3);
const LEAD_OUT: Duration = Duration::from_secs(2);
/// What a run needs besides one interval to hold a fault.
pub const MARGIN: Duration = Duration::from_secs(5);
/// Chance that a window holds faults of two kinds at once, where more than one kind is asked for.
const DOUBLE_FAULT_PROBABILITY: f64 = 0.25;

/// Draws the faults of a run, by start time.
pub fn plan(options: &PlanOptions) -> Vec<PlannedFault> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut decks: Vec<Deck> = options.kinds.iter().map(|&kind| Deck::new(kind, options)).collect();
    let mut kinds = KindDeck { kinds: (0..decks.len()).collect(), left: Vec::new() };
    let mut faults = Vec::new();
    if decks.is_empty() {
        return faults;
    }
    let mut start = LEAD_IN;
    // Half of the interval is fault, half is recovery; jitter keeps it off any period of the system.
    let on = options.interval.mul_f64(0.55);
    while start + on + LEAD_OUT <= options.time_limit {
        let jitter = options.interval.mul_f64(rng.random_range(0.0..0.1));
        let begin = start + jitter;
        let length = on.mul_f64(rng.random_range(0.75..1.0));
        let first = kinds.draw(&mut rng);
        let draw = |deck: &mut Deck, rng: &mut ChaCha8Rng| PlannedFault {
            start: begin,
            stop: begin + length,
            kind: deck.kind,
            fault: deck.draw(rng),
            seed: rng.random(),
        };
        faults.push(draw(&mut decks[first], &mut rng));
        // Two faults may together take the quorum, so that is left out if a quorum must stay.
        if decks.len() > 1 && !options.keep_quorum && rng.random_bool(DOUBLE_FAULT_PROBABILITY) {
            let second = (first + rng.random_range(1..decks.len())) % decks.len();
            faults.push(draw(&mut decks[second], &mut rng));
        }
        start += options.interval;
    }
    faults
}

/// Kinds in random order, each before any comes again.
struct KindDeck {
    kinds: Vec<usize>,
    left: Vec<usize>,
}

impl KindDeck {
    fn draw(&mut self, rng: &mut ChaCha8Rng) -> usize {
        if self.left.is_empty() {
            self.left = self.kinds.clone();
            self.left.shuffle(rng);
        }
        self.left.pop().expect("the deck was just filled")
    }
}

/// The variants of one kind in random order, each before any comes again.
struct Deck {
    kind: &'static FaultKind,
    variants: Vec<Arc<dyn Fault>>,
    left: Vec<Arc<dyn Fault>>,
}

impl Deck {
    fn new(kind: &'static FaultKind, options: &PlanOptions) -> Deck {
        let situation = Situation { nodes: options.nodes, keep_quorum: options.keep_quorum };
        Deck { kind, variants: (kind.variants)(situation), left: Vec::new() }
    }

    fn draw(&mut self, rng: &mut ChaCha8Rng) -> Arc<dyn Fault> {
        if self.left.is_empty() {
            self.left = self.variants.clone();
            self.left.shuffle(rng);
        }
        self.left.pop().expect("every kind has at least one variant")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nemesis::faults::{KILL, PARTITION, PAUSE};

    fn options() -> PlanOptions {
        PlanOptions {
            kinds: vec![&PARTITION],
            interval: Duration::from_secs(9),
            time_limit: Duration::from_secs(60),
            nodes: 5,
            keep_quorum: false,
            seed: 7,
        }
    }

    #[test]
    fn the_default_minute_holds_at_least_five_partitions() {
        for seed in 0..100 {
            let faults = plan(&PlanOptions { seed, ..options() });
            assert!(faults.len() >= 5, "seed {seed}: {} faults", faults.len());
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_plan() {
        let written = |options: &PlanOptions| format!("{:?}", plan(options));
        assert_eq!(written(&options()), written(&options()));
        assert_ne!(written(&options()), written(&PlanOptions { seed: 8, ..options() }));
    }

    #[test]
    fn every_fault_is_healed_before_the_end_and_kinds_do_not_overlap_themselves() {
        let kinds = vec![&PARTITION, &KILL, &PAUSE];
        let time_limit = Duration::from_secs(180);
        for seed in 0..50 {
            let faults = plan(&PlanOptions { kinds: kinds.clone(), time_limit, seed, ..options() });
            for fault in &faults {
                assert!(fault.start < fault.stop && fault.stop < time_limit);
            }
            for kind in &kinds {
                let of_kind: Vec<_> = faults.iter().filter(|f| f.kind == *kind).collect();
                assert!(of_kind.windows(2).all(|pair| pair[0].stop <= pair[1].start));
                assert!(!of_kind.is_empty());
            }
        }
    }

    #[test]
    fn a_ring_of_three_is_never_drawn_where_a_quorum_must_stay() {
        for seed in 0..100 {
            let faults = plan(&PlanOptions { nodes: 3, keep_quorum: true, seed, ..options() });
            let is_ring =
                |fault: &PlannedFault| fault.fault.variant().starts_with("majorities-ring");
            assert!(!faults.iter().any(is_ring), "seed {seed}");
        }
    }
}
