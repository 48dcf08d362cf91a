//! The gRPC API.
//!
//! ```text
//! request ──> limits ──> am I the leader? ──yes──> NodeHandle ──> reply
//!                          │      ^                    │
//!                          no     └─ not any more ─────┘
//!                          └──> forward to the leader, once per attempt
//! ```
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
mod deadline;
mod forward;
mod kv;
mod operation;
mod pipeline;
mod refusal;
mod router;
mod watch;

pub use admin::AdminService;
pub use kv::KvService;
pub use router::{Api, ApiConfig};
