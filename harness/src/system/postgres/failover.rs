//! Fails over: promotes a standby when all of them have lost their primary, and makes the old primary a
//! copy of the new one.
//!
//! It asks over the links of the harness, which no fault cuts. An old primary that answers is
//! stopped before another one is promoted, so that two never acknowledge writes at the same time;
//! one that does not answer is stopped as soon as it does. What the old one had acknowledged and
//! not replicated is gone then, unless replication is synchronous.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::look::{Look, Observer};
use super::server::{conninfo, make_copy_of};
use crate::node_id::NodeId;

/// From one look at all servers to the next.
const INTERVAL: Duration = Duration::from_millis(250);
/// A server that does not answer by then does not answer.
const PATIENCE: Duration = Duration::from_millis(400);
/// All standbys are without their primary for so long before one is promoted.
const CUT_OFF_MAX: Duration = Duration::from_millis(1500);
/// How long a promotion may take.
const PROMOTION_MAX: Duration = Duration::from_secs(10);

/// Stops a server at once, as a crash would. The command runs in its data directory.
const STOP: &str = r#"COPY (SELECT 1) TO PROGRAM 'kill -QUIT "$(head -n 1 postmaster.pid)"'"#;
/// Does not wait: whether it happened is looked at.
const PROMOTE: &str = "SELECT pg_promote(false)";

/// Who is the primary, and what it takes to make another one.
pub(super) struct Roster {
    primary: Mutex<NodeId>,
    members: Mutex<BTreeMap<NodeId, Member>>,
}

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Where the others find it.
    pub(super) address: SocketAddr,
    /// See `server::origin_file`.
    pub(super) origin: PathBuf,
}

impl Roster {
    pub(super) fn new(primary: NodeId) -> Roster {
        Roster { primary: Mutex::new(primary), members: Mutex::default() }
    }

    pub(super) fn primary(&self) -> NodeId {
        *locked(&self.primary)
    }

    pub(super) fn add(&self, node: NodeId, member: Member) {
        locked(&self.members).insert(node, member);
    }

    pub(super) fn member(&self, node: NodeId) -> Option<Member> {
        locked(&self.members).get(&node).cloned()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at the servers and acts, until it is dropped.
pub(super) async fn supervise(
    roster: Arc<Roster>,
    observer: Arc<Observer>,
    nodes: BTreeMap<NodeId, SocketAddr>,
) {
    let mut watch = Watch { nodes: nodes.len(), cut_off_since: None };
    let mut next = tokio::time::interval(INTERVAL);
    next.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let supervisor = Supervisor { roster, observer, nodes };
    loop {
        next.tick().await;
        let looks = supervisor.looks().await;
        let primary = supervisor.roster.primary();
        let upstream = supervisor.roster.member(primary).map(|it| conninfo(it.address));
        let Some(upstream) = upstream else { continue };
        for action in watch.decide(primary, &upstream, &looks, Instant::now()) {
            if let Err(reason) = supervisor.perform(action, primary).await {
                tracing::warn!("{action:?}: {reason}");
            }
        }
    }
}

/// What has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Stop the primary, and let this standby be the primary.
    FailOver(NodeId),
    /// Ask the new primary to take over.
    Promote,
    /// Tell a standby who its primary is.
    Follow(NodeId),
    /// Stop an old primary, which is a copy of the new one from then on.
    Demote(NodeId),
}

/// What was seen so far.
struct Watch {
    nodes: usize,
    cut_off_since: Option<Instant>,
}

impl Watch {
    fn decide(
        &mut self,
        primary: NodeId,
        upstream: &str,
        looks: &BTreeMap<NodeId, Look>,
        now: Instant,
    ) -> Vec<Action> {
        let mut actions = Vec::new();
        if looks.get(&primary).is_some_and(|look| look.is_standby) {
            actions.push(Action::Promote);
        }
        let others = || looks.iter().filter(move |&(&node, _)| node != primary);
        for (&node, look) in others() {
            if !look.is_standby {
                actions.push(Action::Demote(node));
            } else if look.upstream != upstream {
                actions.push(Action::Follow(node));
            }
        }
        // All are asked, because any of them may be the one that is furthest.
        let are_cut_off = actions.is_empty()
            && others().count() + 1 == self.nodes
            && others().all(|(_, look)| !look.is_receiving);
        if !are_cut_off {
            self.cut_off_since = None;
            return actions;
        }
        let since = *self.cut_off_since.get_or_insert(now);
        let furthest = others().max_by_key(|(_, look)| look.position);
        match furthest {
            Some((&node, _)) if now.duration_since(since) >= CUT_OFF_MAX => {
                self.cut_off_since = None;
                vec![Action::FailOver(node)]
            }
            _ => actions,
        }
    }
}

struct Supervisor {
    roster: Arc<Roster>,
    observer: Arc<Observer>,
    nodes: BTreeMap<NodeId, SocketAddr>,
}

impl Supervisor {
    async fn looks(&self) -> BTreeMap<NodeId, Look> {
        let asked = self.nodes.iter().map(|(&node, &address)| async move {
            (node, self.observer.look(address, PATIENCE).await)
        });
        let looks = join_all(asked).await;
        looks.into_iter().filter_map(|(node, look)| Some((node, look?))).collect()
    }

    async fn perform(&self, action: Action, primary: NodeId) -> Result<(), String> {
        match action {
            Action::FailOver(node) => {
                tracing::info!("{node} takes over from {primary}");
                *locked(&self.roster.primary) = node;
                let stopped = self.demote(primary).await;
                self.promote(node).await?;
                stopped
            }
            Action::Promote => self.promote(primary).await,
            Action::Follow(node) => {
                let upstream = self.member(primary)?.address;
                let set = format!("ALTER SYSTEM SET primary_conninfo = '{}'", conninfo(upstream));
                self.command(node, &set).await?;
                self.command(node, "SELECT pg_reload_conf()").await
            }
            Action::Demote(node) => self.demote(node).await,
        }
    }

    async fn promote(&self, node: NodeId) -> Result<(), String> {
        self.command(node, PROMOTE).await?;
        let began = Instant::now();
        while began.elapsed() < PROMOTION_MAX {
            let look = self.observer.look(self.address(node)?, PATIENCE).await;
            if look.is_some_and(|look| !look.is_standby) {
                return Ok(());
            }
            tokio::time::sleep(INTERVAL).await;
        }
        Err(format!("no primary after {PROMOTION_MAX:?}"))
    }

    /// Whether it has stopped is seen by the next looks: the connection of the command ends with it.
    async fn demote(&self, node: NodeId) -> Result<(), String> {
        let new = self.member(self.roster.primary())?.address;
        make_copy_of(&self.member(node)?.origin, new).map_err(|error| error.to_string())?;
        let _ = self.command(node, STOP).await;
        Ok(())
    }

    async fn command(&self, node: NodeId, command: &str) -> Result<(), String> {
        self.observer.command(self.address(node)?, command, PATIENCE).await
    }

    fn address(&self, node: NodeId) -> Result<SocketAddr, String> {
        self.nodes.get(&node).copied().ok_or_else(|| format!("{node} is none of the nodes"))
    }

    fn member(&self, node: NodeId) -> Result<Member, String> {
        self.roster.member(node).ok_or_else(|| format!("{node} was never started"))
    }
}

#[cfg(test)]
mod tests;
