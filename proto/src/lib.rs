//! Wire types of the Breakwater store.
//!
//! Generated from `kv.proto` (clients), `admin.proto` (operators) and `raft.proto` (peers).

#[cfg(feature = "client")]
pub mod client;
mod pipelined;

pub use pipelined::KvRequest;

/// A `google.protobuf.FileDescriptorSet` of all of them, for gRPC's reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The client API.
pub mod kv {
    tonic::include_proto!("breakwater.kv.v1");
}

/// The operators' API.
pub mod admin {
    tonic::include_proto!("breakwater.admin.v1");
}

/// The peers' protocol.
pub mod raft {
    tonic::include_proto!("breakwater.raft.v1");
}
