//! MariaDB with Galera: every node takes writes, and a write-set is certified on all of them.
//!
//! `n1` founds the cluster; the other nodes get their data from it. A node that was killed finds out by
//! itself how far it was, and nodes that were all killed form their cluster again once they meet.
//!
//! ```text
//! start.sh       how a node is started, for the first time and after it was killed
//! mysql.rs       the protocol
//! client.rs      a worker's connection
//! operations.rs  the tables, and what each interface of a workload means in them
//! ```

mod client;
mod mysql;
mod operations;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use workloads::workload::Interface;

use self::client::GaleraClient;
use self::mysql::{Connection, SqlError};
use super::installed::{NotInstalled, installed_file, version_line};
use super::ordinary_user::as_ordinary_user;
use super::{
    BoxFuture, Client, NodeContext, NodeStatus, Nodes, Setting, Settings, System, SystemEntry,
};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "galera",
    about: "MariaDB with Galera, all nodes of which take writes. It documents that reads may be stale \
            unless they wait (sync-wait), and that flush-log 0 and 2 give up durability.",
    interfaces: operations::INTERFACES,
    has_own_ports: true,
    version,
    install: "apt-get install mariadb-server galera-4 rsync lsof",
    settings: &[ISOLATION, FLUSH_LOG, SYNC_WAIT, SNAPSHOT_ISOLATION],
    build: |options| {
        let cluster = cluster_name(&options.cluster).to_owned();
        Box::new(Galera { cluster, settings: options.settings })
    },
};

const ISOLATION: Setting = Setting {
    name: "isolation",
    about: "The level of its transactions (transaction_isolation).",
    values: &["repeatable-read", "serializable", "read-committed"],
};
const FLUSH_LOG: Setting = Setting {
    name: "flush-log",
    about: "When a commit is on disk (innodb_flush_log_at_trx_commit): 1 at once, 0 written and synced \
            each second, 2 written at once and synced each second.",
    values: &["1", "0", "2"],
};
const SYNC_WAIT: Setting = Setting {
    name: "sync-wait",
    about: "What waits until the node has applied all that was committed before (wsrep_sync_wait): 0 \
            nothing, 1 reads, 7 every statement.",
    values: &["0", "1", "7"],
};
const SNAPSHOT_ISOLATION: Setting = Setting {
    name: "snapshot-isolation",
    about: "Does changing a row fail that others changed since the transaction began \
            (innodb_snapshot_isolation)?",
    values: &["off", "on"],
};

/// Nodes refuse to hear each other under a longer name.
const CLUSTER_NAME_BYTES_MAX: usize = 32;
/// What replicates.
const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";
/// Who connects, without a password.
const USER: &str = "root";
/// Tables are made on one node, and the others get all data from it, one after the other.
const START_LIMIT: Duration = Duration::from_secs(180);

/// The end of the name of a run, which has its time and its seed.
fn cluster_name(run: &str) -> &str {
    let name = run.rsplit('/').next().unwrap_or(run);
    let start = name.len().saturating_sub(CLUSTER_NAME_BYTES_MAX);
    name.get(start..).unwrap_or(name)
}

struct Galera {
    cluster: String,
    settings: Settings,
}

fn version() -> Result<String, NotInstalled> {
    let line = version_line("mariadbd", &["--version"])?;
    version_line("rsync", &["--version"])?;
    installed_file(PROVIDER)?;
    let number = line.split_whitespace().skip_while(|&word| word != "Ver").nth(1);
    Ok(number.unwrap_or(&line).to_owned())
}

impl Nodes for Galera {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn prepare(&self, context: &NodeContext) -> std::io::Result<()> {
        std::fs::create_dir_all(&context.data)?;
        std::fs::write(context.data.join("my.cnf"), self.settings_of(context))
    }

    /// Both the program and rsync, which copies a node's data, are others as root.
    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        let is_first = context.peers.keys().next() == Some(&context.node);
        let role = if is_first && !context.joins { "found" } else { "join" };
        let command: Vec<OsString> = vec![
            "sh".into(),
            "-c".into(),
            include_str!("start.sh").into(),
            "node".into(),
            context.data.clone().into(),
            role.into(),
        ];
        NodeCommand { argv: as_ordinary_user(command), log: context.log.clone() }
    }

    fn start_limit(&self) -> Duration {
        START_LIMIT
    }

    /// All nodes are equal; the first one of the primary component counts as the leader.
    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move {
            let state = tokio::time::timeout(patience, state(address)).await.ok()?.ok()?;
            Some(NodeStatus {
                leads: state.is("wsrep_cluster_status", "Primary")
                    && state.is("wsrep_local_index", "0"),
                term: state.get("wsrep_cluster_conf_id").parse().unwrap_or(0),
                role: state.get("wsrep_local_state_comment").to_lowercase(),
                committed: state.get("wsrep_last_committed").parse().ok(),
                wall_clock: None,
            })
        })
    }

    fn is_ready(&self, address: SocketAddr, nodes: usize) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            state(address).await.is_ok_and(|state| {
                state.is("wsrep_ready", "ON")
                    && state.is("wsrep_local_state_comment", "Synced")
                    && state.is("wsrep_cluster_size", &nodes.to_string())
            })
        })
    }

    fn form(&self, nodes: &BTreeMap<NodeId, SocketAddr>) -> BoxFuture<'_, Result<(), String>> {
        let first = nodes.values().next().copied();
        Box::pin(async move {
            let Some(address) = first else { return Ok(()) };
            let made = async {
                let mut connection = Connection::open(address, USER).await?;
                operations::make_tables(&mut connection).await
            };
            made.await.map_err(|error: SqlError| format!("make the tables: {error}"))
        })
    }
}

