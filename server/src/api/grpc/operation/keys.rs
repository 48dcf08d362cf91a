//! Single keys: get, put, delete, compare-and-set, append.

use proto::kv::{
    AppendRequest, AppendResponse, CompareAndSetRequest, CompareAndSetResponse, DeleteRequest,
    DeleteResponse, GetRequest, GetResponse, PutRequest, PutResponse, ReadMode,
};

use crate::command::{Append, Command, CompareAndSet, Delete, Put};
use crate::config::Limits;
use crate::driver::{Answered, Ask};
use crate::shard::Shards;
use crate::state_machine::{Query, QueryReply};
use crate::types::GroupId;

use super::{
    Access, ApiConfig, Operation, Place, Refusal, Speaker, check, mismatched, to_wire, write,
};

impl Operation for GetRequest {
    const ACCESS: Access = Access::Read;

    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        if ReadMode::try_from(self.mode).is_err() {
            return Err(check::invalid(format!("read mode {} does not exist", self.mode)));
        }
        check::key(&self.key, limits)
    }

    fn place(&self) -> Place {
        match self.mode() {
            ReadMode::Linearizable => check::place(self.context.as_ref()),
            ReadMode::Local => check::place_of_local(self.context.as_ref()),
        }
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        Ok(shards.group_of(&self.key))
    }

    fn ask(&self, _config: &ApiConfig) -> Result<Ask, Refusal> {
        let query = Query::Get { key: self.key.clone() };
        Ok(match self.mode() {
            ReadMode::Linearizable => Ask::Read(query),
            ReadMode::Local => Ask::ReadLocal(query),
        })
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<GetResponse, Refusal> {
        let Answered::Read(reply) = answered else { return Err(mismatched()) };
        let found = match reply.reply {
            QueryReply::Get(found) => found,
            QueryReply::WrongGroup => return Err(Refusal::wrong_group()),
            _ => return Err(mismatched()),
        };
        let header = speaker.header(reply.revision, speaker.term);
        Ok(GetResponse { header, found: to_wire(&self.key, found) })
    }
}

impl Operation for PutRequest {
    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        check::key(&self.key, limits)?;
        check::value(&self.value, limits)
    }

    fn place(&self) -> Place {
        check::place(self.context.as_ref())
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        check::group_with_lease(shards.group_of(&self.key), self.lease, shards)
    }

    fn ask(&self, _config: &ApiConfig) -> Result<Ask, Refusal> {
        let put = Put { key: self.key.clone(), value: self.value.clone(), lease: self.lease };
        Ok(write::ask(self.context, Command::Put(put)))
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<PutResponse, Refusal> {
        let applied = write::applied(self.context, answered, speaker)?;
        let previous = to_wire(&self.key, applied.outcome.previous);
        Ok(PutResponse { header: applied.header, previous })
    }
}

impl Operation for DeleteRequest {
    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        check::key(&self.key, limits)
    }

    fn place(&self) -> Place {
        check::place(self.context.as_ref())
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        Ok(shards.group_of(&self.key))
    }

    fn ask(&self, _config: &ApiConfig) -> Result<Ask, Refusal> {
        let delete = Delete { key: self.key.clone() };
        Ok(write::ask(self.context, Command::Delete(delete)))
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<DeleteResponse, Refusal> {
        let applied = write::applied(self.context, answered, speaker)?;
        let previous = to_wire(&self.key, applied.outcome.previous);
        Ok(DeleteResponse { header: applied.header, previous })
    }
}

impl Operation for CompareAndSetRequest {
    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        check::key(&self.key, limits)?;
        self.expected.as_ref().map_or(Ok(()), |expected| check::value(expected, limits))?;
        check::value(&self.value, limits)
    }

    fn place(&self) -> Place {
        check::place(self.context.as_ref())
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        Ok(shards.group_of(&self.key))
    }

    fn ask(&self, _config: &ApiConfig) -> Result<Ask, Refusal> {
        let compare_and_set = CompareAndSet {
            key: self.key.clone(),
            expected: self.expected.clone(),
            value: self.value.clone(),
        };
        Ok(write::ask(self.context, Command::CompareAndSet(compare_and_set)))
    }

    fn reply(
        &self,
        answered: Answered,
        speaker: Speaker,
    ) -> Result<CompareAndSetResponse, Refusal> {
        let applied = write::applied(self.context, answered, speaker)?;
        Ok(CompareAndSetResponse {
            header: applied.header,
            swapped: applied.held,
            previous: to_wire(&self.key, applied.outcome.previous),
        })
    }
}

impl Operation for AppendRequest {
    fn bind(&mut self) {
        check::bind(&mut self.context);
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check::context(self.context.as_ref())?;
        check::key(&self.key, limits)?;
        check::value(&self.suffix, limits)
    }

    fn place(&self) -> Place {
        check::place(self.context.as_ref())
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        Ok(shards.group_of(&self.key))
    }

    fn ask(&self, config: &ApiConfig) -> Result<Ask, Refusal> {
        let append = Append {
            key: self.key.clone(),
            suffix: self.suffix.clone(),
            value_bytes_max: config.limits.value_bytes_max as u64,
        };
        Ok(write::ask(self.context, Command::Append(append)))
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<AppendResponse, Refusal> {
        let applied = write::applied(self.context, answered, speaker)?;
        let previous = to_wire(&self.key, applied.outcome.previous);
        Ok(AppendResponse { header: applied.header, previous })
    }
}
