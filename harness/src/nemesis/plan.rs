//! Which faults happen when: a pure function of the options and the seed.

use std::collections::BTreeSet;
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
    /// How they follow each other.
    pub program: Program,
    /// Faults in force at once, at most.
    pub at_once_max: u8,
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
/// Chance that a window of a mix holds one more fault, where more than one kind is asked for.
const ANOTHER_FAULT_PROBABILITY: f64 = 0.25;

/// How the faults of a run follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// One fault at a time, the kinds in turn.
    Single,
    /// One fault in each interval, sometimes several at once.
    Mix,
    /// A mix of kinds and their weights that is drawn anew every few intervals, faults at any time in it,
    /// and then a quiet interval.
    Swarm,
}

/// Draws the faults of a run, by start time.
pub fn plan(options: &PlanOptions) -> Vec<PlannedFault> {
    if options.kinds.is_empty() {
        return Vec::new();
    }
    let mut drawing = Drawing::new(options);
    match options.program {
        Program::Single => drawing.windows(0.0),
        Program::Mix => drawing.windows(ANOTHER_FAULT_PROBABILITY),
        Program::Swarm => drawing.swarm(),
    }
    drawing.faults.sort_by_key(|fault| fault.start);
    drawing.faults
}

/// The kinds that were asked for, but found no room in the plan.
pub fn left_out(options: &PlanOptions, plan: &[PlannedFault]) -> Vec<&'static str> {
    let is_planned = |kind: &FaultKind| plan.iter().any(|fault| fault.kind == kind);
    let kinds = options.kinds.iter().filter(|kind| !is_planned(kind));
    kinds.map(|kind| kind.name).collect()
}

/// A plan that is being drawn.
struct Drawing<'a> {
    options: &'a PlanOptions,
    rng: ChaCha8Rng,
    kinds: KindDeck,
    decks: Vec<Deck>,
    faults: Vec<PlannedFault>,
}

