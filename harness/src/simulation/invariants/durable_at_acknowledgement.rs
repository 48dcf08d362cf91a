//! What a client is told is durable on a quorum at that instant (Raft §5.3; thesis §3.8 on what must
//! be persistent before a server responds).

use server::types::LogIndex;

use super::violation::{InvariantViolation, ensure};
use crate::simulation::log_digest::LogDigest;

/// `acknowledging` holds the entry that is acknowledged; `durable` are the synced logs of all nodes.
pub(super) fn acknowledged<'a>(
    index: LogIndex,
    acknowledging: &LogDigest,
    durable: impl Iterator<Item = &'a LogDigest>,
) -> Result<(), InvariantViolation> {
    let entry = acknowledging.get(index.0);
    let mut nodes = 0;
    let mut holders = 0;
    for log in durable {
        nodes += 1;
        holders += usize::from(entry.is_some() && log.get(index.0) == entry);
    }
    ensure(holders * 2 > nodes, "durable-at-acknowledgement", || {
        format!("entry {index} was acknowledged while durable on {holders} of {nodes} nodes")
    })
}
