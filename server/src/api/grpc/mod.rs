//! The gRPC API.
//!
//! ```text
//! request ──> limits ──> group of its keys ──> do I lead it? ──yes──> NodeHandle ──> reply
//!                                                │      ^                 │
//!                                                no     └─ not any more ──┘
//!                                                └──> forward to its leader, once per attempt
//! ```
//!
//! A node without a replica of the group sends the request to a member, and if that does not lead, to
//! the leader that it names (`hints`). Sessions are opened in all groups (`session`).
//!
//! A request comes as a call of its own (`kv`, `router`), or with many others on a stream
//! (`pipeline`); both perform the operations of `operation`. Requests are sent on to a leader on one
//! pipeline for each pair of nodes.
//!
//! Invariants:
//! - every error says whether the request may have had an effect ([`Refusal`]);
//! - a write is tried again only after it surely had no effect;
//! - a forwarded request is not forwarded again;
//! - a request ends before its client's patience does, so that the client gets this answer and not
//!   its own timeout.

mod admin;
mod admission;
pub(crate) mod datagrams;
mod deadline;
mod forward;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hints;
mod kv;
mod operation;
mod pipeline;
mod refusal;
mod router;
mod session;
mod watch;

pub use admin::AdminService;
pub use kv::KvService;
pub use router::{Api, ApiConfig};
