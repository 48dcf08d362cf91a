//! Snapshots over real connections, on loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proto::raft::peer_client::PeerClient;
use proto::raft::peer_server::{Peer, PeerServer};
use proto::raft::{Frame, Handshake, SnapshotAnswer, SnapshotChunk, SnapshotFrame, StreamEnd};
use proto::raft::{snapshot_answer, snapshot_frame};
use raft::eraftpb;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Response, Status, Streaming};

use super::doorkeeper::Doorkeeper;
use super::snapshot_offer::{CHUNK_BYTES_MAX, offer};
use super::snapshot_receiver::{SnapshotAnswers, SnapshotReceiver};
use super::*;
use crate::command::Versioned;
use crate::config::Mode;
use crate::founders::{Founders, FoundersRecord, Standing};
use crate::log_store::LogPosition;
use crate::membership::Configuration;
use crate::snapshot::{
    DirectoryOptions, GroupDirectory, MemorySnapshot, MemoryStaging, ReceivedSnapshot,
    SnapshotLimits, SnapshotMeta, SnapshotSource, SnapshotStaging,
};
use crate::types::{GroupId, LogIndex, NodeId, Term};

const DEADLINE: Duration = Duration::from_secs(20);
const GROUP: GroupId = GroupId(3);
const SENDER: NodeId = NodeId(1);
const RECEIVER: NodeId = NodeId(2);

const OPTIONS: TransferOptions = TransferOptions {
    chunk_bytes: 1000,
    attempts_max: 5,
    backoff_min: Duration::from_millis(5),
    backoff_max: Duration::from_millis(50),
    ..TransferOptions::STANDARD
};

type Delivered = (GroupId, eraftpb::Message, ReceivedSnapshot);

#[derive(Debug)]
struct TestInbox {
    staging: Arc<dyn SnapshotStaging>,
    /// How many snapshots it cannot take at first.
    busy: AtomicUsize,
    delivered: mpsc::UnboundedSender<Delivered>,
}

impl SnapshotInbox for TestInbox {
    fn staging(&self, group: GroupId) -> Option<Arc<dyn SnapshotStaging>> {
        (group == GROUP).then(|| Arc::clone(&self.staging))
    }

    fn deliver(&self, group: GroupId, message: eraftpb::Message, it: ReceivedSnapshot) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        if self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            return false;
        }
        self.delivered.send((group, message, it)).unwrap();
        true
    }
}

/// The part of a peer that takes snapshots.
struct ReceiverOnly(Arc<SnapshotReceiver>);

#[tonic::async_trait]
impl Peer for ReceiverOnly {
    async fn meet(&self, _request: Request<Handshake>) -> Result<Response<Handshake>, Status> {
        Err(Status::unimplemented("only snapshots"))
    }

    async fn stream(
        &self,
        _request: Request<Streaming<Frame>>,
    ) -> Result<Response<StreamEnd>, Status> {
        Err(Status::unimplemented("only snapshots"))
    }

    type SnapshotStream = SnapshotAnswers;

    async fn snapshot(
        &self,
        request: Request<Streaming<SnapshotFrame>>,
    ) -> Result<Response<SnapshotAnswers>, Status> {
        Ok(Response::new(Arc::clone(&self.0).start(request.into_inner())))
    }
}

/// A node that receives snapshots, until it is dropped.
struct World {
    address: String,
    inbox: mpsc::UnboundedReceiver<Delivered>,
    counts: Arc<TransferCounts>,
    sent: Arc<TransferCounts>,
    _stopping: watch::Sender<bool>,
}

impl World {
    async fn new(staging: Arc<dyn SnapshotStaging>) -> World {
        World::with(staging, 0, Duration::from_secs(10)).await
    }

