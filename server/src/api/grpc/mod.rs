//! The gRPC API.
//!
//! ```text
//! request ──> limits ──> am I the leader? ──yes──> NodeHandle ──> reply
//!                          │      ^                    │
//!                          no     └─ not any more ─────┘
//!                          └──> forward to the leader, once per attempt
//! ```
//!
//! Invariants:
//! - every error says whether the request may have had an effect ([`Refusal`]);
//! - a write is tried again only after it surely had no effect;
//! - a forwarded request is not forwarded again;
//! - a request ends before its client's patience does, so that the client gets this answer and not
//!   its own timeout.

mod admin;
mod deadline;
mod kv;
mod operation;
mod refusal;
mod router;

pub use admin::AdminService;
pub use kv::KvService;
pub use router::{Api, ApiConfig};
