//! Names of nodes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A node of the cluster under test, from 1. Printed and written as `n1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct NodeId(pub u16);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl From<NodeId> for String {
    fn from(node: NodeId) -> String {
        node.to_string()
    }
}

impl TryFrom<String> for NodeId {
    type Error = String;

    fn try_from(name: String) -> Result<NodeId, String> {
        name.strip_prefix('n')
            .and_then(|digits| digits.parse().ok())
            .filter(|&id| id > 0)
            .map(NodeId)
            .ok_or_else(|| format!("a node is called n1, n2, ..., not {name:?}"))
    }
}
