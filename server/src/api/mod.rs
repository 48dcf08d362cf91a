//! What clients and operators can ask of a node.

mod grpc;

pub use grpc::{AdminService, Api, ApiConfig, KvService};
