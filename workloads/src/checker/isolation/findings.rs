//! What is found, counted by kind; only some of each kind are told in full.

use std::collections::BTreeMap;

use super::kind::Kind;
use crate::checker::Anomaly;

/// Anomalies of a kind that are told in full; further ones are only counted.
const SHOWN_PER_KIND: usize = 4;

/// All that is found in a history.
#[derive(Default)]
pub(super) struct Findings {
    counts: BTreeMap<Kind, usize>,
    shown: Vec<(Kind, Anomaly)>,
}

impl Findings {
    /// One more; `tell` is called if it is to be told in full.
    pub(super) fn add(&mut self, kind: Kind, tell: impl FnOnce() -> Anomaly) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= SHOWN_PER_KIND {
            self.shown.push((kind, tell()));
        }
    }

    /// All that was found elsewhere.
    pub(super) fn append(&mut self, other: Findings) {
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        self.shown.extend(other.shown);
    }

    /// How many there are of each kind, the worst first.
    pub(super) fn counts(&self) -> &BTreeMap<Kind, usize> {
        &self.counts
    }

    /// The kinds.
    pub(super) fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.counts.keys().copied()
    }

    /// The ones told in full: by kind, smaller ones first.
    pub(super) fn into_shown(mut self) -> Vec<Anomaly> {
        self.shown.sort_by_key(|(kind, anomaly)| (*kind, anomaly.operations.len()));
        self.shown.into_iter().map(|(_, anomaly)| anomaly).collect()
    }
}
