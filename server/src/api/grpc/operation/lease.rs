//! Leases: grant, keep alive, revoke. They live in the first group.

use std::time::Duration;

use proto::kv::{
    GrantLeaseRequest, GrantLeaseResponse, KeepAliveRequest, KeepAliveResponse, RevokeLeaseRequest,
    RevokeLeaseResponse,
};

use crate::command::{Command, GrantLease, RevokeLease};
use crate::config::Limits;
use crate::driver::{Answered, Ask};
use crate::shard::Shards;
use crate::types::{GroupId, LogIndex};

use super::{Access, ApiConfig, Operation, Place, Refusal, Speaker, check, mismatched, write};

impl Operation for GrantLeaseRequest {
    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        let millis = |ttl: Duration| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let (min, max) = (millis(limits.lease_ttl_min), millis(limits.lease_ttl_max));
        if self.ttl_ms < min {
            let asked = self.ttl_ms;
            let message = format!("a lease of {asked} ms is too short; the least is {min} ms");
            return Err(Refusal { message, ..Refusal::over_limit("lease-ttl-ms-min", min, asked) });
        }
        if self.ttl_ms > max {
            return Err(Refusal::over_limit("lease-ttl-ms", max, self.ttl_ms));
        }
        Ok(())
    }

    fn place(&self) -> Place {
        check::place(self.context.as_ref())
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        Ok(shards.first())
    }

    fn ask(&self, config: &ApiConfig) -> Result<Ask, Refusal> {
        let grant = GrantLease { ttl_ticks: ticks(self.ttl_ms, config.tick) };
        Ok(write::ask(self.context, Command::GrantLease(grant)))
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<GrantLeaseResponse, Refusal> {
        let applied = write::applied(self.context, answered, speaker)?;
        let lease = applied.outcome.revision;
        Ok(GrantLeaseResponse { header: applied.header, lease, ttl_ms: self.ttl_ms })
    }
}

/// A sign of life changes the leader's clock only, so that one in doubt does no harm.
impl Operation for KeepAliveRequest {
    const ACCESS: Access = Access::Read;

    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, _limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        check::lease(self.lease)
    }

    fn place(&self) -> Place {
        check::place(self.context.as_ref())
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        Ok(shards.first())
    }

    fn ask(&self, _config: &ApiConfig) -> Result<Ask, Refusal> {
        Ok(Ask::KeepAlive { lease: self.lease })
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<KeepAliveResponse, Refusal> {
        let Answered::KeptAlive(kept) = answered else { return Err(mismatched()) };
        let millis = speaker.config.tick.as_millis().saturating_mul(kept.ttl_ticks.into());
        Ok(KeepAliveResponse {
            // It is in no log, so that it has no revision.
            header: speaker.header(LogIndex(0), kept.term),
            ttl_ms: u64::try_from(millis).unwrap_or(u64::MAX),
        })
    }
}

impl Operation for RevokeLeaseRequest {
    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, _limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        check::lease(self.lease)
    }

    fn place(&self) -> Place {
        check::place(self.context.as_ref())
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        Ok(shards.first())
    }

    fn ask(&self, _config: &ApiConfig) -> Result<Ask, Refusal> {
        let revoke = RevokeLease { lease: self.lease };
        Ok(write::ask(self.context, Command::RevokeLease(revoke)))
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<RevokeLeaseResponse, Refusal> {
        let applied = write::applied(self.context, answered, speaker)?;
        Ok(RevokeLeaseResponse { header: applied.header })
    }
}

/// So many ticks last at least so long.
fn ticks(ttl_ms: u64, tick: Duration) -> u64 {
    let nanos = u128::from(ttl_ms) * 1_000_000;
    u64::try_from(nanos.div_ceil(tick.as_nanos().max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_never_lasts_shorter_than_was_asked() {
        let tick = Duration::from_millis(50);
        assert_eq!(ticks(1_000, tick), 20);
        assert_eq!(ticks(1_001, tick), 21);
        assert_eq!(ticks(1, tick), 1);
        assert_eq!(ticks(u64::MAX, Duration::from_nanos(1)), u64::MAX);
    }
}
