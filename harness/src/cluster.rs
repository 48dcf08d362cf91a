//! The nodes of a run: where each lives, how it is started, and who leads.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::runtime::Handle;

use crate::disk::{Disk, Disks};
use crate::nemesis::{ClockReading, NodeControl, Operator};
use crate::node_id::NodeId;
use crate::pausable::PausableClients;
use crate::platform::{Endpoint, Platform, PlatformError, ProcessState};
use crate::system::{
    Admin, AdminAction, AdminError, FaultCommand, Members, NodeContext, NodeStatus, Nodes,
    STATUS_PATIENCE, WallClock,
};

/// A node gets this long to end by itself at the end of a run.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// A command of an operator takes no longer than this.
const OPERATOR_PATIENCE: Duration = Duration::from_secs(3);
/// Pause between looks at a cluster that is starting.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The cluster could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The platform failed.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// A node ended while it was starting.
    #[error(
        "{node} ended at start with status {status}; its last words:\n{tail}\nhint: the whole log is {log}"
    )]
    NodeDied {
        /// The node.
        node: NodeId,
        /// Exit code, or 128 + signal.
        status: i32,
        /// The end of its log.
        tail: String,
        /// Its log.
        log: String,
    },
    /// The nodes run, but do not become one cluster.
    #[error("make one cluster of the nodes: {reason}")]
    NotFormed {
        /// What went wrong.
        reason: String,
    },
    /// The nodes run, but do not serve.
    #[error(
        "the cluster does not serve after {limit:?}: {detail}\nhint: the nodes' logs are in {logs}"
    )]
    NotReady {
        /// How long it was waited for.
        limit: Duration,
        /// What was missing.
        detail: String,
        /// Where the logs are.
        logs: String,
    },
}

/// All nodes of a run.
pub struct Cluster {
    platform: Arc<dyn Platform>,
    system: Arc<dyn Nodes>,
    nodes: Vec<NodeId>,
    root: PathBuf,
    /// Nodes that the nemesis killed and could not start again: not their fault.
    killed: Mutex<BTreeSet<NodeId>>,
    /// Nodes that lost their data, and were told to join anew.
    joining: Mutex<BTreeSet<NodeId>>,
    disks: Disks,
    /// Parts of the nodes' logs in which errors are no findings, in bytes.
    excused: Mutex<BTreeMap<NodeId, Vec<Range<u64>>>>,
    runtime: Handle,
}

impl Cluster {
    /// A cluster that is not started. Logs and data go to `root/n1` and so on.
    pub fn new(
        platform: Arc<dyn Platform>,
        system: Arc<dyn Nodes>,
        nodes: u16,
        root: PathBuf,
        runtime: Handle,
    ) -> Cluster {
        let nodes = (1..=nodes).map(NodeId).collect();
        Cluster {
            platform,
            system,
            nodes,
            root,
            killed: Mutex::default(),
            joining: Mutex::default(),
            disks: Disks::none("this cluster has no disks that can fail"),
            excused: Mutex::default(),
            runtime,
        }
    }

    /// The same cluster with its data on these disks, before it is started.
    pub fn on_disks(self, disks: Disks) -> Cluster {
        Cluster { disks, ..self }
    }

    /// All nodes, ascending.
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// Where a client finds a node.
    pub fn address(&self, node: NodeId) -> SocketAddr {
        self.platform.address(Endpoint::Client, node)
    }

    fn addresses(&self) -> BTreeMap<NodeId, SocketAddr> {
        self.nodes.iter().map(|&node| (node, self.address(node))).collect()
    }

    fn admin(&self, what: &str) -> Result<&dyn Admin, AdminError> {
        self.system.admin().ok_or_else(|| AdminError {
            what: what.to_owned(),
            reason: format!("{} has no commands for operators", self.system.name()),
        })
    }

    /// The processes of the nodes that run, each with what it is doing.
    pub fn states(&self) -> Vec<(NodeId, ProcessState)> {
        let process = self.platform.process();
        self.nodes.iter().map(|&node| (node, process.state(node))).collect()
    }

