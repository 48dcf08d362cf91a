//! A system that is measured, and its cluster.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::{EtcdClient, StoreClient};
use super::load::{self, Data, Load, LoadFailure, LoadPlan};
use super::options::{BenchArgs, Compared};
use crate::cluster::{Cluster, ClusterError};
use crate::cpu::{self, ProcessUsage};
use crate::node_id::NodeId;
use crate::platform::loopback::Direct;
use crate::platform::{PlatformError, ProcessState};
use crate::system::etcd::{self, EtcdNodes};
use crate::system::{Nodes, NotInstalled, ReadMode, Settings, StorageMode, SystemOptions};
use crate::usage::{BadUsage, unknown};

/// One node must lead by then.
const LEADER_LIMIT: Duration = Duration::from_secs(10);
/// Pause between two looks for a leader.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Which system it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Store,
    Etcd,
}

/// The system cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// This build has no store.
    #[error("{}", .0.0)]
    NoStore(BadUsage),
    /// The machine has no etcd.
    #[error("{0}\nhint: apt-get install etcd-server, or leave --compare out")]
    NoEtcd(#[from] NotInstalled),
    /// Addresses or processes.
    #[error(transparent)]
    Platform(#[from] PlatformError),
    /// The nodes do not start.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A node is not running any more.
    #[error("{system}: {node} has ended by itself\nhint: its log is in {logs}")]
    NodeGone {
        /// The system.
        system: &'static str,
        /// The node.
        node: NodeId,
        /// Where the logs are.
        logs: String,
    },
    /// Nobody leads.
    #[error("{system}: no node leads after {LEADER_LIMIT:?}\nhint: the nodes' logs are in {logs}")]
    NoLeader {
        /// The system.
        system: &'static str,
        /// Where the logs are.
        logs: String,
    },
    /// The load.
    #[error("{system}: {source}")]
    Load {
        /// The system.
        system: &'static str,
        /// What went wrong.
        source: LoadFailure,
    },
}

/// A system with a cluster of its own.
pub(super) struct Subject {
    kind: Kind,
    version: String,
    cluster: Arc<Cluster>,
    root: PathBuf,
}

impl Kind {
    /// The name in results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Store => "store",
            Kind::Etcd => "etcd",
        }
    }

    /// Which version would be measured; an error if there is none.
    pub(super) fn version(self) -> Result<String, SubjectError> {
        match self {
            Kind::Store => Ok(crate::host::version()),
            Kind::Etcd => Ok(etcd::version()?),
        }
    }

    /// The store, and what it is compared with.
    pub(super) fn all(args: &BenchArgs) -> Vec<Kind> {
        let compared = args.compare.map(|compared| match compared {
            Compared::Etcd => Kind::Etcd,
        });
        [Kind::Store].into_iter().chain(compared).collect()
    }
}

impl Subject {
    /// A cluster that is not started; its nodes' logs and data go into folders of `root`.
    pub(super) fn new(
        kind: Kind,
        version: String,
        args: &BenchArgs,
        bench: &str,
        root: PathBuf,
    ) -> Result<Subject, SubjectError> {
        let system: Arc<dyn Nodes> = match kind {
            Kind::Store => store(args, bench)?,
            Kind::Etcd => Arc::new(EtcdNodes),
        };
        let place = Arc::new(Direct::new(args.nodes)?);
        let runtime = tokio::runtime::Handle::current();
        let cluster = Cluster::new(place, system, args.nodes, root.clone(), runtime);
        Ok(Subject { kind, version, cluster: Arc::new(cluster), root })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind.name()
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Starts all nodes and waits until they serve.
    pub(super) async fn start(&self) -> Result<(), SubjectError> {
        Ok(self.cluster.start().await?)
    }

    /// Who leads, and where it is found.
    pub(super) async fn leader(&self) -> Result<(NodeId, SocketAddr), SubjectError> {
        let began = Instant::now();
        loop {
            let statuses = self.cluster.statuses().await;
            let leaders = statuses.into_iter().filter(|(_, status)| status.leads);
            if let Some((node, _)) = leaders.max_by_key(|(_, status)| status.term) {
                return Ok((node, self.cluster.address(node)));
            }
            if began.elapsed() > LEADER_LIMIT {
                return Err(SubjectError::NoLeader { system: self.name(), logs: self.logs() });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Writes every key once.
    pub(super) async fn preload(&self, data: &Arc<Data>) -> Result<(), SubjectError> {
        let (_, address) = self.leader().await?;
        let written = match self.kind {
            Kind::Store => load::preload::<StoreClient>(address, data).await,
            Kind::Etcd => load::preload::<EtcdClient>(address, data).await,
        };
        written.map_err(|source| self.load_failed(source))
    }

    /// Connects clients.
    pub(super) async fn load(
        &self,
        plan: &LoadPlan,
        data: &Arc<Data>,
    ) -> Result<Load, SubjectError> {
        let load = match self.kind {
            Kind::Store => Load::start::<StoreClient>(plan, data).await,
            Kind::Etcd => Load::start::<EtcdClient>(plan, data).await,
        };
        load.map_err(|source| self.load_failed(source))
    }

    pub(super) fn load_failed(&self, source: LoadFailure) -> SubjectError {
        SubjectError::Load { system: self.name(), source }
    }

    /// What each node has used since it started.
    pub(super) fn usage(&self) -> Result<Vec<(NodeId, ProcessUsage)>, SubjectError> {
        let states = self.cluster.states().into_iter();
        states
            .map(|(node, state)| match state {
                ProcessState::Running { pid } | ProcessState::Stopped { pid } => {
                    Ok((node, cpu::of_process(pid)))
                }
                ProcessState::Gone { .. } => {
                    Err(SubjectError::NodeGone { system: self.name(), node, logs: self.logs() })
                }
            })
            .collect()
    }

    /// Ends all nodes. Returns a sentence for each that had ended by itself, or said something that
    /// a sound node never says.
    pub(super) async fn stop(&self) -> Vec<String> {
        let cluster = Arc::clone(&self.cluster);
        let findings = tokio::task::spawn_blocking(move || cluster.stop()).await;
        let findings = findings.unwrap_or_else(|_| vec!["the harness panicked at the end".into()]);
        findings.into_iter().map(|finding| format!("{}: {finding}", self.name())).collect()
    }

    pub(super) fn remove_data(&self) {
        self.cluster.remove_data();
    }

    fn logs(&self) -> String {
        self.root.display().to_string()
    }
}

fn store(args: &BenchArgs, bench: &str) -> Result<Arc<dyn Nodes>, SubjectError> {
    let name = Kind::Store.name();
    let entry = crate::system::system(name).ok_or_else(|| {
        let known = crate::system::SYSTEMS.iter().map(|entry| entry.name);
        SubjectError::NoStore(unknown("system", name, known))
    })?;
    let system = (entry.build)(SystemOptions {
        cluster: bench.to_owned(),
        storage: StorageMode::Rocksdb,
        fsync: args.fsync,
        read_mode: ReadMode::Linearizable,
        shards: args.shards,
        snapshot_entries: crate::system::SNAPSHOT_ENTRIES,
        bug: None,
        workload: "",
        settings: Settings::default(),
        adapter: None,
        seed: crate::seed::stream(args.seed, "system"),
        folder: None,
    });
    let system: Arc<dyn crate::system::System> = Arc::from(system);
    Ok(system)
}
