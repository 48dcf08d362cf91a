//! How a client behaves.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How a client behaves. Start from [`ClientOptions::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// Budget of one operation, with all its attempts.
    pub timeout: Duration,
    /// Budget of one attempt.
    pub attempt_timeout: Duration,
    /// Budget of connecting.
    pub connect_timeout: Duration,
    /// Attempts of one operation; 1 never repeats anything.
    pub attempts_max: u32,
    /// The pause before the second attempt; doubles with each further one. Each pause is drawn from
    /// its upper half, so that clients that failed together do not come back together.
    pub backoff_min: Duration,
    /// The longest pause between attempts.
    pub backoff_max: Duration,
    /// Go to the leader that a node names, instead of letting the nodes forward requests. Clients
    /// that share connections share what they know of the leader.
    pub follow_leader: bool,
    /// How requests travel.
    pub travel: Travel,
    /// Who the client is, and whom it trusts.
    pub security: Security,
    /// Seed of the pauses.
    pub seed: u64,
}

/// How requests travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travel {
    /// All requests to a node on one stream, as many to a frame as wait.
    Pipelined,
    /// Each request as a call of its own.
    Unary,
}

/// Who a client is, and whom it trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// TLS, if the nodes speak it.
    pub tls: Option<ClientTls>,
    /// What says who the client is, if the nodes want to know.
    pub token: Option<Token>,
}

/// Files of TLS, all PEM. They are read for each new connection, so that they can be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTls {
    /// Who vouches for the nodes.
    pub ca: PathBuf,
    /// The client's own certificate and key, if the nodes want one.
    pub identity: Option<ClientIdentity>,
    /// The name in the nodes' certificates; otherwise the host in each address.
    pub domain: Option<String>,
}

/// A certificate and its key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A bearer token. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// The token itself.
    Text(String),
    /// A file that holds it; read for each new connection.
    File(PathBuf),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Text(_) => f.write_str("Token::Text(...)"),
            Token::File(path) => f.debug_tuple("Token::File").field(path).finish(),
        }
    }
}

impl ClientOptions {
    /// A client that rides out an election.
    pub fn new() -> ClientOptions {
        ClientOptions {
            timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_millis(2_500),
            connect_timeout: Duration::from_millis(500),
            attempts_max: 100,
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_millis(500),
            follow_leader: false,
            travel: Travel::Pipelined,
            security: Security::default(),
            seed: 0,
        }
    }

    /// A client that makes one attempt within this time, for those who judge every attempt.
    pub fn single_attempt(timeout: Duration) -> ClientOptions {
        let options = ClientOptions::new();
        ClientOptions { timeout, attempt_timeout: timeout, attempts_max: 1, ..options }
    }
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions::new()
    }
}
