//! What an object holds before the first operation.

use std::str::FromStr;

use crate::history::Value;

/// What an object holds before the first operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Initial {
    /// This value; null is nothing.
    Value(Value),
    /// Some value that nobody told us.
    Any,
}

/// An initial value that is neither JSON nor `any`.
#[derive(Debug, thiserror::Error)]
#[error("expected `any` or a JSON value such as `null` or `0`, got `{text}`")]
pub struct InitialError {
    text: String,
    #[source]
    source: serde_json::Error,
}

impl FromStr for Initial {
    type Err = InitialError;

    fn from_str(text: &str) -> Result<Self, InitialError> {
        match text {
            "any" => Ok(Initial::Any),
            _ => text
                .parse()
                .map(Initial::Value)
                .map_err(|source| InitialError { text: text.to_owned(), source }),
        }
    }
}
