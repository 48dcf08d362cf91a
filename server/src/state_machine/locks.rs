//! Locks, which belong to leases. The token of a lock is the log index at which it was taken, so
//! that it is greater than the token of every earlier holder.

use super::overlay::Overlay;
use super::store::{StateStore, StateStoreError};
use crate::bug::Bug;
use crate::command::{Lock, LockHolder, Outcome, OutcomeKind, Unlock};

/// Takes a lock that is free. Who holds it already is told the same token again.
pub(super) fn lock<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    Lock { name, lease }: Lock,
) -> Result<Outcome, StateStoreError> {
    if !overlay.lease_lives(lease)? {
        return Ok(overlay.outcome(OutcomeKind::LeaseNotFound));
    }
    let (kind, holder) = match overlay.lock(&name)? {
        Some(holder) if holder.lease == lease => (OutcomeKind::Done, holder),
        Some(holder) => (OutcomeKind::Mismatch, holder),
        None => {
            let mut token = overlay.revision();
            if overlay.has(Bug::TokenGoesBack) && token.is_multiple_of(2) {
                token = token.saturating_sub(1_000).max(1);
            }
            if overlay.has(Bug::TokenShared) {
                token = (token - token % 10_000).max(1);
            }
            let holder = LockHolder { lease, token };
            overlay.take_lock(name, holder);
            (OutcomeKind::Done, holder)
        }
    };
    Ok(Outcome { holder: Some(holder), ..overlay.outcome(kind) })
}

/// Frees a lock, if it is held with this token. Otherwise says who holds it, if anyone does.
pub(super) fn unlock<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    Unlock { name, token }: Unlock,
) -> Result<Outcome, StateStoreError> {
    match overlay.lock(&name)? {
        Some(holder) if holder.token == token => {
            overlay.free_lock(name, holder.lease);
            Ok(overlay.outcome(OutcomeKind::Done))
        }
        holder => Ok(Outcome { holder, ..overlay.outcome(OutcomeKind::Mismatch) }),
    }
}
