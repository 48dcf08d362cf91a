//! What all writes have in common.

use bytes::Bytes;
use proto::kv::{ErrorKind, KeyValue, RequestContext, ResponseHeader};

use crate::command::{Command, LogCommand, Outcome, OutcomeKind, Versioned};
use crate::driver::{Answered, Ask};
use crate::types::LogIndex;

use super::{Refusal, Speaker, check, mismatched};

/// A command that took effect, or found that it must not.
pub(super) struct Applied {
    pub(super) header: Option<ResponseHeader>,
    /// Did it find what it was told to expect?
    pub(super) held: bool,
    pub(super) outcome: Outcome,
}

/// Asks the node to apply a command.
pub(super) fn ask(context: Option<RequestContext>, command: Command) -> Ask {
    let RequestContext { session, sequence, no_forward: _ } = context.unwrap_or_default();
    Ask::Write(LogCommand::new(session, sequence, command))
}

/// What became of it.
pub(super) fn applied(
    context: Option<RequestContext>,
    answered: Answered,
    speaker: Speaker,
) -> Result<Applied, Refusal> {
    let Answered::Write(reply) = answered else { return Err(mismatched()) };
    let RequestContext { session, sequence, .. } = context.unwrap_or_default();
    let held = match reply.outcome.kind() {
        OutcomeKind::Done => true,
        OutcomeKind::Mismatch => false,
        OutcomeKind::SessionExpired => {
            let message = format!("session {session} does not exist, or was expired");
            return Err(Refusal::definite(ErrorKind::SessionExpired, message));
        }
        OutcomeKind::StaleSequence => {
            return Err(check::invalid(format!(
                "session {session} is already past sequence number {sequence}"
            )));
        }
        OutcomeKind::LeaseNotFound => {
            let message = "the lease does not exist, or has ended";
            return Err(Refusal::definite(ErrorKind::LeaseNotFound, message));
        }
        OutcomeKind::ValueTooLong => {
            let max = speaker.config.limits.value_bytes_max as u64;
            let message = format!("the value would be longer than {max} bytes");
            return Err(Refusal { message, ..Refusal::over_limit("value-bytes", max, 0) });
        }
        OutcomeKind::WrongGroup => return Err(Refusal::wrong_group()),
    };
    let header = speaker.header(LogIndex(reply.outcome.revision), reply.term);
    Ok(Applied { header, held, outcome: reply.outcome })
}

/// What a key holds, as the client sees it.
pub(in super::super) fn to_wire(key: &Bytes, found: Option<Versioned>) -> Option<KeyValue> {
    let Versioned { value, revision, version, lease } = found?;
    Some(KeyValue { key: key.clone(), value, revision, version, lease })
}