    /// Starts all nodes and waits until every one knows a leader.
    pub async fn start(&self) -> Result<(), ClusterError> {
        for &node in &self.nodes {
            self.start_node(node)?;
        }
        let (began, limit) = (Instant::now(), self.system.start_limit());
        let mut formed = false;
        loop {
            for &node in &self.nodes {
                if let ProcessState::Gone { status } = self.platform.process().state(node) {
                    let log = self.log(node);
                    return Err(ClusterError::NodeDied {
                        node,
                        status: status.unwrap_or(-1),
                        tail: tail(&log, 10),
                        log: log.display().to_string(),
                    });
                }
            }
            let statuses = self.statuses().await;
            let answering = statuses.len();
            let has_leader = statuses.values().any(|status| status.leads);
            let all_answer = answering == self.nodes.len();
            if all_answer && !formed {
                self.form(limit.saturating_sub(began.elapsed())).await?;
                formed = true;
            } else if all_answer && has_leader && self.are_ready().await {
                return Ok(());
            }
            if began.elapsed() > limit {
                let mut detail = format!(
                    "{answering} of {} answer, {}",
                    crate::plural::counted(self.nodes.len() as u64, "node"),
                    if has_leader { "one leads" } else { "none leads" }
                );
                if let Some(reason) = self.system.why_silent() {
                    detail.push_str(&format!("; {reason}"));
                }
                let logs = self.root.display().to_string();
                return Err(ClusterError::NotReady { limit, detail, logs });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    async fn form(&self, limit: Duration) -> Result<(), ClusterError> {
        let nodes = self.addresses();
        match tokio::time::timeout(limit, self.system.form(&nodes)).await {
            Ok(formed) => formed.map_err(|reason| ClusterError::NotFormed { reason }),
            Err(_) => Err(ClusterError::NotFormed { reason: format!("no answer in {limit:?}") }),
        }
    }

    async fn are_ready(&self) -> bool {
        let asked = self.nodes.iter().map(|&node| {
            let ready = self.system.is_ready(self.address(node), self.nodes.len());
            async move { tokio::time::timeout(STATUS_PATIENCE, ready).await.unwrap_or(false) }
        });
        join_all(asked).await.into_iter().all(|ready| ready)
    }

    /// Asks all nodes at once; nodes that do not answer are left out.
    pub async fn statuses(&self) -> BTreeMap<NodeId, NodeStatus> {
        let asked = self.nodes.iter().map(|&node| async move {
            (node, self.system.status(self.address(node), STATUS_PATIENCE).await)
        });
        join_all(asked)
            .await
            .into_iter()
            .filter_map(|(node, status)| Some((node, status?)))
            .collect()
    }

    /// Asks a node what its wall clock shows.
    pub async fn wall_clock(&self, node: NodeId) -> Option<ClockReading> {
        let WallClock { shows, asked, answered } =
            self.system.wall_clock(self.address(node)).await?;
        let at = asked + (answered - asked) / 2;
        Some(ClockReading { at, ahead: shows - at, uncertainty: (answered - asked) / 2 + 1 })
    }

    /// One sentence for each disk that failed by itself, which no fault of the run did.
    pub fn disk_failures(&self) -> Vec<String> {
        self.disks.failures()
    }

    /// Ends all nodes. Returns one sentence for each that had ended by itself, or said something
    /// that a sound node never says.
    pub fn stop(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let process = self.platform.process();
        for &node in &self.nodes {
            let was_killed = self.killed().contains(&node);
            if let (ProcessState::Gone { status }, false) = (process.state(node), was_killed) {
                let status = status.map_or("no status".to_owned(), |code| format!("status {code}"));
                findings.push(format!("{node} ended by itself with {status}"));
            }
        }
        std::thread::scope(|scope| {
            for &node in &self.nodes {
                // The platform reports what it could not end; nothing outlives the harness anyway.
                scope.spawn(move || process.terminate(node, STOP_PATIENCE));
            }
        });
        for &node in &self.nodes {
            let excused = self.excused().get(&node).cloned().unwrap_or_default();
            findings.extend(findings_in_log(node, &self.log(node), &excused));
        }
        findings.extend(self.disks.remove());
        findings
    }

    /// Removes the data directories, once the nodes have ended.
    pub fn remove_data(&self) {
        for &node in &self.nodes {
            // What cannot be removed stays where the user finds it.
            let _ = std::fs::remove_dir_all(self.data(node));
        }
    }

    fn start_node(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        let folder = self.folder(node);
        std::fs::create_dir_all(&folder).map_err(|source| PlatformError::Os {
            what: format!("create {}", folder.display()),
            source,
        })?;
        let disk = self.disks.get(node).ok();
        disk.map_or(Ok(()), |disk| disk.check_mounted())?;
        let from = Endpoint::Node(node);
        let context = NodeContext {
            node,
            listen: self.platform.listen_address(node),
            peers: self
                .nodes
                .iter()
                .map(|&peer| match peer == node {
                    true => (peer, self.platform.listen_address(node)),
                    false => (peer, self.platform.address(from, peer)),
                })
                .collect(),
            data: disk.map_or_else(|| self.data(node), |disk| disk.data()),
            log: self.log(node),
            joins: locked(&self.joining).contains(&node),
        };
        self.system.prepare(&context).map_err(|source| PlatformError::Os {
            what: format!("prepare {node} in {}", folder.display()),
            source,
        })?;
        let state = self.platform.process().start(node, &self.system.node_command(&context))?;
        self.killed().remove(&node);
        Ok(state)
    }

    fn killed(&self) -> MutexGuard<'_, BTreeSet<NodeId>> {
        locked(&self.killed)
    }

    fn excused(&self) -> MutexGuard<'_, BTreeMap<NodeId, Vec<Range<u64>>>> {
        locked(&self.excused)
    }

    fn folder(&self, node: NodeId) -> PathBuf {
        self.root.join(node.to_string())
    }

    fn log(&self, node: NodeId) -> PathBuf {
        self.folder(node).join("log")
    }

    fn data(&self, node: NodeId) -> PathBuf {
        self.folder(node).join("data")
    }
}

/// The nemesis' view of a cluster and of those who use it.
pub struct ClusterControl {
    /// The nodes.
    pub cluster: Arc<Cluster>,
    /// The clients.
    pub clients: PausableClients,
}

impl NodeControl for ClusterControl {
    fn leader(&self) -> Option<NodeId> {
        let statuses = self.cluster.runtime.block_on(self.cluster.statuses());
        statuses
            .into_iter()
            .filter(|(_, status)| status.leads)
            .max_by_key(|(_, status)| status.term)
            .map(|(node, _)| node)
    }

