//! `harness suite`: many runs, one page.
//!
//! ```text
//! NAME.toml ── definition ──> cases ── order (what found something lately first) ──> jobs
//!                                                                                    │
//! index.html, junit.xml <── summary of all runs <── record.json, after every run <── execute
//! ```
//!
//! Each run is a process of its own, so that one that fails never hides another. A run that ends
//! invalid is made again with the same inputs, and how often it was invalid again is stated; nothing
//! is ever dropped. A suite that was stopped goes on where it was.

mod command;
mod coverage;
mod definition;
mod execute;
mod folder;
mod index;
mod junit;
mod order;
mod outcome;
mod record;

pub(crate) use command::SEEDS;
pub use command::{SuiteArgs, run};
pub use definition::DefinitionError;
pub(crate) use definition::arguments;
pub(crate) use execute::{End, Job, Limits, execute};
pub(crate) use folder::{Night, Nights};
pub(crate) use index::{page, report_link, sign};
pub(crate) use record::{Case, RunRecord, ending};
