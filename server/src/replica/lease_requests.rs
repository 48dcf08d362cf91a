//! What a replica does with its leases: answers keep-alives, and proposes to revoke.

use super::core::Replica;
use super::effects::{Rejection, Reply};
use super::reads::Purpose;
use crate::bug::Bug;
use crate::command::{Command, LogCommand, RevokeLease};
use crate::types::RequestId;

impl Replica {
    pub(super) fn keep_alive(&mut self, request: RequestId, lease: u64) {
        if self.config.bugs.has(Bug::KeepAliveUnconfirmed) && self.engine.is_leader() {
            self.answer_keep_alive(request, lease);
            return;
        }
        self.queue_read(request, Purpose::KeepAlive(lease));
    }

    pub(super) fn answer_keep_alive(&mut self, request: RequestId, lease: u64) {
        self.look_at_leadership();
        let kept = match self.config.bugs.has(Bug::KeepAliveIgnored) {
            false => self.leases.keep_alive(lease, self.ticks),
            true => self.leases.clone().keep_alive(lease, self.ticks),
        };
        let reply = match (kept, self.engine.is_leader()) {
            (Some(ttl_ticks), _) => Reply::KeptAlive { ttl_ticks },
            (None, true) => Reply::Rejected(Rejection::LeaseNotFound),
            (None, false) => Reply::Rejected(Rejection::NotLeader { leader: self.engine.leader() }),
        };
        self.effects.replies.push((request, reply));
    }

    /// Proposes to revoke the leases whose time is over.
    pub(super) fn revoke_leases(&mut self) {
        self.look_at_leadership();
        for lease in self.leases.over(self.ticks) {
            let revoke = Command::RevokeLease(RevokeLease { lease });
            if self.engine.propose(LogCommand::new(0, 0, revoke).encode_entry()).is_err() {
                // The next tick tries again.
                return;
            }
            self.leases.revoking(lease, self.ticks);
        }
    }

    fn look_at_leadership(&mut self) {
        let leads = self.engine.is_leader().then(|| self.engine.term());
        self.leases.leadership(leads, self.ticks);
    }
}
