//! Follows the shard map, and makes room for groups that this node is a member of.

use std::time::Duration;

use crate::driver::GroupError;
use crate::membership::Configuration;
use crate::shard::{ShardGroup, ShardMap, Shards};
use crate::types::GroupId;

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
    let missing = missing(shared, &shared.view.get());
    for (group, configuration) in missing {
        match shared.node.add_group(group, configuration).await {
            Ok(()) | Err(GroupError::Hosted(_) | GroupError::Changing(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// The groups that this node should have a replica of, and has not, with their first configurations.
///
/// Groups of the first map are in the log since the first start.
fn missing(shared: &Shared, shards: &Shards) -> Vec<(GroupId, Configuration)> {
    let map = shards.map();
    let new = map.migration.as_ref().and_then(|it| it.group.as_ref());
    let added = map.groups.iter().chain(new).filter(|group| !group.addresses.is_empty());
    let hosted = shared.node.groups();
    let absent = added.filter(|group| !hosted.contains(&GroupId(group.id)));
    let configured = |group: &ShardGroup| {
        if group.members.contains(&shared.config.node.0) {
            let addresses = group.nodes().into_iter();
            let addresses = addresses.map(|node| (node, group.addresses.get(&node.0)));
            let addresses = addresses.map(|(node, at)| (node, at.cloned().unwrap_or_default()));
            return Some((GroupId(group.id), Configuration::first(&addresses.collect())));
        }
        // One that joins learns the members from whoever adds it.
        shared.config.joins.then(|| (GroupId(group.id), Configuration::default()))
    };
    absent.filter_map(configured).collect()
}
