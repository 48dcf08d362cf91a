//! Whether a request may be made, by who makes it and at which port.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use proto::kv::ErrorKind;

use crate::metrics::{Metrics, Refused};

use super::tokens::{Right, Secret, Tokens};

/// Different refusals that are logged; a client that is set up wrong repeats a few for ever.
const LOGGED_REFUSALS_MAX: usize = 64;

/// Logs each kind of refusal once, so that a flood of requests is no flood of lines.
#[derive(Debug, Default)]
pub struct RefusalLog {
    seen: Mutex<BTreeSet<String>>,
}

impl RefusalLog {
    /// Logs it, if it is new and not too many kinds were logged. They are all counted elsewhere.
    pub fn warn(&self, what: &str, reason: &str) {
        let line = format!("refused a {what}: {reason}");
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < LOGGED_REFUSALS_MAX && !seen.contains(&line) {
            tracing::warn!("{line}");
            seen.insert(line);
        }
    }
}

/// A port of the server, by who may come to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Clients and peers, where peers have no port of their own.
    Shared,
    /// Clients only.
    Clients,
    /// Peers only. TLS has shown that they are, if it is set up.
    Peers,
}

/// Who makes a request. Travels in the request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A client, and what it may do.
    Client(Right),
    /// A node of the cluster, for itself or for one of its clients.
    Peer,
}

impl Caller {
    /// May it do what needs this right?
    pub fn may(self, right: Right) -> bool {
        match self {
            Caller::Client(own) => own >= right,
            Caller::Peer => true,
        }
    }
}

/// Why a request may not be made. It surely has no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denial {
    /// `Unauthenticated` or `PermissionDenied`.
    pub kind: ErrorKind,
    /// In words.
    pub message: String,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Right(Right),
    Peer,
}

/// Decides whether requests may be made.
#[derive(Debug)]
pub struct Guard {
    tokens: Option<Arc<Tokens>>,
    cluster_token: Option<Secret>,
    metrics: Arc<Metrics>,
    log: Arc<RefusalLog>,
}

impl Guard {
    /// A guard that knows these tokens. Without tokens of clients everyone may do everything.
    pub fn new(
        tokens: Option<Arc<Tokens>>,
        cluster_token: Option<Secret>,
        metrics: Arc<Metrics>,
        log: Arc<RefusalLog>,
    ) -> Guard {
        Guard { tokens, cluster_token, metrics, log }
    }

    /// May this gRPC method be called? `authorization` is the header of that name.
    pub fn admit(
        &self,
        port: Port,
        path: &str,
        authorization: Option<&[u8]>,
    ) -> Result<Caller, Denial> {
        match need(path) {
            Need::Nothing => Ok(Caller::Client(Right::Read)),
            Need::Right(right) => self.admit_right(port, right, authorization),
            Need::Peer => self.admit_peer(port, authorization),
        }
    }

    /// May something be done that needs this right?
    pub fn admit_right(
        &self,
        port: Port,
        right: Right,
        authorization: Option<&[u8]>,
    ) -> Result<Caller, Denial> {
        let token = authorization.and_then(bearer);
        let is_peer = self.shows_cluster_token(token.as_ref());
        match port {
            Port::Peers if self.cluster_token.is_none() || is_peer => return Ok(Caller::Peer),
            Port::Peers => return Err(self.not_a_peer("no token of this cluster")),
            Port::Shared if is_peer => return Ok(Caller::Peer),
            Port::Shared | Port::Clients => {}
        }
        let Some(tokens) = &self.tokens else { return Ok(Caller::Client(Right::Admin)) };
        let Some(token) = token else {
            return Err(self.unauthenticated("no token; send it as `authorization: Bearer TOKEN`"));
        };
        let Some(own) = tokens.right(&token) else {
            return Err(self.unauthenticated("the token is unknown"));
        };
        if own < right {
            self.metrics.refused(Refused::Permission);
            let (own, right) = (own.name(), right.name());
            let message = format!("the token's role is {own}, and this needs {right}");
            self.log.warn("request", &message);
            return Err(Denial { kind: ErrorKind::PermissionDenied, message });
        }
        Ok(Caller::Client(own))
    }

    fn admit_peer(&self, port: Port, authorization: Option<&[u8]>) -> Result<Caller, Denial> {
        let is_peer = self.cluster_token.is_none()
            || self.shows_cluster_token(authorization.and_then(bearer).as_ref());
        match port {
            Port::Clients => Err(self.not_a_peer("this port is for clients")),
            Port::Shared | Port::Peers if is_peer => Ok(Caller::Peer),
            Port::Shared | Port::Peers => Err(self.not_a_peer("no token of this cluster")),
        }
    }

    fn shows_cluster_token(&self, token: Option<&Secret>) -> bool {
        match (&self.cluster_token, token) {
            (Some(own), Some(token)) => own.is(token),
            (Some(_), None) | (None, _) => false,
        }
    }

    fn not_a_peer(&self, reason: &str) -> Denial {
        self.metrics.refused(Refused::Peer);
        self.log.warn("peer", reason);
        let message = format!("not a peer: {reason}");
        Denial { kind: ErrorKind::PermissionDenied, message }
    }

    fn unauthenticated(&self, reason: &str) -> Denial {
        self.metrics.refused(Refused::Token);
        self.log.warn("request", reason);
        Denial { kind: ErrorKind::Unauthenticated, message: reason.to_owned() }
    }
}

