//! The simulated network: who is cut off from whom, and what happens to a message on its way.

use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::coverage::{Counter, Coverage};
use super::options::FaultIntensity;

/// How good the network is; drawn once for a run, and made worse by storms.
#[derive(Debug, Clone, Copy)]
struct Quality {
    loss: f64,
    duplication: f64,
    /// Chance of a delay from the long tail, in which messages overtake each other.
    tail: f64,
    /// Chance to be held back for longer than an election takes.
    stuck: f64,
}

/// One copy of a message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flight {
    /// When it arrives (virtual microseconds).
    pub(super) arrival: u64,
    /// Position among the messages of its link.
    pub(super) position: u64,
}

/// All links between nodes. Nodes are numbered from 0 here.
#[derive(Debug)]
pub(super) struct Network {
    nodes: usize,
    rng: ChaCha8Rng,
    quality: Quality,
    storms: u32,
    /// `cut[from * nodes + to]`
    cut: Vec<bool>,
    /// Does the present cut also lose what is already on its way?
    cut_loses_flights: bool,
    /// From when until when messages to a node get slower and slower.
    congested: Vec<Range<u64>>,
    sent: Vec<u64>,
    arrived: Vec<u64>,
}

impl Network {
    pub(super) fn new(nodes: usize, mut rng: ChaCha8Rng, faults: FaultIntensity) -> Network {
        let quality = match faults {
            FaultIntensity::None => Quality { loss: 0.0, duplication: 0.0, tail: 0.0, stuck: 0.0 },
            // Some runs have a clean network, so that other faults are seen alone (swarm testing).
            FaultIntensity::Storm => Quality {
                loss: [0.0, 0.005, 0.03][rng.random_range(0..3)],
                duplication: [0.0, 0.01, 0.05][rng.random_range(0..3)],
                tail: [0.01, 0.05, 0.2][rng.random_range(0..3)],
                stuck: [0.0, 0.005, 0.02][rng.random_range(0..3)],
            },
        };
        Network {
            nodes,
            rng,
            quality,
            storms: 0,
            cut: vec![false; nodes * nodes],
            cut_loses_flights: true,
            congested: vec![0..0; nodes],
            sent: vec![0; nodes * nodes],
            arrived: vec![0; nodes * nodes],
        }
    }

    /// Decides the fate of a message: the copies that will arrive, none if it is lost.
    pub(super) fn send(
        &mut self,
        now: u64,
        from: usize,
        to: usize,
        coverage: &mut Coverage,
    ) -> [Option<Flight>; 2] {
        coverage.count(Counter::MessagesSent);
        let link = from * self.nodes + to;
        self.sent[link] += 1;
        let position = self.sent[link];
        let quality = self.effective();
        if self.cut[link] || self.rng.random_bool(quality.loss) {
            coverage.count(Counter::MessagesDropped);
            return [None, None];
        }
        let congested = &self.congested[to];
        let slower = if congested.contains(&now) { (now - congested.start) * 2 / 3 } else { 0 };
        let now = now + slower;
        let first = Flight { arrival: now + self.delay(quality, coverage), position };
        let mut second = None;
        if self.rng.random_bool(quality.duplication) {
            coverage.count(Counter::MessagesDuplicated);
            second = Some(Flight { arrival: now + self.delay(quality, coverage), position });
        }
        [Some(first), second]
    }

    /// A copy is about to arrive. Does it?
    pub(super) fn arrives(
        &mut self,
        flight: Flight,
        from: usize,
        to: usize,
        coverage: &mut Coverage,
    ) -> bool {
        let link = from * self.nodes + to;
        if self.cut[link] && self.cut_loses_flights {
            coverage.count(Counter::MessagesDropped);
            return false;
        }
        if flight.position < self.arrived[link] {
            coverage.count(Counter::MessagesReordered);
        }
        self.arrived[link] = self.arrived[link].max(flight.position);
        true
    }

    /// Delay between a client and a node; none if the message is lost.
    pub(super) fn client_delay(&mut self) -> Option<u64> {
        let quality = self.effective();
        if self.rng.random_bool(quality.loss / 2.0) {
            return None;
        }
        Some(match self.rng.random_bool(quality.tail / 2.0) {
            true => self.rng.random_range(1_000..40_000),
            false => self.rng.random_range(100..1_000),
        })
    }

    /// Cuts exactly these directed links (from, to), and heals all others.
    pub(super) fn cut(&mut self, links: &[(usize, usize)]) {
        self.cut.fill(false);
        for (from, to) in links {
            self.cut[from * self.nodes + to] = true;
        }
        self.cut_loses_flights = self.rng.random_bool(0.5);
    }

    /// As [`Self::cut`], but what is on its way arrives.
    pub(super) fn cut_behind_flights(&mut self, links: &[(usize, usize)]) {
        self.cut(links);
        self.cut_loses_flights = false;
    }

    /// A queue builds up before `node`: messages to it take longer and longer, without a gap in which
    /// a leader would notice that it hears nobody.
    pub(super) fn congest(&mut self, node: usize, during: Range<u64>) {
        self.congested[node] = during;
    }

    pub(super) fn heal(&mut self) {
        self.cut.fill(false);
    }

    pub(super) fn storm_begins(&mut self) {
        self.storms += 1;
    }

    pub(super) fn storm_ends(&mut self) {
        self.storms = self.storms.saturating_sub(1);
    }

    /// The final phase: nothing is cut, nothing is lost.
    pub(super) fn become_calm(&mut self) {
        self.heal();
        self.congested.fill(0..0);
        self.storms = 0;
        self.quality = Quality { loss: 0.0, duplication: 0.0, tail: 0.01, stuck: 0.0 };
    }

    fn effective(&self) -> Quality {
        match self.storms {
            0 => self.quality,
            _ => Quality {
                loss: self.quality.loss + 0.1,
                duplication: self.quality.duplication + 0.1,
                tail: self.quality.tail + 0.3,
                stuck: self.quality.stuck + 0.02,
            },
        }
    }

    fn delay(&mut self, quality: Quality, coverage: &mut Coverage) -> u64 {
        if self.rng.random_bool(quality.stuck) {
            coverage.count(Counter::MessagesStuck);
            return self.rng.random_range(100_000..600_000);
        }
        match self.rng.random_bool(quality.tail) {
            true => self.rng.random_range(1_000..30_000),
            false => self.rng.random_range(100..1_000),
        }
    }
}
