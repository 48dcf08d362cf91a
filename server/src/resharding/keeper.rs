//! Follows the shard map, and makes room for groups that this node is a member of.

use std::time::Duration;

use crate::driver::GroupError;
use crate::membership::Configuration;
use crate::shard::{ShardGroup, ShardMap, Shards};
use crate::types::{GroupId, NodeId};

use super::Shared;

/// How often the map is looked at without a reason.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long to wait after a doubt, for the news to arrive here, and so that many doubts are one.
const DOUBT_PAUSE: Duration = Duration::from_millis(10);

/// Runs until it is dropped.
pub(super) async fn run(shared: &Shared) {
    let mut trouble = String::new();
    loop {
        if let Err(error) = look(shared).await {
            if error != trouble {
                tracing::warn!("follow the shard map: {error}");
            }
            trouble = error;
        } else {
            trouble.clear();
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = shared.view.doubted() => tokio::time::sleep(DOUBT_PAUSE).await,
        }
    }
}

async fn look(shared: &Shared) -> Result<(), String> {
    if let Some(answer) = shared.reach.map_nearby().await
        && answer.version > shared.view.get().map().version
    {
        let map = ShardMap::decode_map(&answer.map).map_err(|error| error.to_string())?;
        shared.view.learn(map).map_err(|error| error.to_string())?;
    }
    let shards = shared.view.get();
    for group in surplus(shared, &shards) {
        match shared.node.remove_group(group).await {
            Ok(()) | Err(GroupError::NotHosted(_) | GroupError::Changing(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let missing = missing(shared, &shards);
    for (group, configuration) in missing {
        match shared.node.add_group(group, configuration).await {
            Ok(()) | Err(GroupError::Hosted(_) | GroupError::Changing(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// The groups that this node was removed from, as they say themselves and as the map says.
fn surplus(shared: &Shared, shards: &Shards) -> Vec<GroupId> {
    let mut hosted = shared.node.groups();
    hosted.retain(|group| {
        let listed = shards.group(*group).map(|it| &it.members);
        listed.is_some_and(|members| !members.contains(&shared.config.node.0))
            && shared.node.status(*group).is_some_and(|it| it.removed)
    });
    hosted
}

/// The groups that this node should have a replica of, and has not, with their first configurations:
/// a founder of the group knows it, any other member learns it with a snapshot.
fn missing(shared: &Shared, shards: &Shards) -> Vec<(GroupId, Configuration)> {
    let map = shards.map();
    let new = map.migration.as_ref().and_then(|it| it.group.as_ref());
    let hosted = shared.node.groups();
    let absent = map.groups.iter().chain(new).filter(|it| !hosted.contains(&GroupId(it.id)));
    let configured = |group: &ShardGroup| {
        let (id, own) = (GroupId(group.id), shared.config.node.0);
        if group.addresses.contains_key(&own) && !group.left.contains(&own) {
            let founders = group.addresses.iter();
            let founders = founders.map(|(node, at)| (NodeId(*node), at.clone())).collect();
            return Some((id, Configuration::first(&founders)));
        }
        let is_wanted = group.members.contains(&own) || shared.config.joins;
        is_wanted.then(|| (id, Configuration::default()))
    };
    absent.filter_map(configured).collect()
}
