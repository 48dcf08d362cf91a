//! Nodes that are told to end, and started again: as an operator does it.

use super::cycles::{Cycles, End, Order, of_selectors};
use super::selector::Selector;
use crate::nemesis::fault::FaultKind;

/// SIGTERM and a start.
pub const RESTART: FaultKind = FaultKind {
    name: "restart",
    about: "SIGTERM, and a new start when the node has ended by itself; again every second or two. Finds \
            what a node promises while it ends.",
    help: "\
How: SIGTERM to whole nodes, a start as soon as they have ended, and again after 0.8 to 2 s, until the fault heals.
Seen to act: the node ends by itself with status 0 within 8 s, and runs under another process id.
Finds: requests that are answered wrongly while the node ends, state that only an orderly end writes, wrongly; \
nodes that do not end.
With --keep-quorum: never more than a minority. Needs --storage rocksdb.",
    nodes_min: 1,
    forgets: true,
    arrangements: &[],
    variants: |situation| of_selectors(Selector::variants(situation), &AGAIN),
};

/// The same to all nodes in turn.
pub const ROLLING_RESTART: FaultKind = FaultKind {
    name: "rolling-restart",
    about: "SIGTERM and a new start of every node in turn, each when the one before answers again: an \
            upgrade. Finds what a cluster forgets when no process of it is left that was there.",
    help: "\
How: as restart, one node after the other; the next one's turn comes when this one answers a status request, after 10 s at the \
latest. When all had their turn it begins anew, until the fault heals.
Seen to act: each node ends by itself with status 0 within 8 s, and runs under another process id.
Finds: what is kept only in memory, by any majority: sessions, leases, votes; leaders that leave without telling anybody.
With --keep-quorum: one node at a time is allowed. Needs --storage rocksdb.",
    nodes_min: 2,
    forgets: true,
    arrangements: &[],
    variants: |_| {
        let cycles =
            Cycles { verb: "rolling restart of", order: Order::InTurn, run_ms: (100, 500), ..AGAIN };
        of_selectors(vec![Selector::All], &cycles)
    },
};

const AGAIN: Cycles = Cycles {
    verb: "restart",
    selector: Selector::One,
    end: End::Terminate,
    order: Order::Together,
    run_ms: (800, 2_000),
};
