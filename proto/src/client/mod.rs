//! The client of the store.
//!
//! ```text
//! operation ──> attempt ──> one node ──ok──────────────────────────────> answer
//!                  ^            └─failure─> may it be repeated? ──no──> ClientError
//!                  └──────────── backoff <──────────yes──┘
//! ```
//!
//! Requests to a node travel on one stream, which all clients that share connections share
//! ([`Pipeline`]): a frame carries whatever waits when the connection can take it.
//!
//! Invariants:
//! - a [`ClientError::Definite`] write had no effect and never will; every doubt is
//!   [`ClientError::Indefinite`], also when only an earlier attempt of several was in doubt;
//! - a write that may have had an effect is repeated only within a session, with the same sequence
//!   number, so that it is applied once;
//! - an operation ends within its time budget.

mod admin;
mod attempts;
mod cluster_file;
mod connections;
mod error;
mod kv;
mod lease;
mod options;
mod pipeline;
mod scan;
mod txn;
mod types;
mod unary;
mod watch;

pub use cluster_file::{ClusterFile, ClusterFileError};
pub use connections::was_not_sent;
pub use error::{ClientError, Failure};
pub use kv::Client;
pub use lease::{Lease, LeaseKeeper, Locked};
pub use options::{ClientIdentity, ClientOptions, ClientTls, Security, Token, Travel};
pub use pipeline::{Pipeline, PipelineCut, PipelineSink};
pub use scan::{Keys, Page, Scan};
pub use txn::{Comparison, Step, Txn, TxnDone};
pub use types::{Header, KeyValue, Read, Swapped, Written};
pub use watch::{Change, Changes, Watch};

pub use crate::admin::change_members_request::Change as MemberChange;
pub use crate::admin::{Group, ListGroupsResponse, ListMembersResponse, Member, StatusResponse};
pub use crate::kv::{ErrorKind, ReadMode, Relation};
