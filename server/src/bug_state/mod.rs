//! What planted bugs need to know of this process, and the correct store does not.
//!
//! All of it is of the whole process, so that only real nodes can have these bugs: the simulated world
//! has several nodes in one process.

mod candidates;
mod disk;
mod knocks;
mod lease;
mod life;

pub(crate) use candidates::{candidate_insists, leader_was_heard};
pub(crate) use disk::{begin_damaged_anew, has_no_room, snapshot_had_room};
pub(crate) use disk::{is_write_late, passes_over_error, plant_in_stores, planted_in_stores};
pub(crate) use disk::{write_begins, write_ends};
pub(crate) use knocks::{knock, majority_opens};
pub(crate) use lease::LeaseClock;
pub(crate) use life::{end, is_ending, is_overloaded, start, ticks_came, was_interrupted};
