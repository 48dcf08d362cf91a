//! The time of leases, counted by the leader in ticks of its monotonic clock.
//!
//! Which leases there are is part of the state, on every replica. When they end is not: the leader
//! counts, and when a lease's time is over it proposes to revoke it. Only that entry ends a lease.
//!
//! A lease never ends before its holder thinks so, who counts the time to live from when it *sent*
//! the grant or its last keep-alive that was answered:
//! - a keep-alive is answered by a leader that a majority confirmed after the keep-alive arrived
//!   (the ReadIndex protocol, Raft thesis §6.4), so every later leader is elected after it was sent;
//! - a new leader gives all leases their whole time anew, from its election or later, whatever is
//!   left of it, and counts from there;
//! - a keep-alive is answered when the state machine has reached the read index, which lies behind
//!   everything that earlier leaders committed or proposed: a revocation of theirs that still takes
//!   effect has taken it;
//! - once this leader proposed to revoke a lease in its term, a keep-alive is refused, even while
//!   the lease lives;
//! - a tick is counted when it is noticed, which may be [`TICKS_LATE_MAX`] ticks after it was due, and
//!   the first one comes less than a whole tick after the count begins; both are added to the time.
//!
//! Pauses and crashes of leaders only make leases live longer. What is assumed of clocks is that
//! ticks of different nodes and the holder's clock run at about the same rate.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use crate::state_machine::LeaseChange;
use crate::types::Term;

/// Ticks that a driver may deliver at once because it could not do so when they were due.
const TICKS_LATE_MAX: u64 = 3;
/// A proposal to revoke a lease that had no effect is repeated after so many ticks.
const REPEAT_TICKS: u64 = 50;
/// Leases that are proposed to be revoked at one tick; the others wait for the next.
const REVOKES_MAX: usize = 256;

/// A living lease.
#[derive(Debug, Clone, Copy)]
struct Lease {
    ttl_ticks: u64,
    /// Tick at which something is to be done: its time is over, or its revocation is to be proposed
    /// again. Counts on the leader only.
    due: u64,
    /// The term in which this replica proposed to revoke it last.
    revoked_in: Option<Term>,
}

/// All living leases.
#[derive(Debug, Clone)]
pub(super) struct Leases {
    leases: BTreeMap<u64, Lease>,
    /// The same, by (due, id); empty unless this replica leads.
    by_due: BTreeSet<(u64, u64)>,
    /// The term that this replica leads.
    leads: Option<Term>,
}

impl Leases {
    /// The leases of a state.
    pub(super) fn new(granted: &[LeaseChange]) -> Leases {
        let mut leases = Leases { leases: BTreeMap::new(), by_due: BTreeSet::new(), leads: None };
        leases.applied(granted, 0);
        leases
    }

    pub(super) fn len(&self) -> usize {
        self.leases.len()
    }

    /// The state machine applied entries that granted or ended leases.
    pub(super) fn applied(&mut self, changes: &[LeaseChange], ticks: u64) {
        for change in changes {
            match *change {
                LeaseChange::Granted { id, ttl_ticks } => {
                    let lease = Lease { ttl_ticks, due: u64::MAX, revoked_in: None };
                    self.leases.insert(id, lease);
                    self.restart(id, ticks);
                }
                LeaseChange::Ended { id } => {
                    if let Some(lease) = self.leases.remove(&id) {
                        self.by_due.remove(&(lease.due, id));
                    }
                }
            }
        }
    }

    /// Tells whether this replica leads. All leases have their whole time when it begins to.
    pub(super) fn leadership(&mut self, leads: Option<Term>, ticks: u64) {
        if self.leads == leads {
            return;
        }
        self.leads = leads;
        self.by_due.clear();
        let ids: Vec<u64> = self.leases.keys().copied().collect();
        for id in ids {
            self.restart(id, ticks);
        }
    }

    /// A keep-alive is confirmed. Returns the time to live, or none if the lease has ended, or will.
    pub(super) fn keep_alive(&mut self, id: u64, ticks: u64) -> Option<u64> {
        let lease = self.leases.get(&id)?;
        let leads = self.leads?;
        if lease.revoked_in == Some(leads) {
            return None;
        }
        let ttl_ticks = lease.ttl_ticks;
        self.restart(id, ticks);
        Some(ttl_ticks)
    }

