//! The kinds of fault, one file each; what several of them need is here too.
//!
//! ```text
//! partition ── grudge       who must not hear whom
//! kill, pause ── on_nodes   one thing done to some nodes ── selector   which nodes
//! power-loss, disk-full, disk-error, slow-disk, stuck-disk, corrupt-file ── on_disks   disks of some nodes
//! ```

mod corrupt_file;
mod disk_error;
mod disk_full;
mod grudge;
mod kill;
mod on_disks;
mod on_nodes;
mod partition;
mod pause;
mod power_loss;
mod selector;
mod slow_disk;
mod stuck_disk;

pub use corrupt_file::CORRUPT_FILE;
pub use disk_error::DISK_ERROR;
pub use disk_full::DISK_FULL;
pub use kill::KILL;
pub use partition::PARTITION;
pub use pause::PAUSE;
pub use power_loss::POWER_LOSS;
pub use slow_disk::SLOW_DISK;
pub use stuck_disk::STUCK_DISK;