/// The token in `Bearer TOKEN`.
fn bearer(header: &[u8]) -> Option<Secret> {
    let (scheme, token) = header.split_at_checked(7)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return None;
    }
    Secret::new(token.trim_ascii())
}

/// What a gRPC method needs. One that is not known needs the most, so that a new one is closed until
/// somebody has thought about it.
fn need(path: &str) -> Need {
    let mut parts = path.trim_start_matches('/').split('/');
    let (service, method) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    match (service, method) {
        ("grpc.health.v1.Health", _) => Need::Nothing,
        ("breakwater.raft.v1.Peer" | "breakwater.raft.v1.Groups", _) => Need::Peer,
        ("grpc.reflection.v1.ServerReflection" | "grpc.reflection.v1alpha.ServerReflection", _)
        | ("breakwater.kv.v1.Kv", "Get" | "Scan" | "Watch" | "Pipeline")
        | ("breakwater.admin.v1.Admin", "Status" | "ListMembers" | "ListGroups") => {
            Need::Right(Right::Read)
        }
        ("breakwater.kv.v1.Kv", _) => Need::Right(Right::Write),
        _ => Need::Right(Right::Admin),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const GET: &str = "/breakwater.kv.v1.Kv/Get";
    const PUT: &str = "/breakwater.kv.v1.Kv/Put";
    const STREAM: &str = "/breakwater.raft.v1.Peer/Stream";

    fn guard(has_tokens: bool, has_cluster_token: bool) -> Guard {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        fs::write(&path, "reader-token read\nwriter-token write\nboss-token admin\n").unwrap();
        let tokens = has_tokens.then(|| Arc::new(Tokens::load(&path).unwrap()));
        let cluster = has_cluster_token.then(|| Secret::new(b"cluster-token").unwrap());
        Guard::new(tokens, cluster, Arc::default(), Arc::default())
    }

    #[track_caller]
    fn denied(result: Result<Caller, Denial>, kind: ErrorKind) {
        assert_eq!(result.unwrap_err().kind, kind);
    }

    #[test]
    fn without_security_everyone_may_do_everything() {
        let guard = guard(false, false);
        assert_eq!(guard.admit(Port::Shared, PUT, None), Ok(Caller::Client(Right::Admin)));
        assert_eq!(guard.admit(Port::Shared, STREAM, None), Ok(Caller::Peer));
        denied(guard.admit(Port::Clients, STREAM, None), ErrorKind::PermissionDenied);
    }

    #[test]
    fn roles_allow_what_they_say() {
        let guard = guard(true, true);
        let with = |path: &str, token: &str| {
            guard.admit(Port::Shared, path, Some(format!("Bearer {token}").as_bytes()))
        };
        assert_eq!(with(GET, "reader-token"), Ok(Caller::Client(Right::Read)));
        denied(with(PUT, "reader-token"), ErrorKind::PermissionDenied);
        assert_eq!(with(PUT, "writer-token"), Ok(Caller::Client(Right::Write)));
        let change = "/breakwater.admin.v1.Admin/ChangeMembers";
        denied(with(change, "writer-token"), ErrorKind::PermissionDenied);
        assert_eq!(with(change, "boss-token"), Ok(Caller::Client(Right::Admin)));
        denied(with("/some.new.Service/Method", "writer-token"), ErrorKind::PermissionDenied);
        denied(with(GET, "nobodys-token"), ErrorKind::Unauthenticated);
        denied(guard.admit(Port::Shared, GET, None), ErrorKind::Unauthenticated);
        let basic = Some(&b"Basic reader-token"[..]);
        denied(guard.admit(Port::Shared, GET, basic), ErrorKind::Unauthenticated);
        guard.admit(Port::Shared, "/grpc.health.v1.Health/Check", None).unwrap();
        assert_eq!(guard.metrics.refusals(Refused::Token), 3);
        assert_eq!(guard.metrics.refusals(Refused::Permission), 3);
    }

    #[test]
    fn peers_are_peers_and_no_client_is_one() {
        let guard = guard(true, true);
        let with = |port, path: &str, token: &str| {
            guard.admit(port, path, Some(format!("Bearer {token}").as_bytes()))
        };
        for port in [Port::Shared, Port::Peers] {
            assert_eq!(with(port, STREAM, "cluster-token"), Ok(Caller::Peer));
            assert_eq!(with(port, PUT, "cluster-token"), Ok(Caller::Peer));
            denied(with(port, STREAM, "boss-token"), ErrorKind::PermissionDenied);
        }
        denied(with(Port::Peers, GET, "boss-token"), ErrorKind::PermissionDenied);
        denied(with(Port::Clients, STREAM, "cluster-token"), ErrorKind::PermissionDenied);
        denied(with(Port::Clients, GET, "cluster-token"), ErrorKind::Unauthenticated);
        assert_eq!(guard.metrics.refusals(Refused::Peer), 4);
    }

    #[test]
    fn each_kind_of_refusal_is_remembered_once_and_few_in_all() {
        let log = RefusalLog::default();
        for number in 0..1_000 {
            log.warn("request", &number.to_string());
            log.warn("request", "the same");
        }
        assert_eq!(log.seen.lock().unwrap().len(), LOGGED_REFUSALS_MAX);
    }
}
