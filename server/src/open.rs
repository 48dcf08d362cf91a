//! Opens the stores of a server and starts its node on them.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

#[cfg(feature = "rocksdb")]
use crate::bug::Bug;
#[cfg(feature = "rocksdb")]
use crate::bug_state;
use crate::config::{Mode, ServerConfig, Storage};
use crate::consensus::EngineKind;
use crate::data_dir::{DataDir, new_incarnation};
use crate::driver::{Node, NodeConfig, PeerSender};
use crate::founders::{Founders, FoundersRecord, Standing};
use crate::log_store::MemoryLogStore;
use crate::membership::Configuration;
use crate::metrics::Metrics;
use crate::raft_log_bridge::raft_logger;
use crate::replica::{CompactionConfig, ReplicaConfig};
use crate::server::ServerError;
use crate::shard::{ShardGroup, ShardMap};
use crate::state_machine::MemoryStateStores;
use crate::types::{GroupId, NodeId};

/// Leases that may live at once.
const LEASES_MAX: usize = 100_000;

/// What of the stores says who this node is: its data directory, if it has one, and whom it has met.
pub(crate) fn open_directory(
    config: &ServerConfig,
) -> Result<(Option<DataDir>, Founders), ServerError> {
    let first = config.peers.keys().copied().collect();
    let new = match config.join {
        true => FoundersRecord::new(Standing::Joined),
        false => FoundersRecord::new(Standing::Gathering),
    };
    match &config.storage {
        Storage::Memory => {
            // Without data that outlives it, every process is another one.
            let keep = Box::new(|_: &FoundersRecord| Ok(()));
            let founders = Founders::new(config.node, new_incarnation(), first, new, keep)?;
            Ok((None, founders))
        }
        #[cfg(feature = "rocksdb")]
        Storage::Rocksdb { data } => {
            let data = DataDir::open(data, &config.cluster, config.node)?;
            let (incarnation, keep) = (data.incarnation(), data.keep_founders());
            let record = data.read_founders()?.unwrap_or(new);
            let founders = Founders::new(config.node, incarnation, first, record, keep)?;
            Ok((Some(data), founders.with_bugs(config.bugs)))
        }
        #[cfg(not(feature = "rocksdb"))]
        Storage::Rocksdb { data: _ } => Err(ServerError::NoRocksdb),
    }
}

/// Opens the stores and starts the node on them. At the first start the node gets the groups that the
/// first shard map gives it; afterwards it has those that its log knows.
pub(crate) fn open(
    config: &ServerConfig,
    data: Option<&DataDir>,
    metrics: Arc<Metrics>,
    peers: Box<dyn PeerSender>,
) -> Result<(Node, ShardMap), ServerError> {
    let first = ShardMap::first(&config.peers.keys().copied().collect(), config.shards);
    match data {
        None => {
            let log = Box::new(MemoryLogStore::new());
            let node_config = node_config(config, bootstrap(config, &first), metrics);
            Ok((Node::start(node_config, log, MemoryStateStores, peers)?, first))
        }
        #[cfg(feature = "rocksdb")]
        Some(data) => {
            if config.bugs.has(Bug::InterruptedStart) {
                bug_state::start(&data.log());
            }
            bug_state::plant_in_stores(config.bugs);
            let known = data.read_shards()?;
            let mut log = Box::new(crate::log_store::SegmentLogStore::open(&data.log())?);
            let mut states =
                crate::state_machine::RocksdbStateStores::new(data.state(), config.rocksdb.clone());
            if config.bugs.has(Bug::DamagedStateAnew) {
                bug_state::begin_damaged_anew(&mut states, &mut *log)?;
            }
            let groups = match &known {
                Some(map) => {
                    refuse_other_shards(config, map)?;
                    BTreeMap::new()
                }
                None => bootstrap(config, &first),
            };
            let node = Node::start(node_config(config, groups, metrics), log, states, peers)?;
            let map = match known {
                Some(map) => map,
                None => {
                    // Not before all groups are in the log: a start that was interrupted begins anew.
                    data.write_shards(&first)?;
                    first
                }
            };
            Ok((node, map))
        }
        #[cfg(not(feature = "rocksdb"))]
        Some(_) => Err(ServerError::NoRocksdb),
    }
}

/// The groups that this node begins with, in their first configurations.
fn bootstrap(config: &ServerConfig, map: &ShardMap) -> BTreeMap<GroupId, Configuration> {
    if config.join {
        // A node that joins learns each group's members from the one that adds it.
        let empty = |group: &ShardGroup| (GroupId(group.id), Configuration::default());
        return map.groups.iter().map(empty).collect();
    }
    let first = |group: &ShardGroup| {
        let is_member = |(node, _): &(&NodeId, &String)| group.members.contains(&node.0);
        let members = config.peers.iter().filter(is_member);
        let addresses = members.map(|(node, address)| (*node, address.clone())).collect();
        (GroupId(group.id), Configuration::first(&addresses))
    };
    let here = map.groups.iter().filter(|group| group.members.contains(&config.node.0));
    here.map(first).collect()
}

#[cfg(feature = "rocksdb")]
fn refuse_other_shards(config: &ServerConfig, map: &ShardMap) -> Result<(), ServerError> {
    let (asked, found) = (config.shards, map.groups.len());
    if asked as usize != found {
        return Err(ServerError::OtherShards { asked, found });
    }
    Ok(())
}

fn node_config(
    config: &ServerConfig,
    bootstrap: BTreeMap<GroupId, Configuration>,
    metrics: Arc<Metrics>,
) -> NodeConfig {
    let timeout = config.limits.request_timeout.as_nanos() / config.tick.as_nanos();
    NodeConfig {
        replica: ReplicaConfig {
            id: config.node,
            engine: match config.mode {
                Mode::Single => EngineKind::Solo,
                Mode::Replicated => EngineKind::Raft,
            },
            election_ticks: config.election_ticks,
            heartbeat_ticks: config.heartbeat_ticks,
            seed: config.seed,
            // The standard library draws the keys of its hashers from the operating system.
            boot: RandomState::new().hash_one(std::process::id()),
            request_timeout_ticks: u64::try_from(timeout).unwrap_or(u64::MAX).max(1),
            pending_writes_max: config.limits.proposals_max,
            pending_reads_max: config.limits.concurrent_requests_max,
            leases_max: LEASES_MAX,
            compaction: CompactionConfig {
                snapshot_entries: config.snapshot.entries,
                snapshot_bytes: config.snapshot.bytes,
                // A small snapshot interval keeps a small tail.
                tail_entries: (config.snapshot.entries / 10).max(10),
                ..CompactionConfig::STANDARD
            },
            bugs: config.bugs,
            logger: raft_logger(),
        },
        bootstrap,
        addresses: config.peers.iter().map(|(node, at)| (node.0, at.clone())).collect(),
        tick: config.tick,
        fsync: config.fsync,
        sessions_max: config.limits.sessions_max,
        metrics,
        bugs: config.bugs,
    }
}