    fn wall_clock(&self, node: NodeId) -> Option<ClockReading> {
        self.cluster.runtime.block_on(self.cluster.wall_clock(node))
    }

    fn restart(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        self.cluster.killed().insert(node);
        self.cluster.start_node(node)
    }

    fn restart_joining(&self, node: NodeId) -> Result<ProcessState, PlatformError> {
        locked(&self.cluster.joining).insert(node);
        self.restart(node)
    }

    fn wipe(&self, node: NodeId) -> Result<u64, PlatformError> {
        if !matches!(self.cluster.platform.process().state(node), ProcessState::Gone { .. }) {
            return Err(PlatformError::Unsupported(format!("{node} runs, and uses its data")));
        }
        self.cluster.killed().insert(node);
        let disk = self.cluster.disks.get(node).ok();
        let data = disk.map_or_else(|| self.cluster.data(node), |disk| disk.data());
        let removed = empty_folder(&data).map_err(|source| PlatformError::Os {
            what: format!("remove what is in {}", data.display()),
            source,
        })?;
        if let Some(disk) = disk {
            // Otherwise the next power loss would bring the data back.
            disk.sync_all();
        }
        Ok(removed)
    }

    fn serves(&self, node: NodeId) -> bool {
        let status = self.cluster.system.status(self.cluster.address(node), STATUS_PATIENCE);
        self.cluster.runtime.block_on(status).is_some()
    }

    fn operator(&self) -> Option<&dyn Operator> {
        self.cluster.system.admin().map(|_| self as &dyn Operator)
    }

    fn disk(&self, node: NodeId) -> Result<Arc<Disk>, String> {
        self.cluster.disks.get(node).cloned()
    }

