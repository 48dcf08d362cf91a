//! Four times as many requests as a node takes at once: the others are refused, and those that it
//! takes are served as fast as ever, in as much memory as ever.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use prost::Message as _;
use proto::client::ErrorKind;
use proto::kv::kv_client::KvClient;
use proto::kv::pipelined_request::Request;
use proto::kv::pipelined_response::Response;
use proto::kv::{
    ErrorDetail, PipelineRequest, PipelinedRequest, PutRequest, RequestContext, WatchRequest,
};
use server::Limits;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;

/// Requests that the node takes at once.
const FIT: u64 = 64;
const OVERLOAD: usize = 4;
const KEYS: u64 = 100;
const VALUE_BYTES: usize = 1_024;
/// For each measurement.
const FRAMES: usize = 100;
/// A request that is let in waits for those that were let in before it, never for those that are
/// refused. Each takes milliseconds; a busy machine is allowed this much.
const LATENCY_MAX: Duration = Duration::from_secs(1);
/// Memory may grow by this much between the two measurements. Four times the requests in flight are
/// 256 KiB; the rest is for the allocator.
const GROWTH_MAX: u64 = 32 << 20;

/// A node in a process of its own, whose memory is nobody else's.
struct Process(Child);

impl Process {
    fn start(address: &str) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
        command
            .args(["serve", "--node=1", "--storage=memory", "--tick=20ms"])
            .arg(format!("--peers=1={address}"))
            .arg(format!("--set=limits.concurrent-requests={FIT}"))
            // So that what the log keeps is the same in both measurements.
            .args(["--snapshot-entries=1000", "--set=limits.pipeline-requests=1024"])
            .env("RUST_LOG", "warn");
        Process(command.spawn().unwrap())
    }

    /// Resident memory in bytes.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Debug, Default)]
struct Measured {
    /// Of requests that were let in.
    latencies: Vec<Duration>,
    refused: usize,
}

/// A client that always has [`FIT`] requests in flight.
async fn press(channel: Channel) -> Measured {
    let (frames, stream) = mpsc::channel(1);
    let mut client = KvClient::new(channel);
    let mut replies = client.pipeline(ReceiverStream::new(stream)).await.unwrap().into_inner();
    let mut measured = Measured::default();
    for _ in 0..FRAMES {
        let requests = (0..FIT).map(put).collect();
        let sent = Instant::now();
        frames.send(PipelineRequest { requests }).await.unwrap();
        let mut missing = FIT as usize;
        while missing > 0 {
            let frame = replies.message().await.unwrap().unwrap();
            missing -= frame.responses.len();
            for reply in frame.responses {
                match reply.response.unwrap() {
                    Response::Put(_) => measured.latencies.push(sent.elapsed()),
                    Response::Error(error) => {
                        let detail = error.detail.unwrap();
                        assert_eq!((detail.kind(), detail.indefinite), (ErrorKind::Busy, false));
                        assert_eq!(detail.limit, "requests-in-flight");
                        assert!(detail.limit_max == FIT && detail.limit_asked > FIT, "{detail:?}");
                        measured.refused += 1;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    measured
}

fn put(id: u64) -> PipelinedRequest {
    let put = PutRequest {
        context: Some(RequestContext::default()),
        key: (id % KEYS).to_string().into(),
        value: vec![7; VALUE_BYTES].into(),
        ..PutRequest::default()
    };
    PipelinedRequest { id, timeout_ms: 0, request: Some(Request::Put(put)) }
}

async fn connect(address: &str) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    eventually("the node takes connections", async || endpoint.connect().await.ok()).await
}

async fn measure(address: &str, clients: usize) -> Measured {
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        tasks.spawn(press(connect(address).await));
    }
    let mut all = Measured::default();
    for measured in tasks.join_all().await {
        all.latencies.extend(measured.latencies);
        all.refused += measured.refused;
    }
    all.latencies.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_let_in_is_served_in_time_and_memory_stays() {
    let address = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let process = Process::start(&address);
    let mut admin = proto::client::Client::new(vec![address.clone()], Default::default());
    eventually("the node leads", async || admin.put("k", "v").await.ok()).await;

    let fits = measure(&address, 1).await;
    assert_eq!((fits.refused, fits.latencies.len()), (0, FRAMES * FIT as usize));
    let before = process.memory();
    let over = measure(&address, OVERLOAD).await;
    let after = process.memory();
    assert!(over.refused > 0, "there was no overload");
    assert_eq!(over.refused + over.latencies.len(), OVERLOAD * FRAMES * FIT as usize);
    let p99 = over.latencies[over.latencies.len() * 99 / 100];
    assert!(p99 < LATENCY_MAX, "{p99:?}");
    assert!(after < before + GROWTH_MAX, "from {before} to {after} bytes");
    // And when it is over, nobody is refused.
    let again = measure(&address, 1).await;
    assert_eq!(again.refused, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_over_the_limit_are_refused_and_say_so() {
    let limits = Limits { watches_max: 2, ..Limits::STANDARD };
    let cluster = Cluster::start_with_limits(1, Kind::Memory, limits).await;
    let mut client = KvClient::new(cluster.channel(1).await);
    let request =
        WatchRequest { context: Some(RequestContext::default()), ..WatchRequest::default() };
    let first = client.watch(request.clone()).await.unwrap();
    let _second = client.watch(request.clone()).await.unwrap();
    let status = client.watch(request.clone()).await.unwrap_err();
    let detail = ErrorDetail::decode(status.details()).unwrap();
    assert_eq!((detail.kind(), detail.limit.as_str()), (ErrorKind::LimitExceeded, "watches"));
    assert_eq!((detail.limit_max, detail.limit_asked), (2, 3));
    // One that goes makes room.
    drop(first);
    eventually("there is room again", async || client.watch(request.clone()).await.ok()).await;
}
