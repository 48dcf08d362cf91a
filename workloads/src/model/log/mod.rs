//! A log: append says at which offset, and reads are at offsets.
//!
//! ```text
//! operation       what tools call the functions, and how they write arguments and results
//! specification   the steps; whom an operation owes its result to
//! decide          offsets line everything up: exact, without search
//! ```

mod decide;
mod operation;
mod specification;

pub use operation::LogOp;
pub use specification::Log;
