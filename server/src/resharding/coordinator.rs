//! Drives the addition of a group while this node leads the first group. The stages are in the map;
//! what has been done of a stage is done again, which changes nothing.

use std::sync::PoisonError;
use std::time::Duration;

use bytes::Bytes;

use crate::command::{
    Activate, ChangeMap, Forget, Freeze, Ingest, LeavingPage, LeavingQuestion, MapQuestion,
    Outcome, OutcomeKind, Reserve, SessionsPage, SessionsQuestion, ShardAnswer, ShardQuestion,
    ShardStep,
};
use crate::shard::{Migration, MigrationStage, NoGroups, ShardMap, ShardMapError, Source};
use crate::types::{GroupId, NodeId, Role};

use super::Shared;
use super::reach::Unreached;

/// How often it is looked whether there is something to do, and how long to wait after a failure.
const INTERVAL: Duration = Duration::from_millis(100);

/// A step of a migration failed. It will be tried again, here or by the next leader.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    /// A group could not be reached.
    #[error(transparent)]
    Unreached(#[from] Unreached),
    /// This node does not lead the first group any more.
    #[error("another node leads the first group")]
    Deposed,
    /// The map is not what this program writes.
    #[error(transparent)]
    Map(#[from] ShardMapError),
    /// The map has no groups.
    #[error(transparent)]
    NoGroups(#[from] NoGroups),
    /// Keys that would move belong to leases, which do not move.
    #[error(
        "keys of group {group} that would move belong to leases\n\
         hint: the group is added once these leases have ended; revoke them, or write the keys \
         without a lease"
    )]
    LeasedKeys {
        /// Which group.
        group: u32,
    },
    /// A group takes part in another migration: another coordinator is ahead.
    #[error("group {group} is at another step")]
    OutOfStep {
        /// Which group.
        group: u32,
    },
}

/// Runs until it is dropped.
pub(super) async fn run(shared: &Shared) {
    loop {
        if !leads(shared) || shared.view.get().map().migration.is_none() {
            note(shared, String::new());
            tokio::time::sleep(INTERVAL).await;
            continue;
        }
        match step(shared).await {
            Ok(()) => note(shared, String::new()),
            Err(error) => {
                note(shared, error.to_string());
                tokio::time::sleep(INTERVAL).await;
            }
        }
    }
}

/// Keeps in mind what is wrong, and logs it when it is new.
fn note(shared: &Shared, trouble: String) {
    let mut known = shared.trouble.lock().unwrap_or_else(PoisonError::into_inner);
    if *known != trouble && !trouble.is_empty() {
        tracing::warn!("add a group: {trouble}");
    }
    *known = trouble;
}

/// Does this node lead the first group, as far as it knows?
pub(super) fn leads(shared: &Shared) -> bool {
    let first = shared.node.leadership(shared.view.get().first());
    first.is_some_and(|replica| replica.role == Role::Leader)
}

/// Who else leads the first group, if anyone is known to.
pub(super) fn first_leader_elsewhere(shared: &Shared) -> Option<NodeId> {
    let first = shared.node.leadership(shared.view.get().first());
    first.and_then(|it| it.leader).filter(|it| *it != shared.config.node)
}

/// The shard map, as the first group has it now.
pub(super) async fn current_map(shared: &Shared) -> Result<ShardMap, StepError> {
    let shards = shared.view.get();
    let first = shards.first();
    let question = ShardQuestion::Map(MapQuestion {});
    match shared.reach.question(first, question).await? {
        // Nobody has changed it yet: it is the one that all nodes began with.
        Some(ShardAnswer::Map(answer)) if answer.version == 0 => Ok(shards.map().clone()),
        Some(ShardAnswer::Map(answer)) => Ok(ShardMap::decode_map(&answer.map)?),
        Some(_) | None => Err(StepError::OutOfStep { group: first.0 }),
    }
}

/// Replaces the map by one that follows from it; false if another one took its place before.
pub(super) async fn change_map(
    shared: &Shared,
    before: &ShardMap,
    after: ShardMap,
) -> Result<bool, StepError> {
    let change = ChangeMap {
        // The first map is in no log.
        expected: if before.version == 1 { 0 } else { before.version },
        version: after.version,
        map: after.encode_map().into(),
    };
    let first = shared.view.get().first();
    let outcome = shared.reach.perform(first, ShardStep::ChangeMap(change)).await?;
    // An attempt whose answer was lost may have succeeded before this one.
    let is_done = outcome.kind() == OutcomeKind::Done || current_map(shared).await? == after;
    if is_done {
        shared.view.learn(after)?;
    }
    Ok(is_done)
}

