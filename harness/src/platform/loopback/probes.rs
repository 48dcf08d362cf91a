//! Probes: real bytes over connections of their own, through proxies behind the same gates.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::node_id::NodeId;
use crate::platform::{Link, PlatformError, ProbeResult};

/// As many as in the other fabrics.
const PROBES: u32 = 3;
const FRAME: usize = 12;

/// One open connection for every link.
#[derive(Debug)]
pub(super) struct Probes {
    connections: BTreeMap<Link, StdStream>,
    round: Mutex<u64>,
    arrivals: Arc<Arrivals>,
}

/// What has come through in the present round.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    counts: Mutex<(u64, BTreeMap<Link, u32>)>,
    changed: Condvar,
}

impl Probes {
    /// Dials the probe proxy of each link, while everything is open.
    pub(super) fn new(
        proxies: &BTreeMap<Link, SocketAddr>,
        arrivals: Arc<Arrivals>,
    ) -> Result<Probes, PlatformError> {
        let mut connections = BTreeMap::new();
        for (&link, &address) in proxies {
            let stream = dial(address)
                .map_err(|error| PlatformError::os(format!("dial the proxy {address}"), error))?;
            connections.insert(link, stream);
        }
        Ok(Probes { connections, round: Mutex::new(0), arrivals })
    }

    /// Sends over all links at once; returns when all has arrived or `patience` has passed.
    pub(super) fn probe(
        &self,
        links: &[Link],
        patience: Duration,
    ) -> Result<Vec<ProbeResult>, PlatformError> {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        *round += 1;
        self.arrivals.begin(*round, links);
        let deadline = Instant::now() + patience;
        for (&link, mut connection) in &self.connections {
            if !links.contains(&link) {
                continue;
            }
            let frames = [encode(link, *round); PROBES as usize].concat();
            connection.write_all(&frames).map_err(|error| {
                let (from, to) = link;
                PlatformError::os(format!("send a probe from {from} to {to}"), error)
            })?;
        }
        let counts = self.arrivals.wait(deadline);
        let result = |&(from, to): &Link| ProbeResult {
            from,
            to,
            sent: PROBES,
            arrived: counts.get(&(from, to)).copied().unwrap_or(0),
        };
        Ok(links.iter().map(result).collect())
    }
}

impl Arrivals {
    fn begin(&self, round: u64, links: &[Link]) {
        let counts = links.iter().map(|&link| (link, 0)).collect();
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = (round, counts);
    }

    /// Bytes held by a cut arrive after it; they belong to an earlier round and do not count.
    fn count(&self, frame: &[u8; FRAME]) {
        let (sent_round, link) = decode(frame);
        let mut current = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 == sent_round
            && let Some(count) = current.1.get_mut(&link)
        {
            *count += 1;
            self.changed.notify_all();
        }
    }

    fn wait(&self, deadline: Instant) -> BTreeMap<Link, u32> {
        let current = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        let missing = |current: &mut (u64, BTreeMap<Link, u32>)| {
            current.1.values().any(|&count| count < PROBES)
        };
        let (current, _) = self
            .changed
            .wait_timeout_while(current, left, missing)
            .unwrap_or_else(PoisonError::into_inner);
        current.1.clone()
    }

    /// Where probes arrive: reads frames from every connection.
    pub(super) async fn serve(self: Arc<Self>, listener: StdListener) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            let arrivals = Arc::clone(&self);
            tokio::spawn(async move {
                let mut frame = [0; FRAME];
                while stream.read_exact(&mut frame).await.is_ok() {
                    arrivals.count(&frame);
                }
            });
        }
    }
}

fn dial(address: SocketAddr) -> io::Result<StdStream> {
    let stream = StdStream::connect(address)?;
    stream.set_nodelay(true)?;
    // Frames are small and few; a full buffer would be a bug, and must not block.
    stream.set_nonblocking(true)?;
    Ok(stream)
}

fn encode((from, to): Link, round: u64) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[..8].copy_from_slice(&round.to_be_bytes());
    frame[8..10].copy_from_slice(&from.0.to_be_bytes());
    frame[10..].copy_from_slice(&to.0.to_be_bytes());
    frame
}

fn decode(frame: &[u8; FRAME]) -> (u64, Link) {
    let [r0, r1, r2, r3, r4, r5, r6, r7, f0, f1, t0, t1] = *frame;
    let node = |bytes| NodeId(u16::from_be_bytes(bytes));
    (u64::from_be_bytes([r0, r1, r2, r3, r4, r5, r6, r7]), (node([f0, f1]), node([t0, t1])))
}
