//! The newest shard map that this node knows.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

use crate::shard::{NoGroups, ShardMap, Shards};

/// What this node knows of the shards, for all who ask. It may be old: who acts on it is stopped by
/// the groups themselves. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ShardsView {
    current: Arc<RwLock<Arc<Shards>>>,
    doubts: Arc<Notify>,
}

impl ShardsView {
    /// Knows this map.
    pub fn new(map: ShardMap) -> Result<ShardsView, NoGroups> {
        let current = Arc::new(RwLock::new(Arc::new(Shards::new(map)?)));
        Ok(ShardsView { current, doubts: Arc::default() })
    }

    /// What it knows now.
    pub fn get(&self) -> Arc<Shards> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Learns a map, if it is newer.
    pub fn learn(&self, map: ShardMap) -> Result<(), NoGroups> {
        if map.version <= self.get().map().version {
            return Ok(());
        }
        let newer = Arc::new(Shards::new(map)?);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if newer.map().version > current.map().version {
            tracing::debug!(version = newer.map().version, "a new shard map");
            *current = newer;
        }
        Ok(())
    }

    /// A group said that it does not serve what the map says: there is a newer map.
    pub fn doubt(&self) {
        self.doubts.notify_one();
    }

    /// Returns when there is a doubt.
    pub(super) async fn doubted(&self) {
        self.doubts.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::NodeId;

    #[test]
    fn a_newer_map_takes_the_place_of_an_older_one_only() {
        let map = ShardMap::first(&[NodeId(1)].into(), 2);
        let newer = ShardMap { version: 9, ..map.clone() };
        let view = ShardsView::new(map.clone()).unwrap();
        let held = view.get();
        view.learn(newer).unwrap();
        view.learn(map).unwrap();
        assert_eq!((held.map().version, view.get().map().version), (1, 9));
    }
}
