//! A connection to one node with a session of its own, and the requests that workloads need.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::jute::{Reader, Writer, malformed};
use crate::system::outcome::Failure;

/// How long a node keeps a session of which it hears nothing.
const SESSION: Duration = Duration::from_secs(8);
/// A connection that was silent for longer is not used again.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Longest reply: the names of all elements of a set.
const REPLY_BYTES_MAX: usize = 64 << 20;
/// Everybody may do everything.
const ALL_PERMISSIONS: i32 = 31;

/// Numbers of requests (`ZooDefs.OpCode`).
const CREATE: i32 = 1;
const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const GET_CHILDREN: i32 = 8;
const SYNC: i32 = 9;

/// Numbers of errors (`KeeperException.Code`). From this one down they are answers to a request that
/// was not carried out; those above say that something is wrong with the node.
const FIRST_REFUSAL: i32 = -100;
const NO_NODE: i32 = -101;
const BAD_VERSION: i32 = -103;
const NODE_EXISTS: i32 = -110;

/// Why a request was not carried out, where a client goes on from there.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no such path.
    NoNode,
    /// The path has another version.
    BadVersion,
    /// There is such a path already.
    NodeExists,
    /// Anything else.
    Failed(Failure),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal::Failed(Failure::in_doubt(error))
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        match refusal {
            Refusal::NoNode => Failure::without_effect("there is no such path"),
            Refusal::BadVersion => Failure::without_effect("the path has another version"),
            Refusal::NodeExists => Failure::without_effect("there is such a path already"),
            Refusal::Failed(failure) => failure,
        }
    }
}

/// One session; one request at a time. After an error in doubt it must not be used again.
#[derive(Debug)]
pub(super) struct Session {
    stream: TcpStream,
    last_request: i32,
    used: Instant,
    /// The newest state that was seen.
    seen: i64,
}

impl Session {
    /// Begins a session. A node whose state is older than `seen` refuses.
    pub(super) async fn open(address: SocketAddr, seen: i64) -> io::Result<Session> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let timeout = SESSION.as_millis() as i32;
        let none = [0; 16];
        let request =
            Writer::default().int(0).long(seen).int(timeout).long(0).buffer(&none).bool(false);
        stream.write_all(&request.frame()).await?;
        let reply = read_frame(&mut stream).await?;
        let mut reply = Reader::new(&reply);
        let (_protocol, granted) = (reply.int()?, reply.int()?);
        if granted <= 0 {
            return Err(malformed("the end of the session that was asked for"));
        }
        Ok(Session { stream, last_request: 0, used: Instant::now(), seen })
    }

    /// May the node still know of it?
    pub(super) fn is_fresh(&self) -> bool {
        self.used.elapsed() < SILENCE_MAX
    }

    /// The number of the newest transaction that this session has seen.
    pub(super) fn seen(&self) -> i64 {
        self.seen
    }

    /// Waits until the node has what the leader has.
    pub(super) async fn sync(&mut self, path: &str) -> Result<(), Refusal> {
        self.request(SYNC, |it| it.buffer(path.as_bytes())).await?;
        Ok(())
    }

    /// What a path holds, and its version.
    pub(super) async fn get(&mut self, path: &str) -> Result<(Vec<u8>, i32), Refusal> {
        let reply = self.request(GET_DATA, |it| it.buffer(path.as_bytes()).bool(false)).await?;
        let mut reply = Reader::new(&reply);
        let data = reply.buffer()?.to_vec();
        // Before the version: who made it and who changed it last, both with the time.
        for _ in 0..4 {
            reply.long()?;
        }
        Ok((data, reply.int()?))
    }

    /// Sets what a path holds, if it has this version; -1 is any.
    pub(super) async fn set(
        &mut self,
        path: &str,
        data: &[u8],
        version: i32,
    ) -> Result<(), Refusal> {
        let write = |it: Writer| it.buffer(path.as_bytes()).buffer(data).int(version);
        self.request(SET_DATA, write).await?;
        Ok(())
    }

    /// Makes a path.
    pub(super) async fn create(&mut self, path: &str, data: &[u8]) -> Result<(), Refusal> {
        let write = |it: Writer| {
            let it = it.buffer(path.as_bytes()).buffer(data);
            // One rule: anybody in the world may do everything. No flags: it stays.
            it.int(1).int(ALL_PERMISSIONS).buffer(b"world").buffer(b"anyone").int(0)
        };
        self.request(CREATE, write).await?;
        Ok(())
    }

    /// The names of the paths below one.
    pub(super) async fn children(&mut self, path: &str) -> Result<Vec<String>, Refusal> {
        let reply = self.request(GET_CHILDREN, |it| it.buffer(path.as_bytes()).bool(false)).await?;
        Ok(Reader::new(&reply).strings()?)
    }

    /// Sends a request and reads its reply, without the header.
    async fn request(
        &mut self,
        kind: i32,
        body: impl FnOnce(Writer) -> Writer,
    ) -> Result<Vec<u8>, Refusal> {
        self.last_request = self.last_request.checked_add(1).unwrap_or(1);
        let request = body(Writer::default().int(self.last_request).int(kind));
        self.stream.write_all(&request.frame()).await?;
        let mut reply = read_frame(&mut self.stream).await?;
        self.used = Instant::now();
        let mut header = Reader::new(&reply);
        let (number, transaction, error) = (header.int()?, header.long()?, header.int()?);
        if number != self.last_request {
            return Err(malformed("the reply to another request").into());
        }
        self.seen = self.seen.max(transaction);
        match error {
            0 => Ok(reply.split_off(HEADER_BYTES)),
            NO_NODE => Err(Refusal::NoNode),
            BAD_VERSION => Err(Refusal::BadVersion),
            NODE_EXISTS => Err(Refusal::NodeExists),
            error if error <= FIRST_REFUSAL => {
                let reason = format!("the node refused with error {error}");
                Err(Refusal::Failed(Failure::without_effect(reason)))
            }
            error => {
                let reason = format!("the node failed with error {error}");
                Err(Refusal::Failed(Failure::in_doubt(reason)))
            }
        }
    }
}

