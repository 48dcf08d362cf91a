//! Disks that hang.

use super::on_disks::{Symptom, TroubleKind, on_disks};
use crate::disk::{Syncs, Trouble};
use crate::nemesis::fault::{Arrangement, FaultKind};

/// Synchronisations that do not end.
pub const STUCK_DISK: FaultKind = FaultKind {
    name: "stuck-disk",
    about: "Every fsync of some nodes hangs until the fault heals, then they go on. Finds nodes \
            that keep leading without being able to write.",
    help: "\
How: the data directory is on a file system of the harness (FUSE), which does not answer fsync until the fault \
heals; then all that waited are performed and answered. Everything else goes on meanwhile.
Seen to act: a synchronisation of the harness on the same disk hangs for 200 ms and ends when the fault heals; \
how many of the node's hung is evidence.
Finds: leaders that keep their role with heartbeats while they can persist nothing (a grey failure), and block \
every client; answers that were given before the sync ended; memory that grows while the disk hangs.
Needs --storage rocksdb and FUSE (`harness doctor`).",
    nodes_min: 1,
    forgets: true,
    arrangements: &[Arrangement::Disk],
    variants: |situation| on_disks(&[STUCK], situation),
};

const STUCK: TroubleKind = TroubleKind {
    what: "stuck disk of",
    name: "",
    trouble: Trouble { syncs: Syncs::Stuck, ..Trouble::NONE },
    symptom: Symptom::StuckSync,
};
