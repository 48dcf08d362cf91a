//! Redis: a primary with asynchronous replicas and sentinels, or a cluster.
//!
//! Every client speaks to the server of one node and to no other, so that what an old primary
//! acknowledges is seen.
//!
//! ```text
//! resp.rs      the protocol
//! client.rs    a worker's connection, and what each interface of a workload means here
//! server.rs    settings that all servers have, and what they say about their role
//! sentinel.rs  a primary and replicas, watched by sentinels
//! cluster.rs   primaries that share the keys, each with replicas
//! ```

mod client;
mod cluster;
mod resp;
mod sentinel;
mod server;

pub(super) use self::cluster::ENTRY as REDIS_CLUSTER;
pub(super) use self::sentinel::ENTRY as REDIS_SENTINEL;
