//! A register whose store says at which revision each operation acted.
//!
//! ```text
//! write null/v -> [revision, v]    cas [null, [e, n]] -> [revision, [e, n]]    read -> [revision, v]
//! ```
//!
//! Revisions grow with each change, by one or more: a revision may count the changes of one key, or of
//! the whole store. They tell the order of all operations that have one, so there is nothing to
//! search (see `revisions`), unless crashed operations may have come between.

mod revisions;
mod specification;

pub use specification::{VersionedRegister, VersionedRegisterOp, VersionedRegisterState};