    async fn with(
        staging: Arc<dyn SnapshotStaging>,
        busy: usize,
        frame_timeout: Duration,
    ) -> World {
        let (delivered, inbox) = mpsc::unbounded_channel();
        let inbox_end = Arc::new(TestInbox { staging, busy: busy.into(), delivered });
        let known = [SENDER, RECEIVER].map(|node| (node, "127.0.0.1:1".to_owned()));
        let peers = PeersConfig {
            introduction: introduction(RECEIVER, "test"),
            peers: known.into(),
            credentials: PeerCredentials::default(),
            metrics: Arc::default(),
        };
        let (_links, peers) = PeerLinks::start(peers, Arc::default()).unwrap();
        let door = Arc::new(Doorkeeper::new(PeerServiceConfig {
            introduction: introduction(RECEIVER, "test"),
            peers,
            directory: Directory::default(),
            metrics: Arc::default(),
            refusals: Arc::default(),
        }));
        let (stopping, stops) = watch::channel(false);
        let counts = Arc::<TransferCounts>::default();
        let mut receiver =
            SnapshotReceiver::new(RECEIVER, door, inbox_end, stops, Arc::clone(&counts));
        receiver.frame_timeout = frame_timeout;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let service = PeerServer::new(ReceiverOnly(Arc::new(receiver)));
        let router = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
        World { address, inbox, counts, sent: Arc::default(), _stopping: stopping }
    }

    fn sender(&self, cluster: &str, options: TransferOptions) -> SnapshotSender {
        self.sender_to(&self.address, cluster, options)
    }

    fn sender_to(&self, to: &str, cluster: &str, options: TransferOptions) -> SnapshotSender {
        let endpoint = Endpoint::from_shared(format!("http://{to}")).unwrap();
        let endpoints = Arc::new(Addresses([(RECEIVER, endpoint)].into()));
        let sent = Arc::clone(&self.sent);
        SnapshotSender::new(introduction(SENDER, cluster), endpoints, options, sent)
    }

    /// Speaks to it directly: sends these frames, and returns the first answers and the end.
    async fn speak(&self, frames: Vec<snapshot_frame::Frame>) -> (usize, Option<Status>) {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        let mut client = PeerClient::new(endpoint.connect().await.unwrap());
        let frames = frames.into_iter().map(|frame| SnapshotFrame { frame: Some(frame) });
        // The stream stays open, so that only what was said can end it.
        let frames = tokio_stream::StreamExt::chain(
            tokio_stream::iter(frames.collect::<Vec<_>>()),
            tokio_stream::pending(),
        );
        let talk = async {
            let mut answers = client.snapshot(frames).await.unwrap().into_inner();
            let mut resumes = 0;
            loop {
                match answers.message().await {
                    Ok(Some(SnapshotAnswer { answer })) => match answer.unwrap() {
                        snapshot_answer::Answer::Resume(_) => resumes += 1,
                        snapshot_answer::Answer::Received(_) => return (resumes, None),
                    },
                    Ok(None) => panic!("it ended without a word"),
                    Err(status) => return (resumes, Some(status)),
                }
            }
        };
        tokio::time::timeout(DEADLINE, talk).await.unwrap()
    }

    async fn delivered(&mut self) -> Delivered {
        tokio::time::timeout(DEADLINE, self.inbox.recv()).await.unwrap().unwrap()
    }
}

#[derive(Debug)]
struct Addresses(BTreeMap<NodeId, Endpoint>);

impl PeerEndpoints for Addresses {
    fn endpoint(&self, peer: NodeId) -> Option<Endpoint> {
        self.0.get(&peer).cloned()
    }

    fn credentials(&self) -> PeerCredentials {
        PeerCredentials::default()
    }
}

fn memory_staging() -> Arc<dyn SnapshotStaging> {
    Arc::new(MemoryStaging::new(SnapshotLimits::STANDARD))
}

fn position() -> LogPosition {
    LogPosition { index: LogIndex(9), term: Term(2) }
}

