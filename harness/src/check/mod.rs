//! `check`, `convert` and `verify`: histories from anywhere, with no cluster.
//!
//! ```text
//! FILE ── history ──> operations ── checker of the table ──> Check ── text, drawing, JSON
//!             └─ on a thread of its own, watched (time, memory, Ctrl-C)  └─ Evidence ── verify
//! ```
//!
//! Budgets hold for the process as the machine sees it: the clock and the resident memory, whatever
//! a checker believes that it holds. A checker that does not stop when it is told to is left behind.

pub mod args;
mod command;
mod convert;
mod drawing;
mod history;
mod initial;
mod interrupt;
mod judging;
mod manifest;
mod memory;
mod spending;
mod table;
mod text;
mod verify;

pub use command::check;
pub use convert::convert;
pub use table::{models, properties};
pub use verify::verify;
