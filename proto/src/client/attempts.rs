//! Attempts: where to, how long, how often.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message;
use tonic::Status;

use super::connections::{Connection, Connections};
use super::error::{ClientError, Failure};
use super::kv::Client;
use super::options::Travel;
use super::pipeline::PipelineCut;
use super::unary;
use crate::KvRequest;
use crate::kv::pipelined_request::Request;
use crate::kv::pipelined_response::Response;
use crate::kv::{PipelineError, PipelinedRequest};

/// The server reads no longer requests. Checked here, because the gRPC library's refusal looks like
/// a failure on the way.
const REQUEST_BYTES_MAX: usize = 4_000_000;

/// May an attempt that is in doubt be repeated?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It has no effect, so there is never a doubt.
    Read,
    /// It has an effect, and the session sees to it that there is one only.
    WriteInSession,
    /// It has an effect each time.
    Write,
}

/// One attempt at a node.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) connection: Connection,
    connections: Arc<Connections>,
    travel: Travel,
    pub(super) timeout: Duration,
}

impl Client {
    /// Performs an operation of the key-value API.
    pub(super) async fn ask<K: KvRequest>(
        &mut self,
        repeat: Repeat,
        message: K,
    ) -> Result<K::Reply, ClientError> {
        let request = PipelinedRequest { id: 0, timeout_ms: 0, request: Some(message.into()) };
        let bytes = request.encoded_len();
        if bytes > REQUEST_BYTES_MAX {
            let address = self.addresses.first().map_or("client", String::as_str);
            return Err(ClientError::Definite(Failure::too_large(address, bytes)));
        }
        let Some(request) = request.request else { unreachable!("it was set above") };
        self.operate(repeat, |attempt| {
            let request = request.clone();
            async move {
                let response = attempt.perform(request).await?;
                K::reply(response).ok_or_else(|| {
                    let cut = PipelineCut::Lost("the reply is of another request".to_owned());
                    Failure::from_cut(&attempt.connection.address, &cut)
                })
            }
        })
        .await
    }

    /// Makes attempts until one succeeds, one fails for good, or the budget ends.
    pub(super) async fn operate<R, F>(
        &mut self,
        repeat: Repeat,
        call: impl Fn(Attempt) -> F,
    ) -> Result<R, ClientError>
    where
        F: Future<Output = Result<R, Failure>>,
    {
        self.refresh();
        let deadline = Instant::now() + self.options.timeout;
        let mut backoff = self.options.backoff_min;
        let mut doubt = None;
        for attempt in 1.. {
            let failure = match self.attempt(deadline, &call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            self.choose_next(&failure);
            let in_doubt = failure.indefinite && repeat != Repeat::Read;
            if in_doubt {
                doubt = Some(failure.clone());
            }
            let may_repeat = failure.transient && !(in_doubt && repeat == Repeat::Write);
            let left = deadline.saturating_duration_since(Instant::now());
            if !may_repeat || attempt >= self.options.attempts_max || left <= backoff {
                return Err(match doubt {
                    Some(doubt) => ClientError::Indefinite(doubt),
                    None => ClientError::Definite(failure),
                });
            }
            let pause = self.random.upper_half(backoff);
            tokio::time::sleep(pause).await;
            backoff = (backoff * 2).min(self.options.backoff_max);
        }
        unreachable!("the loop ends at attempts_max at the latest")
    }

    async fn attempt<R, F>(
        &self,
        deadline: Instant,
        call: impl Fn(Attempt) -> F,
    ) -> Result<R, Failure>
    where
        F: Future<Output = Result<R, Failure>>,
    {
        let leader = if self.options.follow_leader { self.connections.leader() } else { None };
        let address = leader.as_deref().unwrap_or(&self.addresses[self.current]);
        let left = || deadline.saturating_duration_since(Instant::now());
        let patience = left().min(self.options.connect_timeout);
        let connection = self.connections.get(address, &self.options.security, patience).await?;
        let timeout = left().min(self.options.attempt_timeout);
        let result = call(Attempt {
            connection,
            connections: Arc::clone(&self.connections),
            travel: self.options.travel,
            timeout,
        });
        let result = result.await;
        if let Err(failure) = &result
            && !failure.connected
        {
            self.connections.forget(address);
        }
        result
    }

    fn choose_next(&mut self, failure: &Failure) {
        let asked_the_named = failure.leader.as_deref() == Some(failure.address.as_str());
        let named = failure.leader.clone().filter(|_| !asked_the_named);
        if named.is_none() {
            self.current = (self.current + 1) % self.addresses.len();
        }
        if self.options.follow_leader {
            self.connections.set_leader(named);
        }
    }
}

impl Attempt {
    async fn perform(&self, request: Request) -> Result<Response, Failure> {
        let address = &self.connection.address;
        match self.travel {
            Travel::Unary => {
                let connection = self.connection.clone();
                self.within(unary::call(connection, request, self.timeout)).await
            }
            Travel::Pipelined => {
                let pipeline = self.connections.pipeline(&self.connection);
                let started = Instant::now();
                match pipeline.call(request, self.timeout).await {
                    Ok(Response::Error(PipelineError { message, detail })) => {
                        let detail = detail.unwrap_or_default();
                        Err(Failure::from_detail(address, &detail, message))
                    }
                    Ok(response) => Ok(response),
                    Err(cut) => Err(Failure {
                        // A node that answers others is slow, but its connection is good.
                        connected: pipeline.has_heard_since(started) && !pipeline.is_cut(),
                        ..Failure::from_cut(address, &cut)
                    }),
                }
            }
        }
    }

    /// A call of its own, within the attempt's time.
    pub(super) async fn within<R>(
        &self,
        call: impl Future<Output = Result<R, Status>>,
    ) -> Result<R, Failure> {
        let address = &self.connection.address;
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(status)) => Err(Failure::from_status(address, &status)),
            Err(_) => Err(Failure::silent(address)),
        }
    }
}

/// A small generator of random numbers (SplitMix64), enough to spread pauses.
#[derive(Debug, Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A duration between half of this one and all of it.
    fn upper_half(&mut self, whole: Duration) -> Duration {
        let part = u32::try_from(self.next() % 1_001).unwrap_or(0);
        whole / 2 + whole / 2 * part / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_lie_in_the_upper_half_and_repeat_with_their_seed() {
        let whole = Duration::from_millis(100);
        let draw = |seed| {
            let mut random = Random(seed);
            (0..100).map(|_| random.upper_half(whole)).collect::<Vec<_>>()
        };
        assert!(draw(1).iter().all(|it| *it >= whole / 2 && *it <= whole));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
