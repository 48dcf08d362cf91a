//! What clients and operators can ask of a node.

mod front;
mod grpc;
mod http;
mod readiness;

pub use front::Front;
pub use grpc::{AdminService, Api, ApiConfig, KvService};
pub use http::{Gateway, GatewayConfig};
pub use readiness::Readiness;
