//! One client's stream.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use prost::Message as _;
use proto::client::{PipelineCut, PipelineSink};
use proto::kv::pipelined_response::Response;
use proto::kv::{
    ErrorKind, PipelineRequest, PipelineResponse, PipelinedRequest, PipelinedResponse,
};
use tokio::time::{Interval, MissedTickBehavior};
use tokio_stream::Stream;
use tonic::{Status, Streaming};

use crate::bug::Bug;
use crate::driver::AnswerSink;
use crate::metrics::Refused;
use crate::security::Caller;

use super::super::admission::Admitted;
use super::super::datagrams;
use super::super::operation;
use super::super::refusal::{Access, Refusal};
use super::super::router::{Api, PAUSE, Patience, Route};
use super::super::session::open_everywhere;
use super::flight::{Flight, Flights, Whereabouts};
use super::replies::{Arrived, Replies};

/// A frame of replies is closed when it is this large (bytes), or larger by one reply.
const FRAME_BYTES: usize = 1 << 20;
/// Frames that are read before replies are looked after again.
const FRAMES_AT_ONCE: usize = 16;

/// The replies to one client's stream of requests. Reading, performing and replying all happen when
/// this is polled.
pub(in super::super) struct PipelineStream {
    api: Api,
    caller: Caller,
    /// None once the client has said everything.
    requests: Option<Streaming<PipelineRequest>>,
    flights: Flights,
    admitted: Admitted,
    replies: Arc<Replies>,
    outgoing: VecDeque<PipelinedResponse>,
    /// Sweeps over the requests in flight.
    sweep: Interval,
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_closing: bool,
}

impl PipelineStream {
    pub(in super::super) fn new(
        api: Api,
        caller: Caller,
        requests: Streaming<PipelineRequest>,
    ) -> Self {
        let mut sweep = tokio::time::interval(PAUSE);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let closes = api.clone();
        PipelineStream {
            caller,
            admitted: api.admission.party(),
            api,
            requests: Some(requests),
            flights: Flights::default(),
            replies: Arc::default(),
            outgoing: VecDeque::new(),
            sweep,
            closing: Box::pin(async move { closes.streams_close().await }),
            is_closing: false,
        }
    }

    /// Turns answers that have arrived into replies.
    fn take_answers(&mut self, cx: &Context<'_>) {
        // Until there is none, because only then will the next one wake this task.
        loop {
            let arrived = self.replies.take(cx);
            if arrived.is_empty() {
                return;
            }
            self.take_round(arrived);
        }
    }

    fn take_round(&mut self, arrived: Vec<(u64, Arrived)>) {
        let now = Instant::now();
        for (tag, arrived) in arrived {
            // Otherwise it was given up before.
            let Some(flight) = self.flights.get_mut(tag) else { continue };
            let request = &flight.request;
            let result = match (arrived, flight.whereabouts) {
                (Arrived::Here(answer), _) => self.api.reply(request, flight.group, answer),
                (Arrived::Everywhere(result), _) => result,
                (Arrived::Leader(Ok(Response::Error(error))), _) => {
                    Err(Refusal::from_leader(error))
                }
                (Arrived::Leader(Ok(response)), _) => Ok(response),
                (Arrived::Leader(Err(PipelineCut::Lost(_))), Whereabouts::Leader(leader))
                    if self.api.config.bugs.has(Bug::LostSentAgain) =>
                {
                    flight.request = operation::without_session(flight.request.clone());
                    Err(Refusal::not_leader(Some(leader)))
                }
                (Arrived::Leader(Err(cut)), Whereabouts::Leader(leader)) => {
                    Err(Refusal::from_cut(operation::access(request), leader, &cut))
                }
                // It comes from an attempt before this one, whose fate was settled then.
                (
                    Arrived::Leader(Err(_)),
                    Whereabouts::Parked | Whereabouts::Here | Whereabouts::Everywhere,
                ) => continue,
            };
            if let (Err(refusal), Whereabouts::Leader(leader)) = (&result, flight.whereabouts) {
                self.api.heed(flight.group, leader, refusal);
            }
            self.settle(tag, result, now);
        }
    }

    /// Replies, or parks the request for another attempt.
    fn settle(&mut self, tag: u64, result: Result<Response, Refusal>, now: Instant) {
        let Some(flight) = self.flights.get_mut(tag) else { return };
        if let Err(refusal) = &result {
            let place = operation::place(&flight.request);
            if flight.patience.allows_another(now, place, refusal) {
                flight.whereabouts = Whereabouts::Parked;
                return;
            }
        }
        if let Some(flight) = self.flights.remove(tag) {
            self.finish(&flight, result, now);
        }
    }

