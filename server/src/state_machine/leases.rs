//! Leases begin and end. Their time is the leader's business: it ends them with a command.

use super::overlay::Overlay;
use super::store::{Lease, StateStore, StateStoreError};
use crate::command::{GrantLease, Outcome, OutcomeKind, RevokeLease};

/// The lease's id is the log index of its grant.
pub(super) fn grant<S: StateStore>(overlay: &mut Overlay<'_, S>, grant: GrantLease) -> Outcome {
    let id = overlay.revision();
    overlay.grant_lease(id, Lease { ttl_ticks: grant.ttl_ticks });
    overlay.outcome(OutcomeKind::Done)
}

/// Deletes the lease's keys and frees its locks, both in order, and then ends it.
pub(super) fn revoke<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    RevokeLease { lease }: RevokeLease,
) -> Result<Outcome, StateStoreError> {
    if !overlay.lease_lives(lease)? {
        return Ok(overlay.outcome(OutcomeKind::LeaseNotFound));
    }
    for key in overlay.lease_keys(lease)? {
        let before = overlay.key(&key)?;
        overlay.replace(key, before.as_ref(), None);
    }
    for name in overlay.lease_locks(lease)? {
        overlay.free_lock(name, lease);
    }
    overlay.end_lease(lease);
    Ok(overlay.outcome(OutcomeKind::Done))
}
