//! The table of models.

use thiserror::Error;

/// Which specification a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// [`Register`](super::Register).
    Register,
}

/// A model, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelInfo {
    /// The name on the command line.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What it is, in a sentence.
    pub about: &'static str,
    /// What it stands for.
    pub kind: ModelKind,
}

/// All models.
pub const MODELS: &[ModelInfo] = &[ModelInfo {
    name: "register",
    aliases: &["cas-register"],
    about: "One value per key, with read, write and cas (compare-and-set, value [expected, new]).",
    kind: ModelKind::Register,
}];

/// The model of this name or alias, if there is one.
pub fn model(name: &str) -> Option<&'static ModelInfo> {
    MODELS.iter().find(|model| model.name == name || model.aliases.contains(&name))
}

/// An operation that a model does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("event {index}: expected {expected}, got {got}")]
pub struct UnsuitableOperation {
    /// Index of the invocation.
    pub index: u64,
    /// What the model has.
    pub expected: &'static str,
    /// What the history has.
    pub got: String,
}
