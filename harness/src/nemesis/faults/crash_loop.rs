//! Nodes that crash again and again, a moment after each start.

use super::cycles::{Cycles, End, Order, of_selectors};
use super::selector::Selector;
use crate::nemesis::fault::FaultKind;

/// SIGKILL and a start, over and over.
pub const CRASH_LOOP: FaultKind = FaultKind {
    name: "crash-loop",
    about: "SIGKILL and a new start, over and over, until the fault heals. Finds what goes wrong in a \
            start that is interrupted, and what adds up over many starts.",
    help: "\
How: SIGKILL to whole nodes, a start at once, and again after 50 to 800 ms, on a thread of its own until the fault heals. \
Some starts are killed while they read their log, some just after the node voted or was voted for.
Seen to act: each node is gone each time, and runs under another process id each time; the record counts the rounds.
Finds: recovery that is not safe to interrupt; whatever a start adds to the data directory; peers that do not notice \
a peer which is another process of the same name.
With --keep-quorum: never more than a minority. Needs --storage rocksdb.",
    nodes_min: 1,
    forgets: true,
    arrangements: &[],
    variants: |situation| of_selectors(Selector::variants(situation), &CYCLES),
};

const CYCLES: Cycles = Cycles {
    verb: "crash loop of",
    selector: Selector::One,
    end: End::Kill,
    order: Order::Together,
    run_ms: (50, 800),
};
