//! The client itself, and its operations on single keys.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;

use super::attempts::{Random, Repeat};
use super::cluster_file::{ClusterFileError, ClusterWatch};
use super::connections::Connections;
use super::error::ClientError;
use super::options::ClientOptions;
use super::types::{Read, Swapped, Written, header, key_value};
use crate::kv::{
    AppendRequest, CompareAndSetRequest, DeleteRequest, GetRequest, OpenSessionRequest, PutRequest,
    ReadMode, RequestContext,
};

/// Talks to one node, or to any of several. Makes one operation at a time, which is what a session
/// needs; clients that share connections come from [`Client::sibling`].
#[derive(Debug)]
pub struct Client {
    pub(super) addresses: Vec<String>,
    pub(super) options: ClientOptions,
    pub(super) connections: Arc<Connections>,
    /// Which address is asked next.
    pub(super) current: usize,
    pub(super) random: Random,
    session: Option<Session>,
    cluster: Option<Arc<Mutex<Cluster>>>,
    /// The generation of `cluster` that `addresses` are of.
    generation: u64,
}

#[derive(Debug, Clone, Copy)]
struct Session {
    id: u64,
    /// The last sequence number that was used.
    sequence: u64,
}

/// A cluster file that several clients share.
#[derive(Debug)]
struct Cluster {
    watch: ClusterWatch,
    /// Counts the changes of the file.
    generation: u64,
}

impl Client {
    /// A client of these nodes, each `host:port`. Connects when the first operation needs it.
    ///
    /// # Panics
    ///
    /// If there is no address.
    pub fn new(addresses: Vec<String>, options: ClientOptions) -> Client {
        assert!(!addresses.is_empty(), "a client needs an address");
        Client {
            addresses,
            connections: Arc::new(Connections::default()),
            current: 0,
            random: Random(options.seed),
            session: None,
            cluster: None,
            generation: 0,
            options,
        }
    }

    /// A client of the nodes that a cluster file names. The file is looked at before an operation,
    /// at most once a second, and read again when it has changed. What it says of security replaces
    /// what the options say.
    pub fn from_cluster_file(
        path: &Path,
        options: ClientOptions,
    ) -> Result<Client, ClusterFileError> {
        let watch = ClusterWatch::open(path)?;
        let addresses = watch.content().nodes.values().cloned().collect();
        let mut client = Client::new(addresses, options);
        if let Some(security) = &watch.content().security {
            client.options.security = security.clone();
        }
        client.cluster = Some(Arc::new(Mutex::new(Cluster { watch, generation: 0 })));
        Ok(client)
    }

    /// Another client that shares this one's connections and cluster file, but not its session.
    pub fn sibling(&self) -> Client {
        Client {
            addresses: self.addresses.clone(),
            options: self.options.clone(),
            connections: Arc::clone(&self.connections),
            current: self.current,
            random: Random(self.options.seed.wrapping_add(self.connections.next_sibling())),
            session: None,
            cluster: self.cluster.clone(),
            generation: self.generation,
        }
    }

    /// Opens a session and carries it from now on: a write that is in doubt is then repeated until
    /// its budget ends, and takes effect once.
    pub async fn open_session(&mut self) -> Result<u64, ClientError> {
        let no_forward = self.options.follow_leader;
        let message = OpenSessionRequest { no_forward, ..OpenSessionRequest::default() };
        // A session that nobody knows of is harmless, so opening one can be repeated at will.
        let response = self.ask(Repeat::Read, message).await?;
        self.session = Some(Session { id: response.session, sequence: 0 });
        Ok(response.session)
    }

    /// Goes on without a session.
    pub fn forget_session(&mut self) {
        self.session = None;
    }

    /// Reads a key; sees every write that was acknowledged before.
    pub async fn get(&mut self, key: impl Into<Bytes>) -> Result<Read, ClientError> {
        self.get_with(key, ReadMode::Linearizable).await
    }

    /// Reads a key.
    pub async fn get_with(
        &mut self,
        key: impl Into<Bytes>,
        mode: ReadMode,
    ) -> Result<Read, ClientError> {
        let context = self.read_context();
        let message = GetRequest { context, key: key.into(), mode: mode.into() };
        let response = self.ask(Repeat::Read, message).await?;
        Ok(Read { header: header(response.header), found: key_value(response.found) })
    }