    fn clients(&self) -> PausableClients {
        self.clients.clone()
    }

    fn fault_commands(&self) -> &[FaultCommand] {
        self.cluster.system.fault_commands()
    }

    fn excuse_errors(&self, node: NodeId, excused: bool) {
        // Without a length nothing is excused, or all that follows.
        let length = std::fs::metadata(self.cluster.log(node)).map(|log| log.len());
        let mut all = self.cluster.excused();
        let parts = all.entry(node).or_default();
        match (excused, parts.last_mut()) {
            (true, _) => parts.push(length.unwrap_or(u64::MAX)..u64::MAX),
            (false, Some(part)) => part.end = length.unwrap_or(u64::MAX),
            (false, None) => {}
        }
    }
}

impl Operator for ClusterControl {
    fn groups(&self) -> u32 {
        self.cluster.system.admin().map_or(0, Admin::groups)
    }

    fn members(&self, group: u32) -> Result<Members, AdminError> {
        let admin = self.cluster.admin("list the members")?;
        let nodes = self.cluster.addresses();
        self.cluster.runtime.block_on(admin.members(&nodes, group, OPERATOR_PATIENCE))
    }

    fn perform(&self, group: u32, action: AdminAction) -> Result<String, AdminError> {
        let admin = self.cluster.admin(&action.to_string())?;
        let nodes = self.cluster.addresses();
        self.cluster.runtime.block_on(admin.perform(&nodes, group, action, OPERATOR_PATIENCE))
    }
}

fn locked<T>(set: &Mutex<T>) -> MutexGuard<'_, T> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes everything in a folder, which itself may be a mount point. Returns the bytes that were there.
fn empty_folder(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            bytes += empty_folder(&entry.path())?;
            std::fs::remove_dir(entry.path())?;
        } else {
            bytes += entry.metadata()?.len();
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(bytes)
}

/// How many findings of one node are told.
const FINDINGS_MAX: usize = 3;

/// What no sound node writes; panics first. Errors in the excused parts are left out.
fn findings_in_log(node: NodeId, log: &Path, excused: &[Range<u64>]) -> Vec<String> {
    let Ok(bytes) = std::fs::read(log) else { return Vec::new() };
    let mut end = 0;
    let mut panics = Vec::new();
    let mut errors = Vec::new();
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let begin = end;
        end += line.len() as u64;
        let line = String::from_utf8_lossy(line);
        if is_panic(&line) {
            panics.push(line);
        } else if is_error(&line) && !excused.iter().any(|part| part.contains(&begin)) {
            errors.push(line);
        }
    }
    panics
        .into_iter()
        .chain(errors)
        .take(FINDINGS_MAX)
        .map(|line| format!("{node} logged: {}", line.trim()))
        .collect()
}

/// `thread 'raft' (17) panicked at src/core.rs:7:9:`
fn is_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(" panicked at ")
}

/// `2026-11-22T13:05:01.123456Z ERROR server::driver: ...`; the word anywhere else means nothing.
fn is_error(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let time = words.next().unwrap_or_default();
    time.starts_with(|first: char| first.is_ascii_digit()) && words.next() == Some("ERROR")
}

fn tail(log: &Path, lines: usize) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_level_of_a_line_makes_it_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let lines = [
            "2026-11-22T13:05:01.1Z  INFO server: the peer answered ERROR once, retrying",
            "2026-11-22T13:05:01.2Z  WARN server: a key named panicked at noon",
            "2026-11-22T13:05:01.3Z ERROR server::driver: the disk is gone",
            "thread 'raft' (17) panicked at src/core.rs:7:9:",
        ];
        std::fs::write(&log, lines.join("\n")).unwrap();
        assert_eq!(
            findings_in_log(NodeId(2), &log, &[]),
            [format!("n2 logged: {}", lines[3]), format!("n2 logged: {}", lines[2])]
        );
        // While its disk fails a node may say so, but never panic.
        let panic = [format!("n2 logged: {}", lines[3])];
        let excused = std::slice::from_ref(&(10..u64::MAX));
        assert_eq!(findings_in_log(NodeId(2), &log, excused), panic);
    }
}
