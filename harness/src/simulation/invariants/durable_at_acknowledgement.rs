//! What a client is told is durable on a quorum at that instant (Raft §5.3; thesis §3.8 on what must
//! be persistent before a server responds).

use server::membership::Configuration;
use server::types::{LogIndex, NodeId};

use super::violation::{InvariantViolation, ensure};
use crate::simulation::log_digest::LogDigest;

/// `acknowledging` holds the entry that is acknowledged, by a replica in this configuration;
/// `durable` are the synced logs of all nodes.
///
/// In a joint configuration the quorum of the voters before it counts: the entry may be from before
/// the change.
pub(super) fn acknowledged<'a>(
    index: LogIndex,
    acknowledging: &LogDigest,
    configuration: &Configuration,
    durable: impl Iterator<Item = (NodeId, &'a LogDigest)>,
) -> Result<(), InvariantViolation> {
    if acknowledging.covers(index.0) {
        // It took the entry's effect from a snapshot (and now answers a retry), or has switched to
        // one since it applied it. So a log was compacted behind it, and it is committed.
        return Ok(());
    }
    let entry = acknowledging.get(index.0);
    let voters = match configuration.is_joint() {
        true => &configuration.voters_outgoing,
        false => &configuration.voters,
    };
    let holds = |log: &LogDigest| entry.is_some() && log.get(index.0) == entry;
    let holders = durable
        .filter(|(node, log)| voters.contains(&node.0) && (log.covers(index.0) || holds(log)))
        .count();
    ensure(holders * 2 > voters.len(), "durable-at-acknowledgement", || {
        format!(
            "entry {index} was acknowledged while durable on {holders} of {} voters",
            voters.len()
        )
    })
}
