//! The client of the store.
//!
//! ```text
//! operation ──> attempt ──> one node ──ok──────────────────────────────> answer
//!                  ^            └─failure─> may it be repeated? ──no──> ClientError
//!                  └──────────── backoff <──────────yes──┘
//! ```
//!
//! Invariants:
//! - a [`ClientError::Definite`] write had no effect and never will; every doubt is
//!   [`ClientError::Indefinite`], also when only an earlier attempt of several was in doubt;
//! - a write that may have had an effect is repeated only within a session, with the same sequence
//!   number, so that it is applied once;
//! - an operation ends within its time budget.

mod connections;
mod error;
mod kv;
mod options;

pub use connections::was_not_sent;
pub use error::{ClientError, Failure};
pub use kv::{Client, Header, KeyValue, Read, Swapped, Written};
pub use options::ClientOptions;

pub use crate::admin::StatusResponse;
pub use crate::kv::{ErrorKind, ReadMode};
