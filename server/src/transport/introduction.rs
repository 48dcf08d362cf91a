//! Who a node is, as it tells its peers.

use std::sync::Arc;

use proto::raft::{Handshake, Standing as WireStanding};

use crate::config::Mode;
use crate::founders::{Founders, Greeting, Standing};
use crate::types::NodeId;

use super::PEER_FORMAT;
use super::directory::Advertised;

/// Who this node is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Introduction {
    /// This node.
    pub node: NodeId,
    /// The cluster's name.
    pub cluster: String,
    /// In mode single it has no peers.
    pub mode: Mode,
    /// Where it keeps its data, such as `memory`. Snapshots of one kind are of no use to another.
    pub storage: &'static str,
    /// The groups that its cluster began with.
    pub shards: u32,
    /// Where clients find it.
    pub advertised: Advertised,
    /// Which data directory it has, and whom it knows.
    pub founders: Arc<Founders>,
}

impl Introduction {
    /// What a stream to this peer begins with.
    pub(super) fn to(&self, peer: NodeId) -> Handshake {
        let Greeting { node, incarnation, standing } = self.founders.greeting();
        let standing = match standing {
            Standing::Gathering => WireStanding::Gathering,
            Standing::Founder => WireStanding::Founder,
            Standing::Joined => WireStanding::Joined,
        };
        Handshake {
            format: PEER_FORMAT,
            cluster: self.cluster.clone(),
            from: node.0,
            to: peer.0,
            client_address: self.advertised.client.clone(),
            http_address: self.advertised.http.clone(),
            storage: self.storage.to_owned(),
            incarnation,
            standing: standing.into(),
            shards: self.shards,
        }
    }
}

/// What a handshake says of its sender; none if it leaves something out.
pub(super) fn greeting(handshake: &Handshake) -> Option<Greeting> {
    let standing = match handshake.standing() {
        WireStanding::Unspecified => return None,
        WireStanding::Gathering => Standing::Gathering,
        WireStanding::Founder => Standing::Founder,
        WireStanding::Joined => Standing::Joined,
    };
    let (node, incarnation) = (NodeId(handshake.from), handshake.incarnation);
    (incarnation != 0).then_some(Greeting { node, incarnation, standing })
}
