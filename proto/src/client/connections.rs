//! Connections to nodes, made when they are needed.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{ConnectError, Status};

use super::error::{Failure, describe};

const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Open connections by address.
#[derive(Debug, Default)]
pub(super) struct Connections {
    channels: Mutex<BTreeMap<String, Channel>>,
}

impl Connections {
    /// The connection to this address, made within the timeout if there is none. A failure is
    /// always definite, because no request has been sent.
    pub(super) async fn get(&self, address: &str, timeout: Duration) -> Result<Channel, Failure> {
        if let Some(channel) = self.lock().get(address) {
            return Ok(channel.clone());
        }
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .map_err(|error| Failure::unreachable(address, describe(&error)))?
            .connect_timeout(timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        let channel = match tokio::time::timeout(timeout, endpoint.connect()).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return Err(Failure::unreachable(address, describe(&error))),
            Err(_) => return Err(Failure::unreachable(address, "no connection in time".into())),
        };
        self.lock().insert(address.to_owned(), channel.clone());
        Ok(channel)
    }

    /// Forgets a connection that failed, so that the next attempt makes a new one and knows for
    /// sure when that fails that nothing was sent.
    pub(super) fn forget(&self, address: &str) {
        self.lock().remove(address);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Channel>> {
        // A map of handles is never left half changed.
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
