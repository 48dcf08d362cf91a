//! Locks. They live in the first group, beside the leases that they end with.

use proto::kv::{LockRequest, LockResponse, UnlockRequest, UnlockResponse};

use crate::command::{Command, Lock, Unlock};
use crate::config::Limits;
use crate::driver::{Answered, Ask};
use crate::shard::Shards;
use crate::types::GroupId;

use super::{ApiConfig, Operation, Place, Refusal, Speaker, check, write};

impl Operation for LockRequest {
    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        check::lease(self.lease)?;
        check::key(&self.name, limits)
    }

    fn place(&self) -> Place {
        check::place(self.context.as_ref())
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        Ok(shards.first())
    }

    fn ask(&self, _config: &ApiConfig) -> Result<Ask, Refusal> {
        let lock = Lock { name: self.name.clone(), lease: self.lease };
        Ok(write::ask(self.context, Command::Lock(lock)))
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<LockResponse, Refusal> {
        let applied = write::applied(self.context, answered, speaker)?;
        let holder = applied.outcome.holder.unwrap_or_default();
        Ok(LockResponse {
            header: applied.header,
            acquired: applied.held,
            token: holder.token,
            holder: holder.lease,
        })
    }
}

impl Operation for UnlockRequest {
    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        check::key(&self.name, limits)
    }

    fn place(&self) -> Place {
        check::place(self.context.as_ref())
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        Ok(shards.first())
    }

    fn ask(&self, _config: &ApiConfig) -> Result<Ask, Refusal> {
        let unlock = Unlock { name: self.name.clone(), token: self.token };
        Ok(write::ask(self.context, Command::Unlock(unlock)))
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<UnlockResponse, Refusal> {
        let applied = write::applied(self.context, answered, speaker)?;
        Ok(UnlockResponse { header: applied.header, released: applied.held })
    }
}
