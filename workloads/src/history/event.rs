//! One line of a history.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::Value;

/// What an event says about its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// The operation starts.
    Invoke,
    /// It took effect.
    Ok,
    /// It provably had no effect.
    Fail,
    /// It may have taken effect, or may still.
    Info,
}

/// Who acts: a client process, or the nemesis.
///
/// Written as a number, or as the string `"nemesis"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Process {
    /// A logical single thread of a client.
    Client(u64),
    /// The actor that injects faults.
    Nemesis,
}

/// One history line, for example
/// `{"index":3,"time":1200000,"process":4,"type":"ok","f":"read","key":7,"value":2,"node":"n1"}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the history, from 0, without gaps.
    pub index: u64,
    /// Nanoseconds since the run began, from a monotonic clock.
    pub time: u64,
    /// When an open-loop run meant to start this invocation, if that is not `time`. Latency counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<u64>,
    /// Who acts.
    pub process: Process,
    /// Invocation or kind of completion.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The function, such as `read`, `write` or `cas`.
    pub f: SmolStr,
    /// The independent object the operation is on, where a workload has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// Argument (invocation) or result (completion); `cas` has `[expected, new]`.
    #[serde(default)]
    pub value: Value,
    /// Why it failed or is indeterminate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<SmolStr>,
    /// The node that the process spoke to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<SmolStr>,
}

impl Serialize for Process {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Process::Client(id) => serializer.serialize_u64(*id),
            Process::Nemesis => serializer.serialize_str("nemesis"),
        }
    }
}

impl<'de> Deserialize<'de> for Process {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match (&value, value.as_u64()) {
            (_, Some(number)) => Ok(Process::Client(number)),
            (Value::Text(name), None) if name == "nemesis" => Ok(Process::Nemesis),
            (Value::Int(_) | Value::Float(_), None) => {
                Err(serde::de::Error::custom("process must be a non-negative integer"))
            }
            _ => Err(serde::de::Error::custom(format!(
                "process must be a non-negative integer or \"nemesis\", not {value}"
            ))),
        }
    }
}
