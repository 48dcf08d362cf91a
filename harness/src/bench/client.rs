//! What the load needs of a client, for the store and for etcd.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use proto::client::{Client as StoreKv, ClientOptions};
use tonic::transport::{Channel, Endpoint};

use crate::system::etcd::wire;

/// A connection must be there by then.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An operation of the store without an answer by then has failed. The load has a limit of its own,
/// which holds for all systems.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// An operation, or a connection, failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is no connection.
    #[error("connect to {address}: {reason}")]
    Connect {
        /// The node.
        address: SocketAddr,
        /// Why not.
        reason: String,
    },
    /// The system said so.
    #[error("{0}")]
    Refused(String),
    /// A key that was written before is not there, or has another size.
    #[error("the wrong value: {0}")]
    WrongValue(String),
}

/// Makes one operation at a time.
pub(super) trait LoadClient: Sized + 'static {
    /// Makes one connection, and clients that share it.
    fn connect(
        address: SocketAddr,
        clients: usize,
    ) -> impl Future<Output = Result<Vec<Self>, LoadError>>;

    /// Sets a key.
    fn put(&mut self, key: Bytes, value: Bytes) -> impl Future<Output = Result<(), LoadError>>;

    /// Reads a key linearizably. Returns the size of its value, or none if it does not exist.
    fn get(&mut self, key: Bytes) -> impl Future<Output = Result<Option<usize>, LoadError>>;
}

/// The store's own client: one call for each operation.
pub(super) struct StoreClient(StoreKv);

impl LoadClient for StoreClient {
    async fn connect(address: SocketAddr, clients: usize) -> Result<Vec<StoreClient>, LoadError> {
        let options = ClientOptions {
            connect_timeout: CONNECT_TIMEOUT,
            ..ClientOptions::single_attempt(OPERATION_TIMEOUT)
        };
        let mut first = StoreKv::new(vec![address.to_string()], options);
        // Makes the connection, which its siblings then find.
        first
            .status()
            .await
            .map_err(|error| LoadError::Connect { address, reason: error.to_string() })?;
        Ok((0..clients).map(|_| StoreClient(first.sibling())).collect())
    }

    async fn put(&mut self, key: Bytes, value: Bytes) -> Result<(), LoadError> {
        self.0.put(key, value).await.map(drop).map_err(|error| refused(&error))
    }

    async fn get(&mut self, key: Bytes) -> Result<Option<usize>, LoadError> {
        let read = self.0.get(key).await.map_err(|error| refused(&error))?;
        Ok(read.found.map(|found| found.value.len()))
    }
}

/// etcd's gRPC API without a client library above it, which is the least that a client can do.
pub(super) struct EtcdClient(wire::kv_client::KvClient<Channel>);

impl LoadClient for EtcdClient {
    async fn connect(address: SocketAddr, clients: usize) -> Result<Vec<EtcdClient>, LoadError> {
        let failed = |error: tonic::transport::Error| LoadError::Connect {
            address,
            reason: crate::output::chain(&error),
        };
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .map_err(failed)?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(failed)?;
        let client = || EtcdClient(wire::kv_client::KvClient::new(channel.clone()));
        Ok((0..clients).map(|_| client()).collect())
    }

    async fn put(&mut self, key: Bytes, value: Bytes) -> Result<(), LoadError> {
        let request = wire::PutRequest { key, value };
        self.0.put(request).await.map(drop).map_err(|status| refused(&status))
    }

    async fn get(&mut self, key: Bytes) -> Result<Option<usize>, LoadError> {
        let request = wire::RangeRequest { key, ..wire::RangeRequest::default() };
        let response = self.0.range(request).await.map_err(|status| refused(&status))?;
        Ok(response.into_inner().kvs.first().map(|found| found.value.len()))
    }
}

fn refused(error: &(dyn std::error::Error + 'static)) -> LoadError {
    LoadError::Refused(crate::output::chain(error))
}
