//! Findings: what is published or documented about systems of others, made again by one command.
//!
//! ```text
//! findings.toml ──> table ──> command ──> suite::execute ── harness --system ... (a process each)
//!                                 │                              │
//!             index.html <── page <── seen (was it as expected?) <┘
//!             findings.json <──────┘
//! ```
//!
//! A row of the table is a run that must end invalid, with the check that must say so, or a positive
//! control that must end valid. What cannot be run here is skipped, with the reason.

mod command;
mod page;
mod seen;
mod table;

pub use command::{FindingsArgs, run};
pub use table::TableError;
