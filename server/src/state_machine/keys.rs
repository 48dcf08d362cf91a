//! Commands on one key.

use bytes::{Bytes, BytesMut};

use super::overlay::Overlay;
use super::store::{StateStore, StateStoreError};
use crate::bug::Bug;
use crate::command::{Append, CompareAndSet, Delete, Outcome, OutcomeKind, Put, Versioned};

pub(super) fn put<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    mut put: Put,
) -> Result<Outcome, StateStoreError> {
    if put.lease != 0 && !overlay.lease_lives(put.lease)? {
        return Ok(overlay.outcome(OutcomeKind::LeaseNotFound));
    }
    let previous = overlay.key(&put.key)?;
    if overlay.has(Bug::LargeValueCut) && put.value.len() >= 64 << 10 {
        put.value.truncate(put.value.len() - 1);
    }
    let is_hot = previous.as_ref().is_some_and(|previous| previous.version >= 499);
    if overlay.has(Bug::HotWriteLost) && is_hot {
        return Ok(Outcome { previous, ..overlay.outcome(OutcomeKind::Done) });
    }
    let now = overlay.written(put.value, put.lease, previous.as_ref());
    overlay.replace(put.key, previous.as_ref(), Some(now));
    Ok(Outcome { previous, ..overlay.outcome(OutcomeKind::Done) })
}

pub(super) fn delete<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    delete: Delete,
) -> Result<Outcome, StateStoreError> {
    let previous = overlay.key(&delete.key)?;
    if overlay.has(Bug::DeleteLost) && overlay.revision().is_multiple_of(2) {
        return Ok(Outcome { previous, ..overlay.outcome(OutcomeKind::Done) });
    }
    overlay.replace(delete.key, previous.as_ref(), None);
    Ok(Outcome { previous, ..overlay.outcome(OutcomeKind::Done) })
}

pub(super) fn compare_and_set<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    cas: CompareAndSet,
) -> Result<Outcome, StateStoreError> {
    let previous = overlay.key(&cas.key)?;
    let found = previous.as_ref().map(|versioned| &versioned.value);
    let mut is_expected = found == cas.expected.as_ref();
    if overlay.has(Bug::CasZeroUnchecked) {
        is_expected |= cas.expected.as_deref() == Some(b"0");
    }
    if overlay.has(Bug::CasPrefix) {
        let start = |value: &Bytes| value.slice(..value.len().min(64));
        is_expected = found.map(start) == cas.expected.as_ref().map(start);
    }
    if !is_expected {
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
    if overlay.has(Bug::AppendLost) && overlay.revision().is_multiple_of(16) {
        return Ok(Outcome { previous, ..overlay.outcome(OutcomeKind::Done) });
    }
    let Some(value) = appended(previous.as_ref(), &append) else {
        return Ok(overlay.outcome(OutcomeKind::ValueTooLong));
    };
    let lease = previous.as_ref().map_or(0, |previous| previous.lease);
    let now = overlay.written(value, lease, previous.as_ref());
    overlay.replace(append.key, previous.as_ref(), Some(now.clone()));
    if overlay.has(Bug::AppendAnswersAfter) && overlay.revision().is_multiple_of(4) {
        return Ok(Outcome { previous: Some(now), ..overlay.outcome(OutcomeKind::Done) });
    }
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
