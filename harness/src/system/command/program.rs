//! The client program of an adapter: one JSON object a line, a request and its reply.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use workloads::history::{EventKind, Value};

use super::Adapter;

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
}

/// What it answers.
#[derive(Debug, Deserialize)]
pub(super) struct Reply {
    /// `ok`; `fail`: it had no effect and never will; `info`: it may have had its effect.
    #[serde(rename = "type")]
    pub(super) kind: EventKind,
    pub(super) value: Option<Value>,
    pub(super) error: Option<String>,
    /// Of a status: does the node believe that it leads?
    #[serde(default)]
    pub(super) leads: bool,
    /// Of a status: of two that believe to lead, the one with the higher term does.
    #[serde(default)]
    pub(super) term: u64,
}

/// A program that runs. Ends with this value.
pub(super) struct Program {
    child: Child,
    stream: BufReader<UnixStream>,
}

impl Program {
    /// Starts it, and tells it which node to speak to.
    pub(super) async fn start(
        adapter: &Adapter,
        purpose: &Purpose,
        address: SocketAddr,
    ) -> io::Result<Program> {
        let argv = adapter.client_argv();
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let input = OwnedFd::from(theirs.try_clone()?);
        let [program, arguments @ ..] = argv.as_slice() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("run {program}: {error}")))?;
        let stream = BufReader::new(UnixStream::from_std(ours)?);
        let mut program = Program { child, stream };
        let Purpose { workload, run } = purpose;
        let open = Request::Open { workload, run, address: address.to_string() };
        match program.ask(&open).await? {
            Reply { kind: EventKind::Ok, .. } => Ok(program),
            reply => Err(io::Error::other(reply.error.unwrap_or("refused to open".to_owned()))),
        }
    }

    /// Asks, and waits for the answer. After an error the program is of no use any more.
    pub(super) async fn ask(&mut self, request: &Request<'_>) -> io::Result<Reply> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes()).await?;
        let mut reply = String::new();
        (&mut self.stream).take(LINE_BYTES_MAX).read_line(&mut reply).await?;
        if !reply.ends_with('\n') {
            return Err(io::Error::other("the client program of the adapter ended"));
        }
        serde_json::from_str(&reply).map_err(|error| {
            io::Error::other(format!(
                "the client program of the adapter answered {reply:?}: {error}"
            ))
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has nothing to lose; one that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
