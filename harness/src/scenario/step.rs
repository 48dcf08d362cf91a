//! One fault of a scenario.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A fault, when it begins, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// From the start of the run to its beginning.
    #[serde(serialize_with = "write_duration", deserialize_with = "read_duration")]
    pub at: Duration,
    /// How long it is in force.
    #[serde(rename = "for", serialize_with = "write_duration", deserialize_with = "read_duration")]
    pub length: Duration,
    /// The kind, as in `--faults`.
    pub fault: String,
    /// Which of its variants; drawn if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What repeats its choices, such as which node; that of the run if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<StepSeed>,
}

impl Step {
    /// When it is healed.
    pub fn end(&self) -> Duration {
        self.at + self.length
    }
}

/// A seed in a TOML file: text, because an integer there has one bit too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct StepSeed(pub u64);

impl fmt::Display for StepSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<StepSeed> for String {
    fn from(seed: StepSeed) -> String {
        seed.to_string()
    }
}

impl TryFrom<String> for StepSeed {
    type Error = String;

    fn try_from(text: String) -> Result<StepSeed, String> {
        text.parse()
            .map(StepSeed)
            .map_err(|_| format!("a seed is a whole number in quotes, not {text:?}"))
    }
}

fn write_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

fn read_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    crate::usage::duration(&text).map_err(serde::de::Error::custom)
}
