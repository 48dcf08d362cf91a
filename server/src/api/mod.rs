//! What clients and operators can ask of a node.

mod front;
mod grpc;
mod http;
mod readiness;

pub use front::Front;
pub(crate) use grpc::datagrams;
#[cfg(any(test, fuzzing))]
pub use grpc::fuzz as grpc_fuzz;
pub use grpc::{AdminService, Api, ApiConfig, KvService};
#[cfg(any(test, fuzzing))]
pub use http::fuzz as http_fuzz;
pub use http::{Gateway, GatewayConfig};
pub use readiness::Readiness;