impl System for Galera {
    fn client(&self, _node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        Box::new(GaleraClient::new(address, interface))
    }
}

/// What a node says about replication, by name.
struct State(BTreeMap<String, String>);

impl State {
    fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == value
    }
}

async fn state(address: SocketAddr) -> Result<State, SqlError> {
    let mut connection = Connection::open(address, USER).await?;
    // A node that cannot catch up answers too.
    connection.query("SET SESSION wsrep_sync_wait = 0").await?;
    let found = connection.query("SHOW GLOBAL STATUS LIKE 'wsrep\\_%'").await?;
    let pairs = found.rows.into_iter().filter_map(|row| {
        let [name, value] = <[Option<String>; 2]>::try_from(row).ok()?;
        Some((name?, value?))
    });
    Ok(State(pairs.collect()))
}

impl Galera {
    fn settings_of(&self, context: &NodeContext) -> String {
        let peers: Vec<String> = context.peers.values().map(|peer| peer.ip().to_string()).collect();
        let (ip, port) = (context.listen.ip(), context.listen.port());
        let isolation = self.settings.get(ISOLATION.name).to_uppercase();
        let pairs = [
            ("datadir", path(&context.data.join("files"))),
            // Beside the data: a longer path is none for a socket.
            ("socket", "mysqld.sock".to_owned()),
            ("pid-file", "mysqld.pid".to_owned()),
            ("bind-address", ip.to_string()),
            ("port", port.to_string()),
            ("skip-name-resolve", "ON".to_owned()),
            ("performance_schema", "OFF".to_owned()),
            ("binlog_format", "ROW".to_owned()),
            ("innodb_autoinc_lock_mode", "2".to_owned()),
            ("innodb_buffer_pool_size", "64M".to_owned()),
            ("innodb_log_file_size", "16M".to_owned()),
            // Rather an error than no answer.
            ("innodb_lock_wait_timeout", "1".to_owned()),
            ("innodb_flush_log_at_trx_commit", self.settings.get(FLUSH_LOG.name).to_owned()),
            ("transaction_isolation", isolation),
            ("innodb_snapshot_isolation", self.settings.get(SNAPSHOT_ISOLATION.name).to_owned()),
            ("wsrep_on", "ON".to_owned()),
            ("wsrep_provider", PROVIDER.to_owned()),
            // A node waits for the others as long as it takes.
            ("wsrep_provider_options", "\"gcache.size=32M;pc.wait_prim_timeout=PT1H\"".to_owned()),
            ("wsrep_cluster_name", self.cluster.clone()),
            ("wsrep_cluster_address", format!("gcomm://{}", peers.join(","))),
            ("wsrep_node_address", ip.to_string()),
            ("wsrep_node_name", context.node.to_string()),
            ("wsrep_sst_method", "rsync".to_owned()),
            ("wsrep_slave_threads", "4".to_owned()),
            ("wsrep_sync_wait", self.settings.get(SYNC_WAIT.name).to_owned()),
        ];
        let lines: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        format!("[mysqld]\n{}", lines.concat())
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(node: u16, joins: bool) -> NodeContext {
        let address = |node: NodeId| SocketAddr::from(([10, 0, 0, node.0 as u8], 7000));
        NodeContext {
            node: NodeId(node),
            listen: address(NodeId(node)),
            peers: (1..=3).map(|it| (NodeId(it), address(NodeId(it)))).collect(),
            data: "/data".into(),
            log: "/log".into(),
            joins,
        }
    }

    fn galera(settings: &str) -> Galera {
        let settings = Settings::parse(settings, ENTRY.settings).unwrap();
        Galera { cluster: "c".to_owned(), settings }
    }

    #[test]
    fn the_name_of_a_cluster_is_short_enough_and_has_the_seed() {
        assert_eq!(
            cluster_name("append-none/20261123T055904Z-665114516"),
            "20261123T055904Z-665114516"
        );
        let long = cluster_name("append-none/20261123T055904Z-18446744073709551615");
        assert_eq!((long.len(), long), (32, "123T055904Z-18446744073709551615"));
    }

    #[test]
    fn only_a_first_node_that_lost_nothing_founds_the_cluster() {
        let role = |node, joins| {
            let command = galera("").node_command(&context(node, joins));
            command.argv.last().and_then(|it| it.to_str()).unwrap().to_owned()
        };
        assert_eq!([role(1, false), role(2, false), role(1, true)], ["found", "join", "join"]);
    }

    #[test]
    fn settings_become_variables_of_the_server() {
        let chosen = "isolation=serializable,flush-log=0,sync-wait=7,snapshot-isolation=on";
        let text = galera(chosen).settings_of(&context(2, false));
        for line in [
            "transaction_isolation=SERIALIZABLE",
            "innodb_flush_log_at_trx_commit=0",
            "wsrep_sync_wait=7",
            "innodb_snapshot_isolation=on",
            "wsrep_cluster_address=gcomm://10.0.0.1,10.0.0.2,10.0.0.3",
            "bind-address=10.0.0.2",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
    }
}
