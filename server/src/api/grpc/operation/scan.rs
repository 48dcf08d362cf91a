//! Keys in order.

use std::ops::Bound;

use bytes::Bytes;
use proto::kv::{self, KeyValue, ReadMode, ScanRequest, ScanResponse};

use crate::command::Versioned;
use crate::config::Limits;
use crate::driver::{Answered, Ask};
use crate::shard::{Shards, SpansGroups};
use crate::state_machine::{KeyRange, Query, QueryReply};
use crate::types::GroupId;

use super::{Access, ApiConfig, Operation, Place, Refusal, Speaker, check, mismatched};

impl Operation for ScanRequest {
    const ACCESS: Access = Access::Read;

    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        if ReadMode::try_from(self.mode).is_err() {
            return Err(check::invalid(format!("read mode {} does not exist", self.mode)));
        }
        check::at_most("scan-keys", self.limit as usize, limits.scan_keys_max)?;
        key_range(self.range.as_ref(), self.prefix.as_ref(), limits).map(drop)
    }

    fn place(&self) -> Place {
        match self.mode() {
            ReadMode::Linearizable => check::place(self.context.as_ref()),
            ReadMode::Local => check::place_of_local(self.context.as_ref()),
        }
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        whole_range(shards)
    }

    fn ask(&self, config: &ApiConfig) -> Result<Ask, Refusal> {
        let limits = &config.limits;
        let range = key_range(self.range.as_ref(), self.prefix.as_ref(), limits)?;
        let limit = match self.limit {
            0 => limits.scan_keys_max,
            limit => limit as usize,
        };
        let query = Query::Scan { range, limit, bytes_max: limits.scan_bytes_max };
        Ok(match self.mode() {
            ReadMode::Linearizable => Ask::Read(query),
            ReadMode::Local => Ask::ReadLocal(query),
        })
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<ScanResponse, Refusal> {
        let Answered::Read(reply) = answered else { return Err(mismatched()) };
        let (found, more) = match reply.reply {
            QueryReply::Scan { found, more } => (found, more),
            QueryReply::WrongGroup => return Err(Refusal::wrong_group()),
            _ => return Err(mismatched()),
        };
        let key_value = |(key, versioned)| {
            let Versioned { value, revision, version, lease } = versioned;
            KeyValue { key, value, revision, version, lease }
        };
        Ok(ScanResponse {
            header: speaker.header(reply.revision, speaker.term),
            found: found.into_iter().map(key_value).collect(),
            more,
        })
    }
}

/// The group of a range of keys. Neighbours on the ring are no neighbours in order, so a range lies in
/// one group only if there is one only.
pub(in super::super) fn whole_range(shards: &Shards) -> Result<GroupId, Refusal> {
    let mut others = shards.groups().skip(1);
    match others.next() {
        None => Ok(shards.first()),
        Some(other) => Err(SpansGroups { first: shards.first(), other }.into()),
    }
}

/// The keys that a scan or a watch means.
pub(in super::super) fn key_range(
    range: Option<&kv::KeyRange>,
    prefix: Option<&Bytes>,
    limits: &Limits,
) -> Result<KeyRange, Refusal> {
    match (range, prefix) {
        (Some(_), Some(_)) => {
            Err(check::invalid("a request has a range or a prefix, but not both"))
        }
        (None, None) => Ok(KeyRange::all()),
        (None, Some(prefix)) => {
            check::key(prefix, limits)?;
            Ok(KeyRange::prefix(prefix))
        }
        (Some(range), None) => {
            for bound in [&range.start, &range.end].into_iter().flatten() {
                check::key(&bound.key, limits)?;
            }
            if let (Some(start), Some(end)) = (&range.start, &range.end)
                && start.key > end.key
            {
                return Err(check::invalid("the range ends before it begins"));
            }
            Ok(KeyRange { start: bound(range.start.as_ref()), end: bound(range.end.as_ref()) })
        }
    }
}

fn bound(bound: Option<&kv::Bound>) -> Bound<Bytes> {
    match bound {
        None => Bound::Unbounded,
        Some(bound) if bound.exclusive => Bound::Excluded(bound.key.clone()),
        Some(bound) => Bound::Included(bound.key.clone()),
    }
}
