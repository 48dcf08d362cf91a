//! Who belongs to a group, and where they are.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use raft::eraftpb::ConfState;

use crate::types::NodeId;

/// A group's configuration as of some log index. Stored with the state, and in snapshots.
///
/// While a joint change is under way (Raft thesis §4.3) there are two sets of voters, and a decision
/// needs a majority of each.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Configuration {
    /// The voters; while a change is under way, those it leads to.
    #[prost(uint64, repeated, tag = "1")]
    pub voters: Vec<u64>,
    /// The voters before the change that is under way; otherwise empty.
    #[prost(uint64, repeated, tag = "2")]
    pub voters_outgoing: Vec<u64>,
    /// Those who follow the log without a vote.
    #[prost(uint64, repeated, tag = "3")]
    pub learners: Vec<u64>,
    /// Voters that become learners when the change is complete.
    #[prost(uint64, repeated, tag = "4")]
    pub learners_next: Vec<u64>,
    /// Does the leader leave the joint configuration by itself?
    #[prost(bool, tag = "5")]
    pub auto_leave: bool,
    /// Where the members are, `host:port`.
    #[prost(btree_map = "uint64, string", tag = "6")]
    pub addresses: BTreeMap<u64, String>,
    /// Learners that become voters by themselves when they have caught up, and for each the member
    /// that leaves then; 0 for nobody. Whoever leads sees to it, so that it survives leaders.
    #[prost(btree_map = "uint64, uint64", tag = "7")]
    pub joining: BTreeMap<u64, u64>,
}

impl Configuration {
    /// The first configuration of a group: all of these vote.
    pub fn first(addresses: &BTreeMap<NodeId, String>) -> Configuration {
        Configuration {
            voters: addresses.keys().map(|node| node.0).collect(),
            addresses: addresses.iter().map(|(node, at)| (node.0, at.clone())).collect(),
            ..Configuration::default()
        }
    }

    /// Everyone in it, voting or not.
    pub fn members(&self) -> BTreeSet<NodeId> {
        let all = [&self.voters, &self.voters_outgoing, &self.learners, &self.learners_next];
        all.into_iter().flatten().map(|&node| NodeId(node)).collect()
    }

    /// Is this node a member when the change that is under way, if any, is complete?
    pub fn keeps(&self, node: NodeId) -> bool {
        let kept = [&self.voters, &self.learners, &self.learners_next];
        self.members().is_empty() || kept.into_iter().flatten().any(|&member| member == node.0)
    }

    /// Is a change under way?
    pub fn is_joint(&self) -> bool {
        !self.voters_outgoing.is_empty()
    }

    /// As raft-rs has it.
    pub fn to_conf_state(&self) -> ConfState {
        ConfState {
            voters: self.voters.clone(),
            voters_outgoing: self.voters_outgoing.clone(),
            learners: self.learners.clone(),
            learners_next: self.learners_next.clone(),
            auto_leave: self.auto_leave,
            ..ConfState::default()
        }
    }

    /// From what raft-rs has; members keep the addresses that are known. Nobody is joining.
    pub fn from_conf_state(conf_state: &ConfState, addresses: &BTreeMap<u64, String>) -> Self {
        let mut configuration = Configuration {
            voters: conf_state.voters.clone(),
            voters_outgoing: conf_state.voters_outgoing.clone(),
            learners: conf_state.learners.clone(),
            learners_next: conf_state.learners_next.clone(),
            auto_leave: conf_state.auto_leave,
            addresses: BTreeMap::new(),
            joining: BTreeMap::new(),
        };
        // raft-rs keeps sets whose order says how they came about; all replicas must agree.
        for nodes in [
            &mut configuration.voters,
            &mut configuration.voters_outgoing,
            &mut configuration.learners,
            &mut configuration.learners_next,
        ] {
            nodes.sort_unstable();
        }
        let members = configuration.members();
        configuration.addresses = addresses
            .iter()
            .filter(|(node, _)| members.contains(&NodeId(**node)))
            .map(|(node, at)| (*node, at.clone()))
            .collect();
        configuration
    }
}
