//! Slow disks.

use std::time::Duration;

use super::on_disks::{Symptom, TroubleKind, on_disks};
use crate::disk::{Syncs, Trouble};
use crate::nemesis::fault::{Arrangement, FaultKind};

/// Synchronisations that take long.
pub const SLOW_DISK: FaultKind = FaultKind {
    name: "slow-disk",
    about: "Every fsync of some nodes takes 50 to 500 ms. Finds what waits for the disk that \
            should not: heartbeats, elections, reads.",
    help: "\
How: the data directory is on a file system of the harness (FUSE), which answers each fsync after a random time \
between 50 and 500 ms. It covers what was written before it began. Everything else goes on meanwhile.
Seen to act: a synchronisation of the harness on the same disk takes at least 50 ms; how many of the node's were \
slow is evidence.
Finds: leaders that lose their lease or their followers because one thread waits for the disk; timeouts that are \
shorter than a sync; what is answered before the sync ends, because that is now a long time.
Needs --storage rocksdb and FUSE (`harness doctor`).",
    nodes_min: 1,
    forgets: true,
    arrangements: &[Arrangement::Disk],
    variants: |situation| on_disks(&[SLOW], situation),
};

const LEAST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_millis(500);

const SLOW: TroubleKind = TroubleKind {
    what: "slow disk of",
    name: "",
    trouble: Trouble { syncs: Syncs::Slow(LEAST, MOST), ..Trouble::NONE },
    symptom: Symptom::SlowSync(LEAST),
};
