//! How often candidates asked for a vote since a leader was heard.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// A candidate that asked so often insists.
const INSISTS: u32 = 4;

static ASKED: Mutex<BTreeMap<u64, u32>> = Mutex::new(BTreeMap::new());

/// There is a leader: whoever asks from now on asks for the first time.
pub(crate) fn leader_was_heard() {
    ASKED.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The candidate asks. Did it ask often before?
pub(crate) fn candidate_insists(candidate: u64) -> bool {
    let mut asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let times = asked.entry(candidate).or_default();
    *times += 1;
    *times >= INSISTS
}
