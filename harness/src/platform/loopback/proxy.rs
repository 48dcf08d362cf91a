//! A proxy: carries the connections that one node makes to another, through the gates.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::sys::socket::{Shutdown, setsockopt, shutdown, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::gates::Gates;
use crate::node_id::NodeId;
use crate::platform::Link;

/// Bytes held in each direction of a connection, beside the kernel's own buffers.
const BUFFER: usize = 16 * 1024;

/// Open connections of one proxy. More wait to be accepted.
const CONNECTIONS_MAX: usize = 1024;

/// The way from one node to another.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    /// Who dials.
    pub(super) from: NodeId,
    /// Who listens.
    pub(super) to: NodeId,
    /// Where.
    pub(super) upstream: SocketAddr,
    /// What may pass.
    pub(super) gates: Arc<Gates>,
}

/// One end has broken the connection off; the other is to see that.
struct Reset;

impl Proxy {
    /// Accepts for ever.
    pub(super) async fn serve(self, listener: StdListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
            // Such as a dialler that has gone already, or too many open files: the next may do.
            let Ok((inbound, _)) = listener.accept().await else {
                tokio::task::yield_now().await;
                continue;
            };
            let proxy = self.clone();
            tokio::spawn(async move {
                proxy.carry(inbound).await;
                drop(place);
            });
        }
    }

    async fn carry(&self, inbound: TcpStream) {
        let (forth, back): (Link, Link) = ((self.from, self.to), (self.to, self.from));
        // A handshake needs both directions.
        self.gates.wait_open(&[forth, back]).await;
        let Ok(outbound) = TcpStream::connect(self.upstream).await else {
            self.gates.wait_open(&[back]).await;
            reset_on_close(&inbound);
            return;
        };
        // Without it small messages would wait for acknowledgements. Fails on dead sockets only.
        let _ = inbound.set_nodelay(true);
        let _ = outbound.set_nodelay(true);
        let ends = tokio::try_join!(
            self.pump(&inbound, &outbound, forth),
            self.pump(&outbound, &inbound, back)
        );
        if let Err(Reset) = ends {
            reset_on_close(&inbound);
            reset_on_close(&outbound);
        }
    }

    /// Carries bytes in one direction, to their end.
    async fn pump(&self, source: &TcpStream, sink: &TcpStream, link: Link) -> Result<(), Reset> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let length = match read(source, &mut buffer).await {
                Ok(0) => break,
                Ok(length) => length,
                Err(_) => {
                    self.gates.wait_open(&[link]).await;
                    return Err(Reset);
                }
            };
            if self.write(sink, &buffer[..length], link).await.is_err() {
                // That end is gone. The other pump reads this from it, and passes it on when its
                // own direction is open.
                return Ok(());
            }
        }
        self.gates.wait_open(&[link]).await;
        // Fails only if that end is gone.
        let _ = shutdown(sink.as_raw_fd(), Shutdown::Write);
        Ok(())
    }

    async fn write(&self, sink: &TcpStream, mut bytes: &[u8], link: Link) -> io::Result<()> {
        while !bytes.is_empty() {
            self.gates.wait_open(&[link]).await;
            sink.writable().await?;
            match self.gates.while_open(link, || sink.try_write(bytes)) {
                None => {}
                Some(Ok(length)) => bytes = &bytes[length..],
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }
}

async fn read(source: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        source.readable().await?;
        match source.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

/// A broken connection is passed on as broken, not as ended.
fn reset_on_close(stream: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // Fails only on a socket that is dead already.
    let _ = setsockopt(stream, sockopt::Linger, &linger);
}
