//! Adds groups while the cluster serves, and brings their keys to them; spreads replicas and leaders
//! over the nodes.
//!
//! The shard map is replicated in the first group: a new version takes the place of the one that its
//! author knew, or nothing happens. Whoever leads the first group drives the addition of a group,
//! from what the map says; the next leader goes on where it stopped, because each step can be
//! repeated. The other nodes learn the map, make room for groups of which they are members, and send
//! requests where it says.
//!
//! ```text
//!            first group           group that gives (one after the other)     new group
//! Creating   map: its members make room ────────────────────────────────────> Reserve: serves nothing
//! Moving     map: sessions are opened in it too
//!                                  Freeze: keeps its part, refuses the rest
//!                                  its keys, its sessions ──────────────────> Ingest, page by page
//!                                                                             Activate: serves them
//!            map: requests go there
//! Forgetting map                   Forget, page by page
//! (none)     map: it is one of the groups
//! ```
//!
//! Invariants:
//! - the fence lies in the logs of the groups: a request for a key that a group does not serve is
//!   refused when its entry is applied, or when it is read, whoever sent it, and surely had no effect;
//! - a group serves a segment only after the one that had it has refused it, and after all its keys
//!   are there: no key is lost, and none is served by two groups;
//! - a step of a migration that is over changes nothing, however late it comes;
//! - the version of a key goes on where it was, and the revisions of a group that gets keys begin
//!   above those of the groups that had them;
//! - a write of a session that is repeated after its key has moved gets its first answer, because
//!   sessions move with the keys; a session is opened in all groups or refused.

mod add;
mod coordinator;
mod keeper;
mod leaders;
mod members;
mod reach;
mod rebalance;
mod service;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::driver::NodeHandle;
use crate::transport::PeerConnections;
use crate::types::NodeId;

use self::reach::Reach;

pub use add::AddError;
pub use rebalance::{Nodes, RebalanceError};
pub use service::GroupsService;
pub use view::ShardsView;

/// What resharding knows of the server around it.
#[derive(Debug, Clone)]
pub struct ReshardingConfig {
    /// This node.
    pub node: NodeId,
    /// The cluster's name.
    pub cluster: String,
    /// The addresses of the nodes, `host:port`, as far as the groups do not know them.
    pub peers: BTreeMap<NodeId, String>,
    /// Does this node wait to be added to groups?
    pub joins: bool,
    /// Time between ticks.
    pub tick: Duration,
    /// How often it is looked whether this node leads too many groups; zero: never.
    pub balance_leaders: Duration,
}

/// The part of a node in changes of the shard map. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Resharding(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: ReshardingConfig,
    node: NodeHandle,
    view: ShardsView,
    reach: Reach,
    /// Why the last step failed that this node tried; empty if it did not.
    trouble: Mutex<String>,
    /// Held while replicas are moved.
    rebalancing: tokio::sync::Mutex<()>,
}

impl Resharding {
    /// Of this node.
    pub fn new(
        config: ReshardingConfig,
        node: NodeHandle,
        connections: PeerConnections,
        view: ShardsView,
    ) -> Resharding {
        let reach = Reach::new(&config, node.clone(), connections, view.clone());
        let trouble = Mutex::default();
        let rebalancing = tokio::sync::Mutex::default();
        Resharding(Arc::new(Shared { config, node, view, reach, trouble, rebalancing }))
    }

    /// Follows the shard map, and changes it while this node leads the first group, until `stops`
    /// says so or is gone. Must be called on a tokio runtime.
    pub fn start(&self, stops: &watch::Receiver<bool>) {
        let (shared, mut stops) = (Arc::clone(&self.0), stops.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = keeper::run(&shared) => {}
                () = coordinator::run(&shared) => {}
                () = leaders::run(&shared, shared.config.balance_leaders) => {}
                // An error means that the server is gone, which is a reason to end too.
                _ = stops.wait_for(|stops| *stops) => {}
            }
        });
    }

    /// The addition of a group that is under way, in words; empty if none is.
    pub fn progress(&self) -> String {
        let shards = self.0.view.get();
        let Some(migration) = &shards.map().migration else { return String::new() };
        let trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let held_up = if trouble.is_empty() { "" } else { "; held up: " };
        format!("{}{held_up}{trouble}", migration.describe())
    }

    /// The service by which other nodes reach the groups of this one.
    pub fn service(&self) -> GroupsService {
        let Shared { config, node, .. } = &*self.0;
        GroupsService::new(config.node, config.cluster.clone(), node.clone())
    }
}