    /// The leases whose time is over.
    pub(super) fn over(&self, ticks: u64) -> Vec<u64> {
        let over = self.by_due.range(..=(ticks, u64::MAX));
        over.take(REVOKES_MAX).map(|(_, id)| *id).collect()
    }

    /// It was proposed to revoke this lease.
    pub(super) fn revoking(&mut self, id: u64, ticks: u64) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        lease.revoked_in = self.leads;
        self.set_due(id, ticks.saturating_add(REPEAT_TICKS));
    }

    fn restart(&mut self, id: u64, ticks: u64) {
        let Some(lease) = self.leases.get(&id) else { return };
        let due = ticks.saturating_add(lease.ttl_ticks).saturating_add(1 + TICKS_LATE_MAX);
        self.set_due(id, due);
    }

    fn set_due(&mut self, id: u64, due: u64) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        self.by_due.remove(&(lease.due, id));
        lease.due = due;
        if self.leads.is_some() {
            self.by_due.insert((due, id));
        }
    }

    /// Feeds everything that can influence what is done next to `hasher`.
    pub(super) fn fingerprint(&self, ticks: u64, hasher: &mut impl Hasher) {
        (self.leads, self.leases.len()).hash(hasher);
        for (id, lease) in &self.leases {
            let due = self.leads.map(|_| lease.due.saturating_sub(ticks));
            (id, lease.ttl_ticks, due, lease.revoked_in).hash(hasher);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: u64 = 10 + 1 + TICKS_LATE_MAX;

    fn leading(ticks: u64) -> Leases {
        let mut leases = Leases::new(&[LeaseChange::Granted { id: 5, ttl_ticks: 10 }]);
        leases.leadership(Some(Term(2)), ticks);
        leases
    }

    #[test]
    fn a_lease_is_over_after_its_whole_time_and_not_before() {
        let leases = leading(100);
        assert_eq!(leases.over(100 + WHOLE - 1), Vec::<u64>::new());
        assert_eq!(leases.over(100 + WHOLE), vec![5]);
    }

    #[test]
    fn only_a_leader_counts() {
        let mut leases = Leases::new(&[LeaseChange::Granted { id: 5, ttl_ticks: 10 }]);
        assert_eq!(leases.over(u64::MAX - 1), Vec::<u64>::new());
        leases.leadership(Some(Term(2)), 0);
        leases.leadership(None, 1);
        assert_eq!(leases.over(u64::MAX - 1), Vec::<u64>::new());
        assert_eq!(leases.keep_alive(5, 2), None);
    }

    #[test]
    fn a_keep_alive_begins_the_time_anew() {
        let mut leases = leading(100);
        assert_eq!(leases.keep_alive(5, 109), Some(10));
        assert_eq!(leases.over(109 + WHOLE - 1), Vec::<u64>::new());
        assert_eq!(leases.over(109 + WHOLE), vec![5]);
        assert_eq!(leases.keep_alive(6, 110), None);
    }

    #[test]
    fn a_new_term_begins_the_time_anew_and_forgets_its_revocation() {
        let mut leases = leading(100);
        leases.revoking(5, 120);
        assert_eq!(leases.keep_alive(5, 121), None);
        leases.leadership(Some(Term(4)), 130);
        assert_eq!(leases.over(130 + WHOLE - 1), Vec::<u64>::new());
        assert_eq!(leases.keep_alive(5, 135), Some(10));
    }

    #[test]
    fn a_revocation_without_effect_is_repeated() {
        let mut leases = leading(0);
        leases.revoking(5, 20);
        assert_eq!(leases.over(20 + REPEAT_TICKS - 1), Vec::<u64>::new());
        assert_eq!(leases.over(20 + REPEAT_TICKS), vec![5]);
        leases.applied(&[LeaseChange::Ended { id: 5 }], 30);
        assert_eq!(leases.over(1_000), Vec::<u64>::new());
        assert_eq!(leases.len(), 0);
    }

    #[test]
    fn a_granted_lease_counts_from_when_it_was_applied() {
        let mut leases = leading(0);
        leases.applied(&[LeaseChange::Granted { id: 9, ttl_ticks: 1 }], 50);
        assert_eq!(leases.over(50 + 1 + TICKS_LATE_MAX), vec![5]);
        assert_eq!(leases.over(50 + 2 + TICKS_LATE_MAX), vec![5, 9]);
    }
}
