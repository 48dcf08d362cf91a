//! Changes of keys, in order.

use std::time::Instant;

use bytes::Bytes;
use tonic::Streaming;

use super::attempts::Repeat;
use super::error::{ClientError, Failure};
use super::kv::Client;
use super::scan::Keys;
use super::types::{Header, KeyValue, header, key_value};
use crate::kv::kv_client::KvClient;
use crate::kv::{WatchRequest, WatchResponse};

/// Replies are as large as the largest revision (bytes).
const REPLY_BYTES_MAX: usize = 64 << 20;

/// A key changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The log index of the change.
    pub revision: u64,
    /// The key.
    pub key: Bytes,
    /// What it holds now; none: it was deleted.
    pub now: Option<KeyValue>,
    /// What it held before.
    pub previous: Option<KeyValue>,
}

/// All changes of one or several whole revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Who reported them. Everything up to `header.revision` has been reported now.
    pub header: Header,
    /// In order.
    pub changes: Vec<Change>,
}

/// A watch. It survives the loss of its connection: it goes on at another node, or at the same one,
/// behind the last revision that it reported.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    keys: Keys,
    /// The next revision that is wanted; 0 before the first reply.
    next_revision: u64,
    stream: Option<(String, Streaming<WatchResponse>)>,
}

impl Client {
    /// Watches keys from this revision on; 0: from now on. Returns once the watch is in force, so
    /// that no later change is missed.
    pub async fn watch(&self, keys: Keys, start_revision: u64) -> Result<Watch, ClientError> {
        let client = self.sibling();
        let mut watch = Watch { client, keys, next_revision: start_revision, stream: None };
        watch.connect().await?;
        Ok(watch)
    }
}

impl Watch {
    /// The next revision that will be reported, if there are changes in it.
    pub fn next_revision(&self) -> u64 {
        self.next_revision
    }

    /// Waits for the next changes. After an error that is not about the watch itself, such as no
    /// node being there within the budget, it can be called again, and nothing is lost. Nothing is
    /// lost either if the future is dropped.
    pub async fn next(&mut self) -> Result<Changes, ClientError> {
        loop {
            let Some((address, stream)) = &mut self.stream else {
                self.connect().await?;
                continue;
            };
            let failure = match stream.message().await {
                Ok(Some(reply)) => match self.take(reply) {
                    Some(changes) => return Ok(changes),
                    None => continue,
                },
                Ok(None) => None,
                Err(status) => Some(Failure::from_status(address, &status)),
            };
            self.client.connections.forget(&address.clone());
            self.stream = None;
            if let Some(failure) = failure.filter(|failure| !failure.transient) {
                return Err(ClientError::Definite(failure));
            }
        }
    }

    /// What of a reply was not reported before.
    fn take(&mut self, reply: WatchResponse) -> Option<Changes> {
        let header = header(reply.header);
        let next_revision = self.next_revision;
        let new = |revision| revision >= next_revision;
        let changes: Vec<Change> = reply
            .events
            .into_iter()
            .filter(|event| new(event.revision))
            .map(|event| Change {
                revision: event.revision,
                key: event.key,
                now: key_value(event.now),
                previous: key_value(event.previous),
            })
            .collect();
        self.next_revision = self.next_revision.max(header.revision + 1);
        (!changes.is_empty()).then_some(Changes { header, changes })
    }

    /// Opens a stream and waits for its first reply, which says from where on it reports.
    async fn connect(&mut self) -> Result<(), ClientError> {
        let (range, prefix) = self.keys.clone().into_wire();
        let context = self.client.read_context();
        let start_revision = self.next_revision;
        let message = WatchRequest { context, range, prefix, start_revision };
        let started = Instant::now();
        let (address, stream, first) = self
            .client
            .operate(Repeat::Read, |attempt| {
                let message = message.clone();
                async move {
                    let connection = &attempt.connection;
                    let mut client = KvClient::new(connection.channel.clone())
                        .max_decoding_message_size(REPLY_BYTES_MAX);
                    let mut stream = attempt
                        .within(client.watch(connection.request(message)))
                        .await?
                        .into_inner();
                    let first = attempt.within(stream.message()).await?;
                    let address = connection.address.clone();
                    let ended = || {
                        let patience = started.elapsed();
                        let message = format!("the watch ended at once, after {patience:?}");
                        Failure::unreachable(&address, message)
                    };
                    let first = first.ok_or_else(ended)?;
                    Ok((address, stream, first))
                }
            })
            .await?;
        self.stream = Some((address, stream));
        // The first reply has no events.
        self.take(first);
        Ok(())
    }
}
