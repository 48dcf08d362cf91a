//! Takes connections from a port, as many as there may be, and makes them speak TLS if they must.
//!
//! Invariants:
//! - a connection over the limit is closed at once, after a word of why where that costs next to
//!   nothing, and the port goes on;
//! - a connection that has not begun to speak, or not finished its handshake, within
//!   [`HANDSHAKE_TIMEOUT`] is closed;
//! - a connection gives its place back when it is dropped, whoever has it then.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tonic::transport::server::Connected;

use crate::metrics::{Metrics, Refused};

use super::guard::RefusalLog;
use super::tls::ServerTls;

/// How long a connection may take until it begins to speak, and for its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections that may wait for the server to take them.
const READY_MAX: usize = 64;
/// The pause after the operating system refused to give a connection, which it will do again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections over the limit that are told so at once; more are closed without a word.
const FAREWELLS_MAX: usize = 16;
/// How long such a one may take to hear it.
const FAREWELL_TIME: Duration = Duration::from_millis(200);

/// What is spoken at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC, which is HTTP/2.
    Grpc,
    /// HTTP/1 or 2, for the gateway.
    Http,
}

impl Protocol {
    /// That there are too many connections: settings and a GOAWAY frame with the code
    /// ENHANCE_YOUR_CALM (RFC 9113 §6.8), or an answer in the gateway's words.
    fn too_many(self) -> &'static [u8] {
        match self {
            Protocol::Grpc => {
                b"\0\0\0\x04\0\0\0\0\0\
                  \0\0\x1c\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0btoo many connections"
            }
            Protocol::Http => {
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
                  Content-Length: 89\r\nConnection: close\r\n\r\n\
                  {\"error\":\"too many connections\",\"kind\":\"LIMIT_EXCEEDED\",\
                  \"indefinite\":false,\"leader\":null}"
            }
        }
    }
}

/// What stands at a port.
#[derive(Clone)]
pub struct Gate {
    /// Open connections that there may be.
    pub connections_max: usize,
    /// What they speak.
    pub protocol: Protocol,
    /// If connections must speak TLS.
    pub tls: Option<Arc<ServerTls>>,
    /// Where refusals are counted.
    pub metrics: Arc<Metrics>,
    /// Where they are logged.
    pub log: Arc<RefusalLog>,
}

/// The connections that came through. Dropping it closes the port.
#[derive(Debug)]
pub struct Incoming {
    ready: mpsc::Receiver<Connection>,
    address: SocketAddr,
}

/// A connection that came through.
#[derive(Debug)]
pub struct Connection {
    io: Io,
    remote: SocketAddr,
    _place: Place,
}

#[derive(Debug)]
enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// One of the connections that there may be.
struct Place {
    metrics: Arc<Metrics>,
    _permit: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Place")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.connections.decrement();
    }
}

impl Gate {
    /// Starts to take connections, on the current tokio runtime.
    pub fn open(self, listener: TcpListener) -> io::Result<Incoming> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(READY_MAX);
        tokio::spawn(self.accept(listener, sender));
        Ok(Incoming { ready, address })
    }

    async fn accept(self, listener: TcpListener, ready: mpsc::Sender<Connection>) {
        let permits = Arc::new(Semaphore::new(self.connections_max));
        let farewells = Arc::new(Semaphore::new(FAREWELLS_MAX));
        loop {
            let accepted = tokio::select! {
                () = ready.closed() => return,
                accepted = listener.accept() => accepted,
            };
            let (stream, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely. Connections that end give some back.
                    self.log.warn("connection", &format!("accept: {error}"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                self.metrics.refused(Refused::Connection);
                let limit = self.connections_max;
                self.log.warn("connection", &format!("there are {limit} already, the limit"));
                // With TLS a word would cost as much as a connection.
                if self.tls.is_none()
                    && let Ok(permit) = Arc::clone(&farewells).try_acquire_owned()
                {
                    tokio::spawn(farewell(stream, self.protocol.too_many(), permit));
                }
                continue;
            };
            self.metrics.connections.increment();
            let place = Place { metrics: Arc::clone(&self.metrics), _permit: permit };
            let (gate, ready) = (self.clone(), ready.clone());
            // As many of these tasks as there are permits.
            tokio::spawn(async move {
                let handshake = gate.handshake(stream);
                let result = match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
                    Ok(result) => result,
                    Err(_) => Err(io::Error::other("silent for too long")),
                };
                match result {
                    // If the server is gone, so is the connection.
                    Ok(io) => drop(ready.send(Connection { io, remote, _place: place }).await),
                    Err(error) => {
                        gate.metrics.refused(Refused::Handshake);
                        gate.log.warn("handshake", &error.to_string());
                    }
                }
            });
        }
    }

    async fn handshake(&self, stream: TcpStream) -> io::Result<Io> {
        stream.set_nodelay(true)?;
        match &self.tls {
            Some(tls) => Ok(Io::Tls(Box::new(tls.acceptor().accept(stream).await?))),
            None => {
                // Waits for the first byte and leaves it there; the end is the server's to see.
                stream.peek(&mut [0]).await?;
                Ok(Io::Plain(stream))
            }
        }
    }
}

/// Says so much, and waits a little for the other side to end: a connection that is closed while
/// bytes wait to be read takes back what was said.
async fn farewell(mut stream: TcpStream, words: &[u8], _permit: OwnedSemaphorePermit) {
    let talk = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1_024];
        while stream.read(&mut rest).await? > 0 {}
        Ok::<(), io::Error>(())
    };
    // It was not wanted in the first place.
    let _ = tokio::time::timeout(FAREWELL_TIME, talk).await;
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(context).map(|connection| connection.map(Ok))
    }
}

impl axum::serve::Listener for Incoming {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.ready.recv().await {
            Some(connection) => {
                let remote = connection.remote;
                (connection, remote)
            }
            // The gate ends after this only; and then there is nothing to wait for.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(context, buffer),
            Io::Tls(io) => Pin::new(io).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(context, bytes),
            Io::Tls(io) => Pin::new(io).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(context),
            Io::Tls(io) => Pin::new(io).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(context),
            Io::Tls(io) => Pin::new(io).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write_vectored(context, slices),
            Io::Tls(io) => Pin::new(io).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(io) => io.is_write_vectored(),
            Io::Tls(io) => io.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn farewells_are_well_formed() {
        let words = b"too many connections";
        let goaway = &Protocol::Grpc.too_many()[9..];
        assert_eq!(usize::from(goaway[2]), goaway.len() - 9, "the frame's length");
        assert_eq!((goaway[3], &goaway[13..17]), (7, &[0, 0, 0, 11][..]));
        assert_eq!(&goaway[17..], words);
        let answer = String::from_utf8(Protocol::Http.too_many().to_vec()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{answer}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!((&body["kind"], &body["indefinite"]), (&"LIMIT_EXCEEDED".into(), &false.into()));
    }
}
