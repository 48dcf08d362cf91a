//! Sessions.

use proto::kv::{OpenSessionRequest, OpenSessionResponse};

use crate::command::{Command, OpenSession};
use crate::config::Limits;
use crate::driver::{Answered, Ask};
use crate::shard::Shards;
use crate::types::GroupId;

use super::{ApiConfig, Operation, Place, Refusal, Speaker, check, write};

/// A session that nobody knows of has no effect that anyone sees, but it takes the place of another
/// one; so it is a write.
impl Operation for OpenSessionRequest {
    fn check(&self, _limits: &Limits) -> Result<(), Refusal> {
        Ok(())
    }

    fn place(&self) -> Place {
        Place::of_leader(self.no_forward)
    }

    fn group(&self, shards: &Shards) -> Result<GroupId, Refusal> {
        match self.session {
            0 => Ok(shards.first()),
            // It may be one that this node has not heard of yet.
            _ if shards.members(GroupId(self.group)).is_empty()
                && self.map_version <= shards.map().version =>
            {
                Err(check::invalid(format!("there is no group {}", self.group)))
            }
            _ => Ok(GroupId(self.group)),
        }
    }

    fn is_for_all_groups(&self) -> bool {
        self.session == 0
    }

    fn ask(&self, config: &ApiConfig) -> Result<Ask, Refusal> {
        let map_version = match self.session {
            0 => {
                let shards = config.shards.get();
                if !shards.is_one() {
                    // There was one group only when the request was routed.
                    return Err(Refusal::wrong_group());
                }
                shards.map().version
            }
            _ => self.map_version,
        };
        let open = OpenSession { id: self.session, map_version };
        Ok(write::ask(None, Command::OpenSession(open)))
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<OpenSessionResponse, Refusal> {
        let applied = write::applied(None, answered, speaker)?;
        let session = match self.session {
            0 => applied.outcome.revision,
            chosen => chosen,
        };
        Ok(OpenSessionResponse { header: applied.header, session })
    }

    fn bind(&mut self) {
        self.no_forward = true;
    }
}
