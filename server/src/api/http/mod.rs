//! The store over HTTP, for `curl` and for programs without gRPC.
//!
//! ```text
//! GET    /v1/kv/KEY              one key          PUT /v1/kv/KEY  body: the value, as it is
//! DELETE /v1/kv/KEY                               GET /v1/kv?prefix=P&limit=N&after=KEY
//! GET    /v1/status  /healthz  /readyz  /metrics
//! ```
//!
//! KEY is the whole rest of the path, percent-encoded where it must be: `a/b` is the key `a/b`, and
//! `%00%ff` has two bytes. In a query `+` is a plus.
//!
//! | parameter or header | meaning |
//! |---|---|
//! | `consistency=local` | what this node has, which may be old; default `linearizable` |
//! | `timeout=500ms` | less patience than the server has |
//! | `redirect=true` | 307 to the leader instead of forwarding to it |
//! | `raw=true`, or `Accept: application/octet-stream` | the value alone, as the body |
//! | `expected=VALUE` | put only if the key holds this (compare-and-set) |
//! | `If-None-Match: *` | put only if the key does not exist |
//! | `If-Match: "REVISION"` | put or delete only if the key was last written there |
//! | `lease=N`, `session=N&sequence=N` | as in the gRPC API |
//!
//! A key in JSON is percent-encoded as in a path; a value is `value` where it is text, or else
//! `value_base64`. `ETag` is the key's revision. Errors are
//! `{"error", "kind", "indefinite", "leader"}` with the kinds of the gRPC API and two of its own,
//! `KEY_NOT_FOUND` and `PRECONDITION_FAILED`; `indefinite` says that a write may have had an effect.
//!
//! Every request becomes one of the gRPC API and goes through the same code: the same limits,
//! rights, deadlines and answers.

#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gateway;
mod kv;
mod query;
mod reply;

pub use gateway::{Gateway, GatewayConfig};