/// Brings the migration to its next version of the map.
async fn step(shared: &Shared) -> Result<(), StepError> {
    let map = current_map(shared).await?;
    let Some(migration) = &map.migration else {
        shared.view.learn(map)?;
        return Ok(());
    };
    let group = migration.group_id();
    let sources = map.sources()?;
    let next = match migration.stage() {
        MigrationStage::Creating => {
            let reserve = Reserve { migration: migration.id };
            done(group, &shared.reach.perform(group, ShardStep::Reserve(reserve)).await?)?;
            map.at(MigrationStage::Moving)
        }
        MigrationStage::Moving => {
            let is_left = |source: &&Source| !migration.moved.contains(&source.group.0);
            match sources.iter().find(is_left) {
                Some(source) => {
                    let keys = move_keys(shared, migration, source).await?;
                    let from = source.group;
                    tracing::info!(from = from.0, to = group.0, keys, "moved keys");
                    map.moved(from, keys)
                }
                None => map.at(MigrationStage::Forgetting),
            }
        }
        MigrationStage::Forgetting => {
            for source in &sources {
                forget(shared, migration, source.group).await?;
            }
            tracing::info!(group = group.0, keys = migration.keys, "added a group");
            map.complete()
        }
    };
    change_map(shared, &map, next).await?;
    Ok(())
}

/// Brings all that leaves a group to the new one. Returns how many keys.
async fn move_keys(
    shared: &Shared,
    migration: &Migration,
    source: &Source,
) -> Result<u64, StepError> {
    let (id, from, to) = (migration.id, source.group, migration.group_id());
    let freeze = Freeze { migration: id, keep: source.keep.clone() };
    let frozen = shared.reach.perform(from, ShardStep::Freeze(freeze)).await?;
    if frozen.kind() != OutcomeKind::Done {
        return Err(StepError::LeasedKeys { group: from.0 });
    }
    let mut keys = 0;
    let mut after = None;
    loop {
        let page = leaving(shared, id, from, after).await?;
        keys += page.keys.len() as u64;
        if !page.keys.is_empty() {
            let ingest = Ingest { migration: id, keys: page.keys, sessions: Vec::new() };
            done(to, &shared.reach.perform(to, ShardStep::Ingest(ingest)).await?)?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut after = 0;
    loop {
        let page = sessions(shared, id, from, after).await?;
        let ingest = Ingest { migration: id, keys: Vec::new(), sessions: page.sessions };
        done(to, &shared.reach.perform(to, ShardStep::Ingest(ingest)).await?)?;
        after = page.next;
        if after == 0 {
            break;
        }
    }
    let segments = source.leaving.clone();
    let activate = Activate { migration: id, segments, revision_floor: frozen.revision };
    done(to, &shared.reach.perform(to, ShardStep::Activate(activate)).await?)?;
    Ok(keys)
}

/// Deletes what left a group.
async fn forget(shared: &Shared, migration: &Migration, from: GroupId) -> Result<(), StepError> {
    let mut after = None;
    loop {
        let page = leaving(shared, migration.id, from, after).await?;
        if !page.keys.is_empty() {
            let keys = page.keys.into_iter().map(|it| it.key).collect();
            let forget = Forget { migration: migration.id, keys };
            done(from, &shared.reach.perform(from, ShardStep::Forget(forget)).await?)?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

async fn leaving(
    shared: &Shared,
    migration: u64,
    from: GroupId,
    after: Option<Bytes>,
) -> Result<LeavingPage, StepError> {
    still_leads(shared)?;
    let question = ShardQuestion::Leaving(LeavingQuestion { migration, after });
    match shared.reach.question(from, question).await? {
        Some(ShardAnswer::Leaving(page)) => Ok(page),
        Some(_) | None => Err(StepError::OutOfStep { group: from.0 }),
    }
}

async fn sessions(
    shared: &Shared,
    migration: u64,
    from: GroupId,
    after: u64,
) -> Result<SessionsPage, StepError> {
    still_leads(shared)?;
    let question = ShardQuestion::Sessions(SessionsQuestion { migration, after });
    match shared.reach.question(from, question).await? {
        Some(ShardAnswer::Sessions(page)) => Ok(page),
        Some(_) | None => Err(StepError::OutOfStep { group: from.0 }),
    }
}

/// One that was deposed stops early. Were it to go on, its steps would change nothing.
fn still_leads(shared: &Shared) -> Result<(), StepError> {
    if leads(shared) { Ok(()) } else { Err(StepError::Deposed) }
}

fn done(group: GroupId, outcome: &Outcome) -> Result<(), StepError> {
    match outcome.kind() {
        OutcomeKind::Done => Ok(()),
        _ => Err(StepError::OutOfStep { group: group.0 }),
    }
}
