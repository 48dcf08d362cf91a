//! Disks that fail.

use super::on_disks::{Symptom, TroubleKind, on_disks};
use crate::disk::Trouble;
use crate::nemesis::fault::{Arrangement, FaultKind};

/// Writes or synchronisations that fail.
pub const DISK_ERROR: FaultKind = FaultKind {
    name: "disk-error",
    about: "Of the writes, or of the fsyncs, of some nodes a third fails with EIO. A node that \
            gives up is started again when the disk is sound.",
    help: "\
How: the data directory is on a file system of the harness (FUSE), which fails a random third of the writes, or \
of the synchronisations, with EIO. After a failed fsync nothing became durable. A node may end with status 74 \
(EX_IOERR) and log errors as long as it lasts; it is started again when the disk is sound.
Seen to act: a write, or a synchronisation, of the harness on the same disk fails; afterwards a synchronisation \
goes well. How many operations of the node failed is evidence.
Finds: errors that are ignored, above all of fsync; stores that try fsync again and believe the second answer \
(seen only with a power loss soon after).
Needs --storage rocksdb and FUSE (`harness doctor`).",
    nodes_min: 1,
    forgets: true,
    arrangements: &[Arrangement::Disk],
    variants: |situation| on_disks(&[WRITES, SYNCS], situation),
};

const SHARE: f64 = 1.0 / 3.0;

const WRITES: TroubleKind = TroubleKind {
    what: "failing writes of",
    name: "writes",
    trouble: Trouble { write_errors: SHARE, ..Trouble::NONE },
    symptom: Symptom::FailingWrites,
};

const SYNCS: TroubleKind = TroubleKind {
    what: "failing fsyncs of",
    name: "fsyncs",
    trouble: Trouble { sync_errors: SHARE, ..Trouble::NONE },
    symptom: Symptom::FailingSyncs,
};
