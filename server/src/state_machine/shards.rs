//! Which keys the group serves, and how keys come and go. Deterministic, so that the fence between two
//! groups lies in their logs and not in anybody's table of routes.

use std::ops::Bound;

use bytes::Bytes;
use prost::Message;

use super::overlay::Overlay;
use super::query::KeyRange;
use super::sessions::SessionTable;
use super::store::{StateStore, StateStoreError};
use crate::command::{
    Activate, ChangeMap, Command, Forget, Freeze, Ingest, LeavingPage, MapAnswer, MovedKey,
    MovedSession, Outcome, OutcomeKind, Reserve, SessionsPage, ShardAnswer, ShardCommand,
    ShardQuery, ShardQuestion, ShardReply, ShardStep, TxnStep,
};
use crate::shard::{Ownership, Segment, Sharding, intersection, union};

/// Keys that are looked at for one page of those that leave.
const PAGE_LOOK_MAX: usize = 2_048;
/// A page is closed when it has so many bytes, or more by one key or session.
const PAGE_BYTES: usize = 256 << 10;
/// Sessions of a page.
const PAGE_SESSIONS_MAX: usize = 512;

const EVERYTHING: Segment = Segment { first: 0, last: u64::MAX };

/// Is the command about keys that the group does not serve?
pub(super) fn is_elsewhere(sharding: &Sharding, command: &Command) -> bool {
    let Some(ownership) = &sharding.ownership else { return false };
    let lacks = |key: &Bytes| !ownership.owns(key);
    match command {
        Command::OpenSession(open) => open.map_version <= ownership.migration,
        Command::Put(put) => lacks(&put.key),
        Command::Delete(delete) => lacks(&delete.key),
        Command::CompareAndSet(cas) => lacks(&cas.key),
        Command::Append(append) => lacks(&append.key),
        Command::Txn(txn) => {
            let steps = txn.then.iter().chain(&txn.otherwise).filter_map(|it| it.step.as_ref());
            let mut written = steps.map(|step| match step {
                TxnStep::Get(key) => key,
                TxnStep::Put(put) => &put.key,
                TxnStep::Delete(delete) => &delete.key,
                TxnStep::Append(append) => &append.key,
            });
            txn.compare.iter().any(|it| lacks(&it.key)) || written.any(lacks)
        }
        // Leases and locks live in the first group, which never gives them away.
        Command::GrantLease(_)
        | Command::RevokeLease(_)
        | Command::Lock(_)
        | Command::Unlock(_)
        | Command::Shards(_) => false,
    }
}

/// Takes a step of a change of the shard map.
pub(super) fn perform<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    sessions: &mut SessionTable,
    command: ShardCommand,
) -> Result<Outcome, StateStoreError> {
    let kind = match command.step {
        // Only another version of the store could have written it, which has another format.
        None => OutcomeKind::Mismatch,
        Some(ShardStep::ChangeMap(change)) => change_map(overlay, change),
        Some(ShardStep::Reserve(reserve)) => self::reserve(overlay, reserve),
        Some(ShardStep::Freeze(freeze)) => self::freeze(overlay, &freeze)?,
        Some(ShardStep::Ingest(ingest)) => self::ingest(overlay, sessions, ingest)?,
        Some(ShardStep::Activate(activate)) => self::activate(overlay, &activate),
        Some(ShardStep::Forget(forget)) => self::forget(overlay, forget)?,
    };
    Ok(overlay.outcome(kind))
}

fn change_map<S: StateStore>(overlay: &mut Overlay<'_, S>, change: ChangeMap) -> OutcomeKind {
    let ChangeMap { expected, version, map } = change;
    if overlay.sharding().map_version != expected {
        return OutcomeKind::Mismatch;
    }
    let sharding = overlay.sharding_mut();
    (sharding.map_version, sharding.map) = (version, map);
    OutcomeKind::Done
}

fn reserve<S: StateStore>(overlay: &mut Overlay<'_, S>, reserve: Reserve) -> OutcomeKind {
    if overlay.sharding().ownership.is_none() {
        let (migration, since) = (reserve.migration, overlay.revision());
        let nothing = Ownership { migration, since, ..Ownership::default() };
        overlay.sharding_mut().ownership = Some(nothing);
    }
    OutcomeKind::Done
}

fn freeze<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    freeze: &Freeze,
) -> Result<OutcomeKind, StateStoreError> {
    let before = overlay.sharding().ownership.clone();
    if before.as_ref().is_some_and(|it| it.migration >= freeze.migration) {
        return Ok(OutcomeKind::Done);
    }
    let before =
        before.unwrap_or_else(|| Ownership { segments: vec![EVERYTHING], ..Ownership::default() });
    let since = overlay.revision();
    let after = Ownership {
        migration: freeze.migration,
        segments: intersection(&before.segments, &freeze.keep),
        revision_base: before.revision_base,
        since,
    };
    // What ends with a lease must be where the lease is.
    if overlay.leased_keys()?.iter().any(|key| !after.owns(key)) {
        return Ok(OutcomeKind::Mismatch);
    }
    overlay.sharding_mut().ownership = Some(after);
    Ok(OutcomeKind::Done)
}

