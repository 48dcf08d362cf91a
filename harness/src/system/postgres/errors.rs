//! What errors of a server mean.

use tokio_postgres::error::SqlState;

use crate::output;
use crate::system::outcome::Failure;

/// Before COMMIT nothing has an effect.
impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Failure {
        Failure::without_effect(text(&error))
    }
}

/// Only a server that says why it rolled back has certainly done so.
pub(super) fn commit_failure(error: &tokio_postgres::Error) -> Failure {
    match error.code().is_some_and(is_rollback) {
        true => Failure::without_effect(text(error)),
        false => Failure::in_doubt(text(error)),
    }
}

/// Codes with which COMMIT is refused (PostgreSQL, appendix A, classes 23 and 40). Others, such as those
/// of a shutdown, come after what they speak of is on disk, too.
fn is_rollback(code: &SqlState) -> bool {
    let is_unknown = *code == SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN;
    !is_unknown && matches!(code.code().get(..2), Some("23" | "40"))
}

fn text(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(answer) => format!("{}: {}", answer.code().code(), answer.message()),
        None => output::chain(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rollback_makes_a_failed_commit_definite() {
        let definite = ["40001", "40P01", "23505"];
        assert!(definite.iter().all(|code| is_rollback(&SqlState::from_code(code))));
        // Unknown completion, shutdown by an operator, lost connection, disk full.
        let doubtful = ["40003", "57P01", "57P02", "08006", "53100", "00000"];
        assert!(!doubtful.iter().any(|code| is_rollback(&SqlState::from_code(code))));
    }
}
