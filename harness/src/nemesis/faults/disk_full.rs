//! Full disks.

use super::on_disks::{Symptom, TroubleKind, on_disks};
use crate::disk::Trouble;
use crate::nemesis::fault::{Arrangement, FaultKind};

/// No room on the disk.
pub const DISK_FULL: FaultKind = FaultKind {
    name: "disk-full",
    about: "The disk of some nodes is full for a while: nothing new and nothing longer can be \
            written (ENOSPC). A node that gives up is started again when there is room.",
    help: "\
How: the data directory is on a file system of the harness (FUSE), which refuses new files and directories, and \
writes behind the end of a file, with ENOSPC; what has its place can be overwritten, as on a real disk, and \
statfs says that nothing is free. A node may end with status 74 (EX_IOERR) and log errors as long as it lasts; \
it is started again when there is room.
Seen to act: a new file of the harness on the same disk is refused with ENOSPC; afterwards one finds room. How \
many operations of the node were refused is evidence.
Finds: acknowledged writes whose error was ignored; half-written files that are believed after the restart; \
nodes that hang instead of ending, or take part without being able to write.
Needs --storage rocksdb and FUSE (`harness doctor`).",
    nodes_min: 1,
    forgets: true,
    arrangements: &[Arrangement::Disk],
    variants: |situation| on_disks(&[FULL], situation),
};

const FULL: TroubleKind = TroubleKind {
    what: "full disk of",
    name: "",
    trouble: Trouble { full: true, ..Trouble::NONE },
    symptom: Symptom::NoRoom,
};
