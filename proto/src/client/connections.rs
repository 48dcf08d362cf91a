//! Connections to nodes, made when they are needed, and what clients that share them know together.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{ConnectError, Request, Status};

use super::error::{Failure, describe};
use super::options::{ClientTls, Security, Token};
use super::pipeline::Pipeline;

const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);
/// What a node may have on the way unacknowledged.
const WINDOW_BYTES: u32 = 4 << 20;

/// Open connections by address.
#[derive(Debug, Default)]
pub(super) struct Connections {
    shared: Mutex<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    open: BTreeMap<String, Connection>,
    /// Where a node said that the leader is.
    leader: Option<String>,
    /// Clients that share this, apart from the first.
    siblings: u64,
}

/// A connection to one node.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) address: String,
    pub(super) channel: Channel,
    authorization: Option<AsciiMetadataValue>,
    /// Opened by the first request that wants one.
    pipeline: Option<Pipeline>,
}

impl Connections {
    /// The connection to this address, made within the timeout if there is none. A failure is
    /// always definite, because no request has been sent.
    pub(super) async fn get(
        &self,
        address: &str,
        security: &Security,
        timeout: Duration,
    ) -> Result<Connection, Failure> {
        if let Some(connection) = self.lock().open.get(address) {
            return Ok(connection.clone());
        }
        let authorization = security.token.as_ref().map(bearer).transpose()?;
        let endpoint = endpoint(address, security.tls.as_ref(), timeout)?;
        let channel = match tokio::time::timeout(timeout, endpoint.connect()).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return Err(Failure::unreachable(address, describe(&error))),
            Err(_) => return Err(Failure::unreachable(address, "no connection in time".into())),
        };
        let address = address.to_owned();
        let connection = Connection { address, channel, authorization, pipeline: None };
        // Of several clients that connect at once, the first one's connection is everyone's.
        let mut shared = self.lock();
        let entry = shared.open.entry(connection.address.clone());
        Ok(entry.or_insert(connection).clone())
    }

    /// The stream of requests on this connection; opened if there is none, or if it ended.
    pub(super) fn pipeline(&self, connection: &Connection) -> Pipeline {
        let usable = |it: &&Pipeline| !it.is_cut();
        if let Some(pipeline) = connection.pipeline.as_ref().filter(usable) {
            return pipeline.clone();
        }
        let open = || Pipeline::open(connection.channel.clone(), connection.authorization.clone());
        match self.lock().open.get_mut(&connection.address) {
            Some(shared) => match shared.pipeline.as_ref().filter(usable) {
                Some(pipeline) => pipeline.clone(),
                None => shared.pipeline.insert(open()).clone(),
            },
            // The connection was forgotten meanwhile.
            None => open(),
        }
    }

    /// Forgets a connection that failed, so that the next attempt makes a new one and knows for
    /// sure when that fails that nothing was sent.
    pub(super) fn forget(&self, address: &str) {
        self.lock().open.remove(address);
    }

    /// Where the leader is said to be.
    pub(super) fn leader(&self) -> Option<String> {
        self.lock().leader.clone()
    }

    pub(super) fn set_leader(&self, leader: Option<String>) {
        self.lock().leader = leader;
    }

    /// A number for the next client that shares this, from 1.
    pub(super) fn next_sibling(&self) -> u64 {
        let mut shared = self.lock();
        shared.siblings += 1;
        shared.siblings
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A map of handles is never left half changed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// A call of its own on this connection.
    pub(super) fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }
}

fn endpoint(
    address: &str,
    tls: Option<&ClientTls>,
    timeout: Duration,
) -> Result<Endpoint, Failure> {
    let unusable = |error: tonic::transport::Error| {
        Failure::unusable(format!("use the address {address:?}: {}", describe(&error)))
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
        .map_err(unusable)?
        .connect_timeout(timeout)
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES * 2)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    if let Some(tls) = tls {
        let mut config =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(&tls.ca)?));
        if let Some(identity) = &tls.identity {
            let (certificate, key) = (read(&identity.certificate)?, read(&identity.key)?);
            config = config.identity(Identity::from_pem(certificate, key));
        }
        if let Some(domain) = &tls.domain {
            config = config.domain_name(domain);
        }
        endpoint = endpoint.tls_config(config).map_err(unusable)?;
    }
    Ok(endpoint)
}

fn bearer(token: &Token) -> Result<AsciiMetadataValue, Failure> {
    let text = match token {
        Token::Text(text) => text.clone(),
        Token::File(path) => String::from_utf8(read(path)?)
            .map_err(|_| Failure::unusable(format!("{}: a token is text", path.display())))?,
    };
    let mut value: AsciiMetadataValue = format!("Bearer {}", text.trim())
        .parse()
        .map_err(|_| Failure::unusable("a token has visible ASCII characters only".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::unusable(format!("read {}: {error}", path.display())))
}

/// Is it certain that the request of this status never left this process, because there was no
/// connection?
pub fn was_not_sent(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(cause) = source {
        if cause.is::<ConnectError>() {
            return true;
        }
        source = cause.source();
    }
    false
}