/// The number of the request, of a transaction, and of an error.
const HEADER_BYTES: usize = 16;

async fn read_frame(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_i32().await?;
    let length = usize::try_from(length).ok().filter(|&length| length <= REPLY_BYTES_MAX);
    let mut frame = vec![0; length.ok_or_else(|| malformed("a reply of an impossible length"))?];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A node that grants a session and then answers every request with these bytes behind its number.
    async fn session_with(answer: Vec<u8>) -> Session {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_frame(&mut stream).await.unwrap();
            let granted = Writer::default().int(0).int(8000).long(1).buffer(&[0; 16]).bool(false);
            stream.write_all(&granted.frame()).await.unwrap();
            while let Ok(request) = read_frame(&mut stream).await {
                let reply = [&request[..4], &answer].concat();
                let length = i32::try_from(reply.len()).unwrap().to_be_bytes();
                stream.write_all(&[&length[..], &reply].concat()).await.unwrap();
            }
        });
        Session::open(address, 0).await.unwrap()
    }

    /// A header without the number of the request: transaction 9, and this error.
    fn header(error: i32) -> Vec<u8> {
        [&9_i64.to_be_bytes()[..], &error.to_be_bytes()].concat()
    }

    #[tokio::test]
    async fn a_path_is_read_with_its_version() {
        let mut answer = header(0);
        answer.extend(b"\0\0\0\x02ab");
        answer.extend([0; 32]);
        answer.extend(5_i32.to_be_bytes());
        answer.extend([0; 32]);
        let mut session = session_with(answer).await;
        assert_eq!(session.get("/a").await.unwrap(), (b"ab".to_vec(), 5));
        assert_eq!(session.seen(), 9);
    }

    #[tokio::test]
    async fn a_refusal_has_no_effect_and_a_failure_may_have() {
        let refused = session_with(header(BAD_VERSION)).await.set("/a", b"", 1).await;
        assert!(matches!(refused, Err(Refusal::BadVersion)), "{refused:?}");
        for (error, doubt) in [(-4, true), (-7, true), (-102, false), (-112, false)] {
            let failed = session_with(header(error)).await.create("/a", b"").await;
            assert_eq!(Failure::from(failed.unwrap_err()).is_in_doubt(), doubt, "{error}");
        }
    }
}
