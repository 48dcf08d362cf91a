//! At whose door somebody opens: peers that accept new connections.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::types::NodeId;

/// From one knock to the next.
const INTERVAL: Duration = Duration::from_millis(50);
/// So long a peer may take to open.
const PATIENCE: Duration = Duration::from_millis(100);
/// An open door counts for so long: less than the shortest election timeout of the preset `standard`.
const FRESH: Duration = Duration::from_millis(200);

/// When each peer opened last, if it did.
static OPENED: Mutex<BTreeMap<NodeId, Option<Instant>>> = Mutex::new(BTreeMap::new());

/// Knocks at the doors of these peers from now on. Must be called on a tokio runtime.
pub(crate) fn knock(peers: impl Iterator<Item = (NodeId, String)>) {
    for (peer, address) in peers {
        note(peer, None);
        tokio::spawn(async move {
            loop {
                let connected = TcpStream::connect(&address);
                if let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, connected).await {
                    note(peer, Some(Instant::now()));
                }
                tokio::time::sleep(INTERVAL).await;
            }
        });
    }
}

fn note(peer: NodeId, opened: Option<Instant>) {
    OPENED.lock().unwrap_or_else(PoisonError::into_inner).insert(peer, opened);
}

/// Is this node one of a majority that can be called on?
pub(crate) fn majority_opens() -> bool {
    let opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let open = opened.values().flatten().filter(|at| at.elapsed() < FRESH).count();
    2 * (open + 1) > opened.len() + 1
}
