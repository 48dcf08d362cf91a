//! Opens a session in every group.
//!
//! A session has one id in all groups, because its client does not know of groups. Each group counts
//! the sequence numbers of the writes that it gets; they ascend in each of them.

use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::time::Instant;

use proto::kv::pipelined_response::Response;
use proto::kv::{ErrorKind, OpenSessionRequest, OpenSessionResponse};
use tokio::task::JoinSet;

use super::refusal::Refusal;
use super::router::Api;

/// What becomes of a request in one group.
type Part = Pin<Box<dyn Future<Output = Result<Response, Refusal>> + Send>>;

/// Opens a new session in all groups at once. If one of them fails, the others keep a session that
/// nobody uses, until they need its place.
pub(super) async fn open_everywhere(api: Api, deadline: Instant) -> Result<Response, Refusal> {
    let session = random_id();
    let shards = api.shards();
    let map_version = shards.map().version;
    let mut parts = JoinSet::new();
    for group in shards.groups() {
        let part = OpenSessionRequest { no_forward: false, session, group: group.0, map_version };
        parts.spawn(open_in(api.clone(), part, deadline));
    }
    let mut header = None;
    while let Some(part) = parts.join_next().await {
        let opened = part.map_err(|_| {
            Refusal::definite(ErrorKind::Unspecified, "the session was not opened in a group")
        })??;
        if let Response::OpenSession(opened) = opened {
            header = header.or(opened.header);
        }
    }
    Ok(Response::OpenSession(OpenSessionResponse { header, session }))
}

/// Boxed, because it comes back to where [`open_everywhere`] is called from.
fn open_in(api: Api, part: OpenSessionRequest, deadline: Instant) -> Part {
    Box::pin(async move { api.attempt_until(part.into(), deadline).await })
}

/// With 63 random bits no two sessions of a cluster get the same id. 0 is no session.
fn random_id() -> u64 {
    // The standard library draws the keys of its hashers from the operating system.
    (RandomState::new().hash_one(Instant::now()) >> 1).max(1)
}
