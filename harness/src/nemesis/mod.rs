//! The nemesis: what breaks things, on a schedule, with evidence.
//!
//! Every fault is installed, probed and healed. It ends as installed, skipped or indeterminate,
//! and the record says what was seen: packets that stopped and flowed again, pids that went away.

pub mod grudge;
pub mod record;
