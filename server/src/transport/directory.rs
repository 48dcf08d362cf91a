//! Where clients find the nodes, as far as this node knows.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::types::NodeId;

/// The addresses of one node, `host:port`, for those who are told to go there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advertised {
    /// For gRPC; empty if unknown.
    pub client: String,
    /// For HTTP; empty if there is none.
    pub http: String,
}

/// What the nodes have said about themselves in their handshakes. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    nodes: Arc<RwLock<BTreeMap<NodeId, Advertised>>>,
}

impl Directory {
    /// What is known before anyone has spoken.
    pub fn new(nodes: BTreeMap<NodeId, Advertised>) -> Directory {
        Directory { nodes: Arc::new(RwLock::new(nodes)) }
    }

    /// A node has said where it is. What it leaves empty stays as it was.
    pub fn learn(&self, node: NodeId, said: Advertised) {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        let known = nodes.entry(node).or_default();
        if !said.client.is_empty() {
            known.client = said.client;
        }
        if !said.http.is_empty() {
            known.http = said.http;
        }
    }

    /// Where clients find a node.
    pub fn client(&self, node: NodeId) -> Option<String> {
        self.get(node, |it| &it.client)
    }

    /// Where clients find a node by HTTP.
    pub fn http(&self, node: NodeId) -> Option<String> {
        self.get(node, |it| &it.http)
    }

    fn get(&self, node: NodeId, of: impl Fn(&Advertised) -> &String) -> Option<String> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes.get(&node).map(|it| of(it).clone()).filter(|address| !address.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_says_wins_and_what_it_does_not_say_stays() {
        let said =
            |client: &str, http: &str| Advertised { client: client.into(), http: http.into() };
        let directory = Directory::new([(NodeId(1), said("a:1", ""))].into());
        assert_eq!(directory.http(NodeId(1)), None);
        directory.learn(NodeId(1), said("", "a:9"));
        directory.learn(NodeId(2), said("b:1", ""));
        assert_eq!(directory.client(NodeId(1)).as_deref(), Some("a:1"));
        assert_eq!(directory.http(NodeId(1)).as_deref(), Some("a:9"));
        assert_eq!(directory.client(NodeId(2)).as_deref(), Some("b:1"));
        assert_eq!(directory.client(NodeId(3)), None);
    }
}
