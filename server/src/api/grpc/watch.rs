//! Streams of changes.

use std::sync::Arc;
use std::time::Duration;

use proto::kv::{ErrorKind, ResponseHeader, WatchEvent, WatchRequest, WatchResponse};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::metrics::Metrics;
use crate::state_machine::ChangeEvent;
use crate::watch::{Watch, WatchBatch, WatchError};

use crate::types::GroupId;

use super::operation::{key_range, to_wire, whole_range};
use super::refusal::Refusal;
use super::router::Api;

/// Without a change for so long, a watch says how far it has come, so that it can be resumed there.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
/// Replies that wait for a slow client; what comes later stays where it is.
const REPLIES_MAX: usize = 2;

/// The replies of one watch.
pub(super) type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

/// One of the watches that there may be.
struct Place {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.watchers.decrement();
    }
}

/// Begins a watch at this node.
pub(super) fn start(api: &Api, request: &WatchRequest) -> Result<WatchStream, Refusal> {
    if request.context.is_none() {
        return Err(Refusal::definite(ErrorKind::InvalidRequest, "the request has no context"));
    }
    let limits = &api.config.limits;
    let range = key_range(request.range.as_ref(), request.prefix.as_ref(), limits)?;
    let permit = api.watches.clone().try_acquire_owned().map_err(|_| {
        let max = limits.watches_max as u64;
        Refusal::over_limit("watches", max, max + 1)
    })?;
    let group = whole_range(&api.shards())?;
    let watch = api.node.watch(group, range, request.start_revision);
    let watch = watch.map_err(|error| refusal(api, group, error))?;
    let (replies, stream) = mpsc::channel(REPLIES_MAX);
    let api = api.clone();
    api.config.metrics.watchers.increment();
    let place = Place { metrics: Arc::clone(&api.config.metrics), _permit: permit };
    tokio::spawn(async move {
        tokio::select! {
            () = run(&api, group, watch, &replies, place) => {}
            () = replies.closed() => {}
            () = api.streams_close() => {
                let stopping = Refusal::definite(ErrorKind::Stopping, "the node is shutting down");
                let _ = replies.try_send(Err(api.status_of(stopping)));
            }
        }
    });
    Ok(ReceiverStream::new(stream))
}

/// Sends replies until the watch or the client ends.
async fn run(
    api: &Api,
    group: GroupId,
    mut watch: Watch,
    replies: &mpsc::Sender<Result<WatchResponse, Status>>,
    _place: Place,
) {
    let mut batch = WatchBatch { revision: watch.reported(), events: Vec::new() };
    loop {
        let reply = reply(api, group, batch);
        let is_last = reply.is_err();
        let sent = replies.send(reply.map_err(|refusal| api.status_of(refusal))).await;
        if sent.is_err() || is_last {
            return;
        }
        batch = match tokio::time::timeout(PROGRESS_INTERVAL, watch.next()).await {
            Ok(Ok(batch)) => batch,
            Ok(Err(error)) => {
                // A client that has gone needs no reason.
                let _ = replies.send(Err(api.status_of(refusal(api, group, error)))).await;
                return;
            }
            Err(_) => WatchBatch { revision: watch.reported(), events: Vec::new() },
        };
    }
}

fn refusal(api: &Api, group: GroupId, error: WatchError) -> Refusal {
    match error {
        WatchError::NotHosted => Refusal::not_leader(api.member(group)),
        WatchError::Compacted { first_revision } => Refusal::compacted(first_revision),
        WatchError::Scattered { revision } => Refusal::scattered(revision, error.to_string()),
        WatchError::Stopping => Refusal::definite(ErrorKind::Stopping, error.to_string()),
    }
}

fn reply(api: &Api, group: GroupId, batch: WatchBatch) -> Result<WatchResponse, Refusal> {
    use prost::Message as _;

    let header = ResponseHeader {
        revision: batch.revision,
        term: api.node.leadership(group).map_or(0, |replica| replica.term.0),
        node: api.config.node.0,
        group: group.0,
    };
    let events = batch.events.into_iter().map(event).collect();
    let mut response = WatchResponse { header: Some(header), events };
    let max = api.config.limits.reply_bytes_max;
    if response.encoded_len() > max {
        // A whole revision must fit. What the keys held before is the part that can be missed.
        response.events.iter_mut().for_each(|event| event.previous = None);
    }
    let bytes = response.encoded_len();
    if bytes > max {
        return Err(Refusal::over_limit("reply-bytes", max as u64, bytes as u64));
    }
    Ok(response)
}

fn event(change: ChangeEvent) -> WatchEvent {
    let ChangeEvent { revision, key, now, previous } = change;
    let (now, previous) = (to_wire(&key, now), to_wire(&key, previous));
    WatchEvent { revision, key, now, previous }
}
