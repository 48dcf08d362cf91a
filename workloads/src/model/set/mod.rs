//! Sets: add, remove, contains, and reads of all elements.
//!
//! ```text
//! operation       what tools call the functions, and how they write arguments and results
//! specification   the steps; whom an operation owes its result to
//! member          histories without reads: each element by itself
//! whole           histories of adds and reads: the reads line everything up
//! explain         contradictions in words
//! ```

mod explain;
mod member;
mod operation;
mod specification;
mod whole;

pub use operation::SetOp;
pub use specification::{Members, Set};
