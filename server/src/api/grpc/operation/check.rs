//! What is checked of every request.

use proto::kv::{ErrorKind, RequestContext};

use crate::config::Limits;
use crate::shard::{Shards, SpansGroups};
use crate::types::GroupId;

use super::{Place, Refusal};

pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::definite(ErrorKind::InvalidRequest, message)
}

pub(super) fn context(context: Option<&RequestContext>) -> Result<(), Refusal> {
    let Some(context) = context else { return Err(invalid("the request has no context")) };
    if context.session != 0 && context.sequence == 0 {
        return Err(invalid("sequence numbers of a session begin with 1"));
    }
    Ok(())
}

pub(super) fn place(context: Option<&RequestContext>) -> Place {
    Place::of_leader(context.is_some_and(|context| context.no_forward))
}

/// Of a read that any replica may answer.
pub(super) fn place_of_local(context: Option<&RequestContext>) -> Place {
    match place(context) {
        Place::Leader => Place::Member,
        Place::LeaderHere | Place::Member | Place::Here => Place::Here,
    }
}

/// The group of a write with a lease. Leases live in the first group, and with them what ends with
/// them.
pub(super) fn group_with_lease(
    group: GroupId,
    lease: u64,
    shards: &Shards,
) -> Result<GroupId, Refusal> {
    if lease != 0 && group != shards.first() {
        return Err(SpansGroups { first: shards.first(), other: group }.into());
    }
    Ok(group)
}

pub(super) fn bind(context: &mut Option<RequestContext>) {
    if let Some(context) = context {
        context.no_forward = true;
    }
}

pub(super) fn key(key: &[u8], limits: &Limits) -> Result<(), Refusal> {
    at_most("key-bytes", key.len(), limits.key_bytes_max)
}

pub(super) fn value(value: &[u8], limits: &Limits) -> Result<(), Refusal> {
    at_most("value-bytes", value.len(), limits.value_bytes_max)
}

pub(super) fn lease(lease: u64) -> Result<(), Refusal> {
    if lease == 0 {
        return Err(invalid("the request names no lease"));
    }
    Ok(())
}

/// Refuses what exceeds a limit.
pub(super) fn at_most(limit: &'static str, asked: usize, max: usize) -> Result<(), Refusal> {
    if asked > max {
        return Err(Refusal::over_limit(limit, max as u64, asked as u64));
    }
    Ok(())
}
