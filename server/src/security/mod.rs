//! Who may talk to a server, and what they may ask.
//!
//! ```text
//! TCP ──Gate──> TLS handshake ──> Connection ──Guard──> service
//!       │ too many    │ no TLS, no or a wrong certificate │ token, role, port
//!       └─────────────┴──────── refused, counted, logged ─┘
//! ```
//!
//! Whom we defend against: someone who can reach the ports, reads and writes what is on the wire,
//! and has no key, token or certificate of this cluster. What that takes:
//!
//! - clients prove who they are with a certificate (`client-tls.ca`), a token (`token-file`), or
//!   both; a token without TLS can be overheard, and is for loopback;
//! - peers prove it with a certificate of a CA of their own (`peer-tls.ca`), or with the cluster's
//!   token; a client's certificate or token is worth nothing on the peers' port;
//! - a request that a node sends on for a client travels as the node's: the node that took it from
//!   the client has checked the client's right, and no other way leads to the peers' port;
//! - what arrives before all that is proven is bounded in number, bytes and time.
//!
//! Tokens and certificates are read again when their files change; connections that are open stay.
//!
//! Not defended against: a node of the cluster that lies (Raft trusts its members), and someone who
//! can read the data directory or the key files.
//!
//! Without any of this a server listens on loopback only, unless it is told `--insecure-bind`.

mod gate;
mod guard;
mod reload;
mod tls;
mod tokens;

pub use gate::{Connection, Gate, Incoming, Protocol};
pub use guard::{Caller, Denial, Guard, Port, RefusalLog};
pub use reload::{Reload, follow_files};
pub use tls::{PeerTls, ServerTls, TlsError};
#[cfg(any(test, fuzzing))]
pub use tokens::fuzz as tokens_fuzz;
pub use tokens::{Right, Secret, TokenError, Tokens};
