//! Handing leadership to another replica (Raft thesis §3.10).
//!
//! raft-rs takes no proposals meanwhile, brings the receiver up to date, and tells it to campaign at
//! once. If it does not lead within an election timeout, this replica goes on.

use super::change::TransferError;
use super::effects::{Rejection, Reply};
use crate::consensus::Engine;
use crate::types::{NodeId, RequestId};

/// A transfer whose end is awaited.
#[derive(Debug, Clone, Copy, Hash)]
struct Pending {
    request: RequestId,
    to: NodeId,
    /// Tick at which it is given up: after raft-rs has, so that a receiver that campaigns late is
    /// still seen.
    deadline: u64,
}

/// At most one transfer.
#[derive(Debug, Default, Hash)]
pub(super) struct Transfer {
    pending: Option<Pending>,
}

impl Transfer {
    /// Starts a transfer; `to` was checked by [`candidate`].
    pub(super) fn start(
        &mut self,
        engine: &mut Engine,
        request: RequestId,
        to: NodeId,
        deadline: u64,
    ) -> Result<(), TransferError> {
        if self.pending.is_some() || engine.transferee().is_some() {
            return Err(TransferError::InProgress);
        }
        engine.transfer_leader(to);
        self.pending = Some(Pending { request, to, deadline });
        Ok(())
    }

    /// The answer, once it is known.
    pub(super) fn settle(&mut self, engine: &Engine, ticks: u64) -> Option<(RequestId, Reply)> {
        let Pending { request, to, deadline } = self.pending?;
        let id = engine.id();
        let reply = match engine.leader() {
            Some(leader) if leader == to => Reply::LeaderTransferred { leader },
            Some(leader) if leader != id => {
                Reply::Rejected(TransferError::Other { wanted: to, leader }.into())
            }
            Some(_) if ticks >= deadline => Reply::Rejected(TransferError::Aborted(to).into()),
            None if ticks >= deadline => Reply::Rejected(Rejection::Timeout),
            Some(_) | None => return None,
        };
        self.pending = None;
        Some((request, reply))
    }
}

/// Who is to lead next: the one who is asked for, or whichever active voter is furthest.
pub(super) fn candidate(
    engine: &Engine,
    to: Option<NodeId>,
    is_active: impl Fn(NodeId) -> bool,
) -> Result<NodeId, TransferError> {
    let Some(to) = to else {
        return engine.furthest_voter(is_active).ok_or(TransferError::NoCandidate);
    };
    match engine.configuration().voters.contains(&to.0) {
        true => Ok(to),
        false => Err(TransferError::NotAVoter(to)),
    }
}
