//! The client program of an adapter: one JSON object a line, a request and its reply.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Deserializer, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use workloads::history::{EventKind, Value};

use super::Adapter;
use super::messages::Messages;

/// Longest reply.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// What the program is asked.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(super) enum Request<'a> {
    /// Comes first: whom to speak to, and what about.
    Open {
        /// The workload.
        workload: &'a str,
        /// The name of the run, unlike that of any other.
        run: &'a str,
        /// The node.
        address: String,
    },
    /// An operation.
    Invoke { f: &'a str, key: Option<&'a Value>, value: &'a Value },
    /// Does the node serve, and does it lead?
    Status,
}

/// What programs are started for.
#[derive(Debug, Clone)]
pub(super) struct Purpose {
    pub(super) workload: &'static str,
    pub(super) run: String,
    /// Where goes what they write to stderr.
    pub(super) messages: Messages,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReplyKind {
    /// It took effect.
    Ok,
    /// It had no effect and never will.
    Fail,
    /// It may have had its effect.
    Info,
}

impl From<ReplyKind> for EventKind {
    fn from(kind: ReplyKind) -> EventKind {
        match kind {
            ReplyKind::Ok => EventKind::Ok,
            ReplyKind::Fail => EventKind::Fail,
            ReplyKind::Info => EventKind::Info,
        }
    }
}

/// What it answers.
#[derive(Debug, Deserialize)]
pub(super) struct Reply {
    #[serde(rename = "type")]
    pub(super) kind: ReplyKind,
    /// None if the reply has no such field, which is something else than null.
    #[serde(default, deserialize_with = "present")]
    pub(super) value: Option<Value>,
    pub(super) error: Option<String>,
    /// Of a status: does the node believe that it leads?
    #[serde(default)]
    pub(super) leads: bool,
    /// Of a status: of two that believe to lead, the one with the higher term does.
    #[serde(default)]
    pub(super) term: u64,
}

fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(field).map(Some)
}

/// A program that runs. Ends with this value.
pub(super) struct Program {
    child: Child,
    stream: BufReader<UnixStream>,
}

impl Program {
    /// Starts it, and tells it which node to speak to. Its messages are shown as those of `name`.
    pub(super) async fn start(
        adapter: &Adapter,
        purpose: &Purpose,
        name: &str,
        address: SocketAddr,
    ) -> io::Result<Program> {
        let argv = adapter.client_argv();
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let input = OwnedFd::from(theirs.try_clone()?);
        let [program, arguments @ ..] = argv.as_slice() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("run {program}: {error}")))?;
        let stderr = child.stderr.take();
        let writer = format!("{name} [{}]", child.id());
        let stream = BufReader::new(UnixStream::from_std(ours)?);
        let mut program = Program { child, stream };
        let Purpose { workload, run, messages } = purpose;
        if let Some(stderr) = stderr {
            messages.take(writer, stderr.into())?;
        }
        let open = Request::Open { workload, run, address: address.to_string() };
        match program.ask(&open).await? {
            Reply { kind: ReplyKind::Ok, .. } => Ok(program),
            reply => Err(io::Error::other(match reply.error {
                Some(error) => format!("the client program did not open: {error}"),
                None => "the client program did not open".to_owned(),
            })),
        }
    }

    /// Asks, and waits for the answer. After an error the program is of no use any more.
    pub(super) async fn ask(&mut self, request: &Request<'_>) -> io::Result<Reply> {
        self.refuse_unasked()?;
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes()).await.map_err(ended)?;
        let mut reply = String::new();
        (&mut self.stream).take(LINE_BYTES_MAX).read_line(&mut reply).await.map_err(ended)?;
        if !reply.ends_with('\n') {
            return Err(ended(io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_str(&reply).map_err(|error| {
            let shown = shortened(reply.trim_end());
            io::Error::other(format!(
                "the client program answered `{shown}`, which is no reply: {error}"
            ))
        })
    }

    /// A line that nobody asked for would be taken for the next reply, and every reply after it for another's.
    fn refuse_unasked(&mut self) -> io::Result<()> {
        let mut unasked = self.stream.buffer().to_vec();
        if unasked.is_empty() {
            let mut more = [0; LINE_SHOWN];
            match self.stream.get_ref().try_read(&mut more) {
                Ok(length) => unasked.extend(&more[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(ended(error)),
            }
        }
        let shown = shortened(String::from_utf8_lossy(&unasked).trim_end());
        Err(match unasked.is_empty() {
            true => ended(io::ErrorKind::UnexpectedEof.into()),
            false => {
                io::Error::other(format!("the client program wrote `{shown}` without a request"))
            }
        })
    }
}

fn ended(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the client program ended ({error})"))
}

/// So many characters of what a program wrote are shown.
const LINE_SHOWN: usize = 200;

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LINE_SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has nothing to lose; one that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
