//! `harness compare A B`: is B faster, or more available, than A?
//!
//! ```text
//! folders ── sample (what each stretch of each run saw) ── measure ── bootstrap ──> Comparison
//!                                                                                     │
//!                                                                     text, page, JSON <
//! ```
//!
//! Each side is one run or many. A number without its uncertainty decides nothing, so that each
//! comes with an interval: runs are drawn again with replacement, and in each the stretches of
//! [`sample::STRETCH`], many times, and the middle 95 % of what comes out is the interval. One run on each side shows
//! how it varies within that run only; several, made in turn, also show how runs vary.

mod bootstrap;
mod command;
mod comparison;
mod measure;
mod page;
mod sample;
mod text;

pub use command::{CompareArgs, compare};
pub use comparison::{Comparison, compare_groups};
pub use page::render;
pub use sample::{Group, GroupError};