fn state() -> Versioned {
    let value = (0..20_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into();
    Versioned { value, revision: 3, version: 1, lease: 0 }
}

fn source() -> Arc<dyn SnapshotSource> {
    let configuration = Configuration { voters: vec![1, 2], ..Configuration::default() };
    Arc::new(MemorySnapshot::new(position(), configuration, state()))
}

fn message() -> eraftpb::Message {
    let mut message = eraftpb::Message { from: SENDER.0, to: RECEIVER.0, ..Default::default() };
    message.set_msg_type(eraftpb::MessageType::MsgSnapshot);
    message.mut_snapshot().mut_metadata().index = position().index.0;
    message.mut_snapshot().mut_metadata().term = position().term.0;
    message
}

async fn send(
    sender: &SnapshotSender,
    source: &Arc<dyn SnapshotSource>,
) -> Result<(), TransferError> {
    tokio::time::timeout(DEADLINE, start(sender, source)).await.unwrap().unwrap()
}

fn start(
    sender: &SnapshotSender,
    source: &Arc<dyn SnapshotSource>,
) -> oneshot::Receiver<Result<(), TransferError>> {
    let (done, end) = oneshot::channel();
    let source = Arc::clone(source);
    let transfer = Transfer { to: RECEIVER, group: GROUP, message: message(), source };
    sender.send(transfer, move |result| drop(done.send(result)));
    end
}

fn peer_code(result: &Result<(), TransferError>) -> Option<Code> {
    match result {
        Err(TransferError::Peer(status)) => Some(status.code()),
        _ => None,
    }
}

#[tokio::test]
async fn a_snapshot_arrives_with_its_message() {
    let mut world = World::new(memory_staging()).await;
    let source = source();
    send(&world.sender("test", OPTIONS), &source).await.unwrap();
    let (group, delivered, received) = world.delivered().await;
    assert_eq!((group, delivered), (GROUP, message()));
    assert_eq!(received.meta(), &*source.describe().unwrap());
    assert_eq!(received.decode::<Versioned>().unwrap(), state());
    let bytes = source.describe().unwrap().bytes();
    assert!(bytes > 80_000, "it takes many chunks");
    assert_eq!((world.sent.sent(), world.sent.sent_bytes()), (1, bytes));
    assert_eq!((world.counts.received(), world.counts.received_bytes()), (1, bytes));
}

/// Passes connections on; cuts each of the first ones when the client has sent so many bytes.
async fn cutting_proxy(to: String, cuts: Vec<u64>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let mut cuts = cuts.into_iter();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(&to).await.unwrap();
            let limit = cuts.next().unwrap_or(u64::MAX);
            tokio::spawn(async move {
                let (from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let mut limited = from_client.take(limit);
                tokio::select! {
                    _ = tokio::io::copy(&mut limited, &mut to_server) => {}
                    _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_cut_stream_is_gone_on_with() {
    let mut world = World::new(memory_staging()).await;
    let proxy = cutting_proxy(world.address.clone(), vec![20_000, 30_000]).await;
    let source = source();
    send(&world.sender_to(&proxy, "test", OPTIONS), &source).await.unwrap();
    let (_, _, received) = world.delivered().await;
    assert_eq!(received.decode::<Versioned>().unwrap(), state());
    let bytes = source.describe().unwrap().bytes();
    assert_eq!(world.counts.received_bytes(), bytes, "no byte is received twice");
    assert!(world.counts.receive_failures() >= 2, "it was cut twice");
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_taken_now_is_offered_again_and_not_sent_again() {
    let directory = tempfile::tempdir().unwrap();
    let options = DirectoryOptions { limits: SnapshotLimits::STANDARD, landmark: "CURRENT" };
    let open = |name| GroupDirectory::open(&directory.path().join(name), options).unwrap();
    let (mut from, to) = (open("from"), open("to"));
    let checkpoint = |to: &std::path::Path| {
        std::fs::create_dir(to).unwrap();
        std::fs::write(to.join("0.sst"), vec![7; 5000]).unwrap();
        std::fs::write(to.join("CURRENT"), "it").unwrap();
        Ok(())
    };
    let source = from.take(position(), Configuration::default(), checkpoint).unwrap();
    let mut world = World::with(to.staging(), 2, Duration::from_secs(10)).await;
    send(&world.sender("test", OPTIONS), &source).await.unwrap();
    let (_, _, received) = world.delivered().await;
    assert_eq!(world.counts.received_bytes(), 5002);
    assert_eq!((world.counts.received(), world.counts.receive_failures()), (1, 2));
    let mut to = to;
    to.install(received, |new| {
        assert_eq!(std::fs::read(new.join("0.sst")).unwrap(), vec![7; 5000]);
        Ok::<(), crate::snapshot::SnapshotError>(())
    })
    .unwrap()
    .1
    .remove();
}

/// A node that was added, so that nobody needs to know it.
fn introduction(node: NodeId, cluster: &str) -> Introduction {
    let record = FoundersRecord::new(Standing::Joined);
    let keep = Box::new(|_: &FoundersRecord| Ok(()));
    let founders = Founders::new(node, 7, BTreeSet::new(), record, keep).unwrap();
    Introduction {
        node,
        cluster: cluster.to_owned(),
        mode: Mode::Replicated,
        storage: "memory",
        shards: 1,
        advertised: Advertised::default(),
        founders: Arc::new(founders),
    }
}

fn handshake(cluster: &str) -> snapshot_frame::Frame {
    snapshot_frame::Frame::Handshake(introduction(SENDER, cluster).to(RECEIVER))
}

fn offer_with(change: impl FnOnce(&mut proto::raft::SnapshotOffer)) -> snapshot_frame::Frame {
    let mut offer = offer(GROUP, &source().describe().unwrap(), &message());
    change(&mut offer);
    snapshot_frame::Frame::Offer(offer)
}

fn chunk(data: Vec<u8>) -> SnapshotChunk {
    SnapshotChunk { file: 0, offset: 0, checksum: crc32c::crc32c(&data), data: data.into() }
}

#[tokio::test]
async fn a_corrupted_chunk_is_refused_and_sent_again() {
    let mut world = World::new(memory_staging()).await;
    let mut bad = chunk(vec![1; 1000]);
    bad.checksum ^= 1;
    let frames = vec![handshake("test"), offer_with(|_| {}), snapshot_frame::Frame::Chunk(bad)];
    let (resumes, end) = world.speak(frames).await;
    assert_eq!((resumes, end.unwrap().code()), (1, Code::DataLoss));
    assert_eq!(world.counts.received_bytes(), 0);
    send(&world.sender("test", OPTIONS), &source()).await.unwrap();
    assert_eq!(world.delivered().await.2.decode::<Versioned>().unwrap(), state());
}

/// Announces another checksum than its bytes have.
#[derive(Debug)]
struct Liar(Arc<dyn SnapshotSource>);

impl SnapshotSource for Liar {
    fn position(&self) -> LogPosition {
        self.0.position()
    }

    fn configuration(&self) -> &Configuration {
        self.0.configuration()
    }

    fn describe(&self) -> Result<Arc<SnapshotMeta>, crate::snapshot::SnapshotError> {
        let mut meta = (*self.0.describe()?).clone();
        meta.files[0].crc32c ^= 1;
        Ok(Arc::new(meta))
    }

    fn read(
        &self,
        at: crate::snapshot::FilePosition,
        length: usize,
    ) -> Result<bytes::Bytes, crate::snapshot::SnapshotError> {
        self.0.read(at, length)
    }
}

#[tokio::test]
async fn a_file_with_a_wrong_checksum_is_never_delivered() {
    let mut world = World::new(memory_staging()).await;
    let liar: Arc<dyn SnapshotSource> = Arc::new(Liar(source()));
    let options = TransferOptions { attempts_max: 3, ..OPTIONS };
    let end = send(&world.sender("test", options), &liar).await;
    assert_eq!(peer_code(&end), Some(Code::DataLoss), "{end:?}");
    assert!(world.inbox.try_recv().is_err());
    assert_eq!((world.counts.received(), world.counts.receive_failures()), (0, 3));
    let bytes = liar.describe().unwrap().bytes();
    assert_eq!(world.counts.received_bytes(), 3 * bytes, "nothing of it is kept");
}

#[tokio::test]
async fn another_cluster_is_refused_at_once() {
    let mut world = World::new(memory_staging()).await;
    let end = send(&world.sender("other", OPTIONS), &source()).await;
    assert_eq!(peer_code(&end), Some(Code::FailedPrecondition), "{end:?}");
    assert!(end.unwrap_err().to_string().contains("belongs to cluster \"other\""));
    assert!(world.inbox.try_recv().is_err());
    assert_eq!((world.sent.send_failures(), world.counts.receive_failures()), (1, 1));
}

#[tokio::test]
async fn hostile_frames_are_refused_before_anything_is_received() {
    let world = World::new(memory_staging()).await;
    let refused = async |frames: Vec<snapshot_frame::Frame>| {
        let (resumes, end) = world.speak(frames).await;
        assert_eq!(resumes, 0, "{end:?}");
        end.unwrap().code()
    };
    let offers: [fn(&mut proto::raft::SnapshotOffer); 8] = [
        |offer| offer.message = bytes::Bytes::from_static(b"\xff"),
        |offer| offer.configuration = bytes::Bytes::from_static(b"\xff"),
        |offer| offer.message = bytes::Bytes::new(),
        |offer| offer.index += 1,
        |offer| offer.term += 1,
        |offer| offer.files[0].name = "../image".to_owned(),
        |offer| offer.files[0].bytes = u64::MAX,
        |offer| offer.files.clear(),
    ];
    for change in offers {
        let code = refused(vec![handshake("test"), offer_with(change)]).await;
        assert_eq!(code, Code::FailedPrecondition);
    }
    let foreign = |offer: &mut proto::raft::SnapshotOffer| offer.group = 77;
    let code = refused(vec![handshake("test"), offer_with(foreign)]).await;
    assert_eq!(code, Code::NotFound);
    let stranger = introduction(NodeId(9), "test").to(RECEIVER);
    let odd = [
        vec![offer_with(|_| {})],
        vec![handshake("test"), handshake("test")],
        vec![snapshot_frame::Frame::Handshake(stranger), offer_with(|_| {})],
    ];
    for frames in odd {
        assert_eq!(refused(frames).await, Code::FailedPrecondition);
    }
    let chunks = [
        chunk(vec![1; CHUNK_BYTES_MAX + 1]),
        chunk(Vec::new()),
        SnapshotChunk { offset: 5, ..chunk(vec![1]) },
        SnapshotChunk { file: u32::MAX, ..chunk(vec![1]) },
    ];
    for chunk in chunks {
        let frames =
            vec![handshake("test"), offer_with(|_| {}), snapshot_frame::Frame::Chunk(chunk)];
        let (resumes, end) = world.speak(frames).await;
        assert_eq!((resumes, end.unwrap().code()), (1, Code::FailedPrecondition));
    }
}

#[tokio::test]
async fn a_silent_sender_loses_its_place() {
    let world = World::with(memory_staging(), 0, Duration::from_millis(50)).await;
    let (resumes, end) = world.speak(vec![handshake("test"), offer_with(|_| {})]).await;
    assert_eq!((resumes, end.unwrap().code()), (1, Code::DeadlineExceeded));
    send(&world.sender("test", OPTIONS), &source()).await.unwrap();
}

#[tokio::test]
async fn one_snapshot_of_a_group_is_on_its_way_to_a_peer_and_ends_with_the_sender() {
    let world = World::new(memory_staging()).await;
    let slow = TransferOptions { bytes_per_second_max: Some(1), ..OPTIONS };
    let sender = world.sender("test", slow);
    let first = start(&sender, &source());
    let second = send(&sender, &source()).await;
    assert!(matches!(second, Err(TransferError::UnderWay)), "{second:?}");
    drop(sender);
    let end = tokio::time::timeout(DEADLINE, first).await.unwrap().unwrap();
    assert!(matches!(end, Err(TransferError::Stopping)), "{end:?}");
    assert_eq!(world.sent.send_failures(), 2);
}

#[tokio::test]
async fn a_transfer_waits_for_its_turn_and_not_for_ever() {
    let world = World::new(memory_staging()).await;
    let options = TransferOptions {
        transfers_max: 1,
        turn_timeout: Duration::from_millis(50),
        bytes_per_second_max: Some(1),
        ..OPTIONS
    };
    let sender = world.sender("test", options);
    let first = start(&sender, &source());
    let (done, end) = oneshot::channel();
    let other = Transfer { to: NodeId(3), group: GROUP, message: message(), source: source() };
    sender.send(other, move |result| drop(done.send(result)));
    let end = tokio::time::timeout(DEADLINE, end).await.unwrap().unwrap();
    assert!(matches!(end, Err(TransferError::NoTurn(_))), "{end:?}");
    drop((sender, first));
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_tried_a_few_times() {
    let world = World::new(memory_staging()).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sender = world.sender_to(&nobody.to_string(), "test", OPTIONS);
    let end = send(&sender, &source()).await;
    assert!(matches!(end, Err(TransferError::Connect(_))), "{end:?}");
    assert_eq!(world.sent.send_failures(), 1);
}