    /// Sets a key.
    pub async fn put(
        &mut self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
    ) -> Result<Written, ClientError> {
        self.put_with_lease(key, value, 0).await
    }

    /// Sets a key that is deleted when this lease ends; 0 for none.
    pub async fn put_with_lease(
        &mut self,
        key: impl Into<Bytes>,
        value: impl Into<Bytes>,
        lease: u64,
    ) -> Result<Written, ClientError> {
        let (repeat, context) = self.write_context();
        let message = PutRequest { context, key: key.into(), value: value.into(), lease };
        let response = self.ask(repeat, message).await?;
        Ok(Written { header: header(response.header), previous: key_value(response.previous) })
    }

    /// Removes a key.
    pub async fn delete(&mut self, key: impl Into<Bytes>) -> Result<Written, ClientError> {
        let (repeat, context) = self.write_context();
        let response = self.ask(repeat, DeleteRequest { context, key: key.into() }).await?;
        Ok(Written { header: header(response.header), previous: key_value(response.previous) })
    }

    /// Adds bytes at the end of a value; a key that does not exist counts as empty.
    pub async fn append(
        &mut self,
        key: impl Into<Bytes>,
        suffix: impl Into<Bytes>,
    ) -> Result<Written, ClientError> {
        let (repeat, context) = self.write_context();
        let message = AppendRequest { context, key: key.into(), suffix: suffix.into() };
        let response = self.ask(repeat, message).await?;
        Ok(Written { header: header(response.header), previous: key_value(response.previous) })
    }

    /// Sets a key if it has the expected value; none: if it does not exist.
    pub async fn compare_and_set(
        &mut self,
        key: impl Into<Bytes>,
        expected: Option<Bytes>,
        value: impl Into<Bytes>,
    ) -> Result<Swapped, ClientError> {
        let (repeat, context) = self.write_context();
        let message =
            CompareAndSetRequest { context, key: key.into(), expected, value: value.into() };
        let response = self.ask(repeat, message).await?;
        Ok(Swapped {
            header: header(response.header),
            swapped: response.swapped,
            previous: key_value(response.previous),
        })
    }

    pub(super) fn read_context(&self) -> Option<RequestContext> {
        let no_forward = self.options.follow_leader;
        Some(RequestContext { session: 0, sequence: 0, no_forward })
    }

    pub(super) fn write_context(&mut self) -> (Repeat, Option<RequestContext>) {
        let no_forward = self.options.follow_leader;
        match &mut self.session {
            None => {
                let context = RequestContext { session: 0, sequence: 0, no_forward };
                (Repeat::Write, Some(context))
            }
            Some(Session { id, sequence }) => {
                *sequence += 1;
                let context = RequestContext { session: *id, sequence: *sequence, no_forward };
                (Repeat::WriteInSession, Some(context))
            }
        }
    }

    /// Takes over what the cluster file says, if it changed.
    pub(super) fn refresh(&mut self) {
        let Some(cluster) = &self.cluster else { return };
        let mut cluster = lock(cluster);
        if cluster.watch.look(Instant::now()).is_some() {
            cluster.generation += 1;
        }
        if cluster.generation == self.generation {
            return;
        }
        let content = cluster.watch.content();
        let addresses: Vec<String> = content.nodes.values().cloned().collect();
        let security = content.security.clone();
        if security.is_some() && security.as_ref() != Some(&self.options.security) {
            self.addresses.iter().for_each(|address| self.connections.forget(address));
            self.options.security = security.unwrap_or_default();
        }
        for gone in self.addresses.iter().filter(|address| !addresses.contains(address)) {
            self.connections.forget(gone);
        }
        if self.connections.leader().is_some_and(|leader| !addresses.contains(&leader)) {
            self.connections.set_leader(None);
        }
        self.generation = cluster.generation;
        self.addresses = addresses;
        self.current = 0;
    }
}

fn lock(cluster: &Mutex<Cluster>) -> MutexGuard<'_, Cluster> {
    // A reader of files never leaves it half changed.
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}