    fn finish(&mut self, flight: &Flight, result: Result<Response, Refusal>, now: Instant) {
        self.admitted.leave(1);
        let label = operation::label(&flight.request);
        let metrics = self.api.metrics_of(flight.group);
        metrics.operation(label, now.saturating_duration_since(flight.began));
        if result.is_err() {
            metrics.failure(label);
        }
        self.respond(flight.id, result);
    }

    fn respond(&mut self, id: u64, result: Result<Response, Refusal>) {
        let response = result.unwrap_or_else(|refusal| {
            if let Some(excess) = &refusal.excess {
                self.api.config.metrics.limit_hit(&excess.limit);
            }
            let address = self.api.leader_address(&refusal);
            Response::Error(refusal.into_error(address.as_ref()))
        });
        self.outgoing.push_back(PipelinedResponse { id, response: Some(response) });
    }

    /// Reads frames as long as there is room for their requests. An error ends the stream.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<(), Status> {
        let in_flight_max = self.api.config.limits.pipeline_requests_max;
        for _ in 0..FRAMES_AT_ONCE {
            let Some(requests) = &mut self.requests else { return Ok(()) };
            if self.flights.len() + self.outgoing.len() >= in_flight_max {
                return Ok(());
            }
            match Pin::new(requests).poll_next(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(None) => {
                    self.requests = None;
                    return Ok(());
                }
                Poll::Ready(Some(frame)) => self.begin(frame?),
            }
        }
        // There may be more to read; others come first.
        cx.waker().wake_by_ref();
        Ok(())
    }

    fn begin(&mut self, frame: PipelineRequest) {
        let now = Instant::now();
        let shards = self.api.shards();
        let mut tags = Vec::with_capacity(frame.requests.len());
        for PipelinedRequest { id, timeout_ms, request } in frame.requests {
            let checked = request.ok_or_else(|| {
                Refusal::definite(ErrorKind::InvalidRequest, "the request is of no known kind")
            });
            let checked = checked.and_then(|request| {
                if !self.caller.may(operation::right(&request)) {
                    self.api.config.metrics.refused(Refused::Permission);
                    return Err(Refusal::definite(
                        ErrorKind::PermissionDenied,
                        "the token's role does not allow this",
                    ));
                }
                let group = self.api.admissible(&request, &shards)?;
                self.admitted.enter()?;
                Ok((request, group))
            });
            match checked {
                Ok((request, group)) => {
                    let patience = Patience::until(now, now + self.time_for(timeout_ms));
                    let whereabouts = Whereabouts::Parked;
                    tags.push(self.flights.insert(Flight {
                        id,
                        request,
                        group,
                        patience,
                        began: now,
                        whereabouts,
                    }));
                }
                Err(refusal) => self.respond(id, Err(refusal)),
            }
        }
        self.launch(&tags, now);
    }

    /// What the server allows, or less if the client allows less. A tenth of the client's time is
    /// left for the way back.
    fn time_for(&self, timeout_ms: u32) -> Duration {
        let allowed = self.api.config.limits.request_timeout;
        match timeout_ms {
            0 => allowed,
            millis => allowed.min(Duration::from_millis(millis.into()).mul_f32(0.9)),
        }
    }

    /// Brings parked requests to where they can be performed: those for this node in one batch.
    fn launch(&mut self, tags: &[u64], now: Instant) {
        // Neighbours are often of one group.
        let mut looked_up = None;
        let mut batch = Vec::with_capacity(tags.len());
        let mut refused = Vec::new();
        for &tag in tags {
            let Some(flight) = self.flights.get_mut(tag) else { continue };
            let group = flight.group;
            let replica = match looked_up {
                Some((known, replica)) if known == group => replica,
                Some(_) | None => self.api.replica(group),
            };
            looked_up = Some((group, replica));
            match self.api.route(&flight.request, group, replica) {
                Route::Here => match operation::ask(&flight.request, &self.api.config) {
                    Ok(ask) => {
                        flight.whereabouts = Whereabouts::Here;
                        batch.push((tag, group, ask));
                    }
                    Err(refusal) => refused.push((tag, refusal)),
                },
                Route::Leader(leader) => {
                    if let Some(answer) = datagrams::send_on(&flight.request, leader) {
                        flight.whereabouts = Whereabouts::Leader(leader);
                        let replies = Arc::clone(&self.replies);
                        tokio::spawn(async move { replies.answer_of_all(tag, answer.await) });
                        continue;
                    }
                    let Some(pipeline) = self.api.forwarding.to(leader) else {
                        let refusal = Refusal::leader_unreachable(leader);
                        self.api.heed(group, leader, &refusal);
                        refused.push((tag, refusal));
                        continue;
                    };
                    flight.whereabouts = Whereabouts::Leader(leader);
                    let bound = operation::bound(flight.request.clone());
                    let left = flight.patience.deadline.saturating_duration_since(now);
                    let sink: Arc<dyn PipelineSink> = self.replies.clone();
                    if let Err(cut) = pipeline.send(bound, left, sink, tag) {
                        let access = operation::access(&flight.request);
                        refused.push((tag, Refusal::from_cut(access, leader, &cut)));
                    }
                }
                Route::Everywhere => {
                    flight.whereabouts = Whereabouts::Everywhere;
                    let (api, replies) = (self.api.clone(), Arc::clone(&self.replies));
                    let deadline = flight.patience.deadline;
                    // It ends by the deadline, at which the sweep gives the request up.
                    tokio::spawn(async move {
                        let opening = open_everywhere(api, deadline);
                        let opened = tokio::time::timeout_at(deadline.into(), opening).await;
                        let opened =
                            opened.unwrap_or_else(|_| Err(Refusal::timeout(Access::Write)));
                        replies.answer_of_all(tag, opened);
                    });
                }
                Route::Nowhere { leader } => refused.push((tag, Refusal::not_leader(leader))),
            }
        }
        if !batch.is_empty() {
            let sink: Arc<dyn AnswerSink> = self.replies.clone();
            self.api.node.submit(batch, &sink);
        }
        for (tag, refusal) in refused {
            self.settle(tag, Err(refusal), now);
        }
    }

    /// Gives up what is late, and tries again what was parked.
    fn pass_time(&mut self, cx: &mut Context<'_>) {
        while !self.flights.is_empty() && self.sweep.poll_tick(cx).is_ready() {
            let now = Instant::now();
            let (late, parked) = self.flights.late_and_parked(now);
            for tag in late {
                let Some(flight) = self.flights.remove(tag) else { continue };
                let refusal = match flight.whereabouts {
                    Whereabouts::Parked => Refusal::not_leader(None),
                    Whereabouts::Here | Whereabouts::Leader(_) | Whereabouts::Everywhere => {
                        Refusal::timeout(operation::access(&flight.request))
                    }
                };
                self.finish(&flight, Err(refusal), now);
            }
            let parked = self.route_again(parked, now);
            self.launch(&parked, now);
        }
    }

    /// Looks up the groups of parked requests anew, because keys may move to another group. What
    /// belongs to several groups now is refused.
    fn route_again(&mut self, mut parked: Vec<u64>, now: Instant) -> Vec<u64> {
        if parked.is_empty() {
            return parked;
        }
        let shards = self.api.shards();
        parked.retain(|&tag| {
            let Some(flight) = self.flights.get_mut(tag) else { return false };
            match operation::group(&flight.request, &shards) {
                Ok(group) => {
                    flight.group = group;
                    true
                }
                Err(refusal) => {
                    if let Some(flight) = self.flights.remove(tag) {
                        self.finish(&flight, Err(refusal), now);
                    }
                    false
                }
            }
        });
        parked
    }

    fn take_frame(&mut self) -> Option<PipelineResponse> {
        let mut responses = Vec::with_capacity(self.outgoing.len());
        let mut bytes = 0;
        while bytes < FRAME_BYTES
            && let Some(response) = self.outgoing.pop_front()
        {
            bytes += response.encoded_len();
            responses.push(response);
        }
        (!responses.is_empty()).then_some(PipelineResponse { responses })
    }
}

impl Stream for PipelineStream {
    type Item = Result<PipelineResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if !this.is_closing && this.closing.as_mut().poll(cx).is_ready() {
            this.is_closing = true;
        }
        this.take_answers(cx);
        if !this.is_closing
            && let Err(status) = this.read(cx)
        {
            this.requests = None;
            return Poll::Ready(Some(Err(status)));
        }
        this.pass_time(cx);
        if let Some(frame) = this.take_frame() {
            return Poll::Ready(Some(Ok(frame)));
        }
        let nothing_comes = this.requests.is_none() || this.is_closing;
        if nothing_comes && this.flights.is_empty() {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

impl fmt::Debug for PipelineStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineStream")
            .field("in_flight", &self.flights.len())
            .field("outgoing", &self.outgoing.len())
            .finish_non_exhaustive()
    }
}
