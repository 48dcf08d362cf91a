//! Sessions.

use proto::kv::{OpenSessionRequest, OpenSessionResponse};

use crate::command::{Command, OpenSession};
use crate::config::Limits;
use crate::driver::{Answered, Ask};

use super::{ApiConfig, Operation, Place, Refusal, Speaker, write};

/// A session that nobody knows of has no effect that anyone sees, but it takes the place of another
/// one; so it is a write.
impl Operation for OpenSessionRequest {
    fn check(&self, _limits: &Limits) -> Result<(), Refusal> {
        Ok(())
    }

    fn place(&self) -> Place {
        Place::of_leader(self.no_forward)
    }

    fn ask(&self, _config: &ApiConfig) -> Result<Ask, Refusal> {
        Ok(write::ask(None, Command::OpenSession(OpenSession::default())))
    }

    fn reply(&self, answered: Answered, speaker: Speaker) -> Result<OpenSessionResponse, Refusal> {
        let applied = write::applied(None, answered, speaker)?;
        let session = applied.outcome.revision;
        Ok(OpenSessionResponse { header: applied.header, session })
    }

    fn bind(&mut self) {
        self.no_forward = true;
    }
}