fn ingest<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    sessions: &mut SessionTable,
    ingest: Ingest,
) -> Result<OutcomeKind, StateStoreError> {
    let Some(ownership) = taking_part(overlay, ingest.migration) else {
        return Ok(OutcomeKind::Mismatch);
    };
    for MovedKey { key, held } in ingest.keys {
        // A late copy of a key that is served here already must not undo what was written since.
        if !ownership.owns(&key) {
            overlay.take_in(key, held);
        }
    }
    for session in ingest.sessions {
        sessions.merge(overlay, session);
    }
    Ok(OutcomeKind::Done)
}

fn activate<S: StateStore>(overlay: &mut Overlay<'_, S>, activate: &Activate) -> OutcomeKind {
    let Some(mut ownership) = taking_part(overlay, activate.migration) else {
        return OutcomeKind::Mismatch;
    };
    ownership.segments = union(&ownership.segments, &activate.segments);
    let short = activate.revision_floor.saturating_sub(overlay.revision());
    ownership.revision_base += short;
    overlay.sharding_mut().ownership = Some(ownership);
    OutcomeKind::Done
}

fn forget<S: StateStore>(
    overlay: &mut Overlay<'_, S>,
    forget: Forget,
) -> Result<OutcomeKind, StateStoreError> {
    let Some(ownership) = taking_part(overlay, forget.migration) else {
        return Ok(OutcomeKind::Mismatch);
    };
    for key in forget.keys {
        if !ownership.owns(&key) {
            overlay.let_go(key);
        }
    }
    Ok(OutcomeKind::Done)
}

/// What the group serves, if this migration is the last one that it took part in.
fn taking_part<S: StateStore>(overlay: &Overlay<'_, S>, migration: u64) -> Option<Ownership> {
    let ownership = overlay.sharding().ownership.as_ref();
    ownership.filter(|it| it.migration == migration).cloned()
}

/// Answers a question about shards.
pub(super) fn answer<S: StateStore>(
    store: &S,
    sessions: &SessionTable,
    query: &ShardQuery,
) -> Result<ShardReply, StateStoreError> {
    let sharding = store.sharding();
    let is_frozen_for =
        |migration| sharding.ownership.as_ref().is_some_and(|it| it.migration == migration);
    let answer = match &query.question {
        Some(ShardQuestion::Map(_)) => {
            let (version, map) = (sharding.map_version, sharding.map.clone());
            Some(ShardAnswer::Map(MapAnswer { version, map }))
        }
        Some(ShardQuestion::Leaving(question)) if is_frozen_for(question.migration) => {
            Some(ShardAnswer::Leaving(leaving(store, question.after.clone())?))
        }
        Some(ShardQuestion::Sessions(question)) if is_frozen_for(question.migration) => {
            Some(ShardAnswer::Sessions(known(store, sessions, question.after)?))
        }
        Some(ShardQuestion::Leaving(_) | ShardQuestion::Sessions(_)) | None => None,
    };
    Ok(ShardReply { answer })
}

fn leaving<S: StateStore>(store: &S, after: Option<Bytes>) -> Result<LeavingPage, StateStoreError> {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let range = KeyRange { start, end: Bound::Unbounded };
    let page = store.scan(&range, PAGE_LOOK_MAX, PAGE_BYTES)?;
    let next = page.found.last().map(|(key, _)| key.clone()).filter(|_| page.more);
    let sharding = store.sharding();
    let leaves = page.found.into_iter().filter(|(key, _)| !sharding.owns(key));
    let keys = leaves.map(|(key, held)| MovedKey { key, held }).collect();
    Ok(LeavingPage { keys, next })
}

fn known<S: StateStore>(
    store: &S,
    sessions: &SessionTable,
    after: u64,
) -> Result<SessionsPage, StateStoreError> {
    let ids = sessions.ids_after(after);
    let mut page = SessionsPage::default();
    let mut bytes = 0;
    for id in &ids {
        if bytes > PAGE_BYTES || page.sessions.len() == PAGE_SESSIONS_MAX {
            page.next = page.sessions.last().map_or(0, |it| it.id);
            break;
        }
        let stored = store.session(*id)?.unwrap_or_default();
        let moved = MovedSession { id: *id, sequence: stored.sequence, outcome: stored.outcome };
        bytes += moved.encoded_len();
        page.sessions.push(moved);
    }
    Ok(page)
}
