//! Commands on one key.

use bytes::{Bytes, BytesMut};

use super::overlay::Overlay;
use super::store::{StateStore, StateStoreError};
use crate::command::{Append, CompareAndSet, Delete, Outcome, OutcomeKind, Put, Versioned};

pub(super) fn put<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    put: Put,
) -> Result<Outcome, StateStoreError> {
    if put.lease != 0 && !overlay.lease_lives(put.lease)? {
        return Ok(overlay.outcome(OutcomeKind::LeaseNotFound));
    }
    let previous = overlay.key(&put.key)?;
    let now = overlay.written(put.value, put.lease, previous.as_ref());
    overlay.replace(put.key, previous.as_ref(), Some(now));
    Ok(Outcome { previous, ..overlay.outcome(OutcomeKind::Done) })
}

pub(super) fn delete<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    delete: Delete,
) -> Result<Outcome, StateStoreError> {
    let previous = overlay.key(&delete.key)?;
    overlay.replace(delete.key, previous.as_ref(), None);
    Ok(Outcome { previous, ..overlay.outcome(OutcomeKind::Done) })
}

pub(super) fn compare_and_set<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    cas: CompareAndSet,
) -> Result<Outcome, StateStoreError> {
    let previous = overlay.key(&cas.key)?;
    if previous.as_ref().map(|versioned| &versioned.value) != cas.expected.as_ref() {
        return Ok(Outcome { previous, ..overlay.outcome(OutcomeKind::Mismatch) });
    }
    let lease = previous.as_ref().map_or(0, |previous| previous.lease);
    let now = overlay.written(cas.value, lease, previous.as_ref());
    overlay.replace(cas.key, previous.as_ref(), Some(now));
    Ok(Outcome { previous, ..overlay.outcome(OutcomeKind::Done) })
}

pub(super) fn append<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    append: Append,
) -> Result<Outcome, StateStoreError> {
    let previous = overlay.key(&append.key)?;
    let Some(value) = appended(previous.as_ref(), &append) else {
        return Ok(overlay.outcome(OutcomeKind::ValueTooLong));
    };
    let lease = previous.as_ref().map_or(0, |previous| previous.lease);
    let now = overlay.written(value, lease, previous.as_ref());
    overlay.replace(append.key, previous.as_ref(), Some(now));
    Ok(Outcome { previous, ..overlay.outcome(OutcomeKind::Done) })
}

/// The value with the suffix; none if it would be too long.
pub(super) fn appended(previous: Option<&Versioned>, append: &Append) -> Option<Bytes> {
    let before = previous.map_or(&[][..], |previous| &previous.value[..]);
    let bytes = before.len() + append.suffix.len();
    if bytes as u64 > append.value_bytes_max {
        return None;
    }
    let mut value = BytesMut::with_capacity(bytes);
    value.extend_from_slice(before);
    value.extend_from_slice(&append.suffix);
    Some(value.freeze())
}