impl<'a> Drawing<'a> {
    fn new(options: &'a PlanOptions) -> Drawing<'a> {
        let decks: Vec<Deck> = options.kinds.iter().map(|&kind| Deck::new(kind, options)).collect();
        Drawing {
            options,
            rng: ChaCha8Rng::seed_from_u64(options.seed),
            kinds: KindDeck { kinds: (0..decks.len()).collect(), left: Vec::new() },
            decks,
            faults: Vec::new(),
        }
    }

    /// How many faults may be in force at once. Two may together take the quorum.
    fn at_once_max(&self) -> usize {
        match (self.options.program, self.options.keep_quorum) {
            (Program::Single, _) | (_, true) => 1,
            (_, false) => usize::from(self.options.at_once_max).clamp(1, self.decks.len()),
        }
    }

    /// Faults in windows of one interval each. A kind that was not drawn yet is never left out where
    /// one more fault at once would do.
    fn windows(&mut self, another_probability: f64) {
        let PlanOptions { interval, time_limit, .. } = *self.options;
        // Half of the interval is fault, half is recovery; jitter keeps it off any period of the system.
        let on = interval.mul_f64(0.55);
        let mut start = LEAD_IN;
        let mut drawn = BTreeSet::new();
        while start + on + LEAD_OUT <= time_limit {
            let windows_left = (time_limit - start - on - LEAD_OUT).div_duration_f64(interval);
            let windows_left = 1 + windows_left as usize;
            let begin = start + interval.mul_f64(self.rng.random_range(0.0..0.1));
            let length = on.mul_f64(self.rng.random_range(0.75..1.0));
            let mut here = Vec::new();
            while here.len() < self.at_once_max() {
                let kinds_left = self.decks.len() - drawn.len();
                let is_needed =
                    here.is_empty() || kinds_left + here.len() > windows_left * here.len();
                if !is_needed && !self.rng.random_bool(another_probability) {
                    break;
                }
                let kind = self.kinds.draw_other_than(&here, &mut self.rng);
                here.push(kind);
                drawn.insert(kind);
                self.push(kind, begin, begin + length);
            }
            start += interval;
        }
    }

    /// Times of many faults, each with a mix and weights of its own, and a quiet interval after each.
    fn swarm(&mut self) {
        let PlanOptions { interval, time_limit, .. } = *self.options;
        let end = time_limit.saturating_sub(LEAD_OUT);
        let mut start = LEAD_IN;
        let mut drawn = BTreeSet::new();
        while start + interval / 2 < end {
            let length = interval.mul_f64(self.rng.random_range(3.0..6.0));
            let stop = (start + length).min(end);
            // Mixes are as large as it takes for every kind to have been in one at the end.
            let epochs_left = (end - start).div_duration_f64(interval.mul_f64(5.5)).ceil() as usize;
            let kinds_left = self.decks.len() - drawn.len();
            let least = kinds_left.div_ceil(epochs_left.max(1)).max(1);
            let most = (self.at_once_max() + 2).min(self.decks.len()).max(least);
            let size = self.rng.random_range(least..=most);
            let mut mix: Vec<(usize, u32)> = Vec::new();
            for _ in 0..size {
                let chosen: Vec<usize> = mix.iter().map(|(kind, _)| *kind).collect();
                let kind = self.kinds.draw_other_than(&chosen, &mut self.rng);
                mix.push((kind, self.rng.random_range(1..=4)));
                drawn.insert(kind);
            }
            self.epoch(&mix, start, stop);
            start = stop + interval;
        }
    }

    /// Faults of a mix at random times from `start` to `stop`; each kind comes before any comes again.
    fn epoch(&mut self, mix: &[(usize, u32)], start: Duration, stop: Duration) {
        let interval = self.options.interval;
        // When each of the places at once is free, and each kind of the mix.
        let mut places = vec![start; self.at_once_max()];
        let mut kinds: Vec<Duration> = vec![start; mix.len()];
        let mut first: Vec<usize> = (0..mix.len()).rev().collect();
        loop {
            let (place, &free) = places
                .iter()
                .enumerate()
                .min_by_key(|(_, free)| **free)
                .expect("there is at least one place");
            let begin = free + interval.mul_f64(self.rng.random_range(0.05..0.4));
            let length = interval.mul_f64(self.rng.random_range(0.25..0.9));
            if begin + interval / 4 > stop {
                return;
            }
            let at = first.pop().unwrap_or_else(|| {
                let weights = mix.iter().map(|(_, weight)| *weight).sum();
                let mut left = self.rng.random_range(0..weights);
                let is_it = |(_, weight): &(usize, u32)| {
                    let found = left < *weight;
                    left = left.saturating_sub(*weight);
                    found
                };
                mix.iter().position(is_it).unwrap_or(0)
            });
            // A kind is never in force twice, so that the faults of one know of each other.
            let begin = begin.max(kinds[at]);
            let end = (begin + length).min(stop);
            if begin < end {
                self.push(mix[at].0, begin, end);
            }
            places[place] = begin.max(end) + interval.mul_f64(0.05);
            kinds[at] = places[place];
        }
    }

    fn push(&mut self, kind: usize, start: Duration, stop: Duration) {
        let deck = &mut self.decks[kind];
        let fault = deck.draw(&mut self.rng);
        self.faults.push(PlannedFault {
            start,
            stop,
            kind: deck.kind,
            fault,
            seed: self.rng.random(),
        });
    }
}

/// Kinds in random order, each before any comes again.
struct KindDeck {
    kinds: Vec<usize>,
    left: Vec<usize>,
}

impl KindDeck {
    /// The next one that is none of these; there must be one.
    fn draw_other_than(&mut self, these: &[usize], rng: &mut ChaCha8Rng) -> usize {
        let free = |kinds: &[usize]| kinds.iter().rposition(|kind| !these.contains(kind));
        let next = free(&self.left).unwrap_or_else(|| {
            // What is left waits for its turn behind those that come before it.
            let mut again: Vec<usize> = self.kinds.clone();
            again.retain(|kind| !self.left.contains(kind));
            again.shuffle(rng);
            again.append(&mut self.left);
            self.left = again;
            free(&self.left).unwrap_or(0)
        });
        self.left.remove(next)
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
    use crate::nemesis::fault::FAULTS;
    use crate::nemesis::faults::{KILL, PARTITION, PAUSE};

    fn options() -> PlanOptions {
        PlanOptions {
            kinds: vec![&PARTITION],
            interval: Duration::from_secs(9),
            time_limit: Duration::from_secs(60),
            nodes: 5,
            keep_quorum: false,
            program: Program::Mix,
            at_once_max: 2,
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

    const PROGRAMS: [Program; 3] = [Program::Single, Program::Mix, Program::Swarm];

    #[test]
    fn the_same_seed_gives_the_same_plan() {
        let written = |options: &PlanOptions| format!("{:?}", plan(options));
        for program in PROGRAMS {
            let options = PlanOptions { program, kinds: FAULTS.to_vec(), ..options() };
            assert_eq!(written(&options), written(&options));
            assert_ne!(written(&options), written(&PlanOptions { seed: 8, ..options.clone() }));
        }
    }

    /// At most so many faults of a plan are in force at once.
    fn at_once(faults: &[PlannedFault]) -> usize {
        let in_force =
            |at: Duration| faults.iter().filter(move |it| it.start <= at && at < it.stop);
        faults.iter().map(|fault| in_force(fault.start).count()).max().unwrap_or(0)
    }

    #[test]
    fn every_fault_is_healed_before_the_end_and_kinds_do_not_overlap_themselves() {
        let kinds = vec![&PARTITION, &KILL, &PAUSE];
        let time_limit = Duration::from_secs(180);
        for (seed, program) in (0..50).flat_map(|seed| PROGRAMS.map(|program| (seed, program))) {
            let kinds = kinds.clone();
            let options = PlanOptions { kinds, time_limit, seed, program, ..options() };
            let faults = plan(&options);
            for fault in &faults {
                assert!(fault.start < fault.stop && fault.stop < time_limit);
                assert!(fault.start >= LEAD_IN);
            }
            for kind in &options.kinds {
                let of_kind: Vec<_> = faults.iter().filter(|f| f.kind == *kind).collect();
                assert!(of_kind.windows(2).all(|pair| pair[0].stop <= pair[1].start));
                assert!(!of_kind.is_empty(), "{program:?}, seed {seed}: no {kind:?}");
            }
            let most = if program == Program::Single { 1 } else { 2 };
            assert!(at_once(&faults) <= most, "{program:?}, seed {seed}");
            let keep_quorum = plan(&PlanOptions { keep_quorum: true, ..options });
            assert_eq!(at_once(&keep_quorum), 1, "{program:?}, seed {seed}");
        }
    }

    #[test]
    fn a_short_run_of_all_kinds_leaves_out_only_those_without_room() {
        for seed in 0..50 {
            let kinds = FAULTS.to_vec();
            let at_once_max = 4;
            let options = PlanOptions { kinds, at_once_max, seed, ..options() };
            let faults = plan(&options);
            let windows = 6;
            let missing = left_out(&options, &faults).len();
            assert_eq!(missing, FAULTS.len().saturating_sub(windows * 4), "seed {seed}");
            let alone = PlanOptions { program: Program::Single, ..options };
            let faults = plan(&alone);
            assert_eq!(left_out(&alone, &faults).len(), FAULTS.len() - faults.len());
        }
    }

    #[test]
    fn a_swarm_changes_its_mix_and_has_quiet_times() {
        let time_limit = Duration::from_secs(600);
        let swarm = PlanOptions { program: Program::Swarm, at_once_max: 3, ..options() };
        for seed in 0..20 {
            let kinds = FAULTS.to_vec();
            let faults = plan(&PlanOptions { kinds, time_limit, seed, ..swarm.clone() });
            let is_quiet = |at: &u64| {
                let at = Duration::from_secs(*at);
                !faults.iter().any(|fault| fault.start <= at && at < fault.stop)
            };
            let quiet: Vec<u64> = (0..600).filter(is_quiet).collect();
            let longest = quiet.chunk_by(|one, next| one + 1 == *next).map(<[u64]>::len).max();
            assert!(longest >= Some(7), "seed {seed}: {longest:?}");
            let kinds_from = |from: u64| {
                let from = Duration::from_secs(from);
                let to = from + Duration::from_secs(60);
                let here =
                    faults.iter().filter(move |fault| from <= fault.start && fault.start < to);
                here.map(|fault| fault.kind.name).collect::<BTreeSet<_>>()
            };
            assert_ne!(kinds_from(0), kinds_from(300), "seed {seed}");
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
