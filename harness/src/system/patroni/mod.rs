//! Patroni: PostgreSQL servers that elect their primary in etcd.
//!
//! Each node has a member of etcd, a Patroni, and the server that this one runs. Clients speak to the
//! server of one node, as in `postgres`; nothing of what follows a failure is done by the harness.
//!
//! ```text
//! configuration.rs   the file of each Patroni, and where its parts listen
//! ```

mod configuration;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::Duration;

use tokio_postgres::IsolationLevel;
use workloads::workload::Interface;

use self::configuration::{Choices, configuration, configuration_file, etcd_context};
use super::etcd::EtcdNodes;
use super::installed::{NotInstalled, version_line};
use super::ordinary_user::as_ordinary_user;
use super::postgres::{
    ClientOptions, INTERFACES, ISOLATION, Observer, PostgresClient, create_tables, isolation,
};
use super::{
    BoxFuture, Client, NodeContext, NodeStatus, Nodes, ReadMode, Setting, System, SystemEntry,
};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "patroni",
    about: "PostgreSQL under Patroni, which promotes a standby when the primary is gone, with etcd on the \
            same nodes. It documents that commits are lost then, unless its synchronous mode is on.",
    interfaces: INTERFACES,
    has_own_ports: true,
    version,
    install: "apt-get install patroni postgresql etcd-server",
    settings: &[ISOLATION, SYNCHRONOUS, ETCD],
    build: |options| {
        Box::new(Patroni {
            choices: Choices {
                is_synchronous: options.settings.get(SYNCHRONOUS.name) == "on",
                asks_own_etcd: options.settings.get(ETCD.name) == "all",
            },
            isolation: isolation(&options.settings),
            read_mode: options.read_mode,
            observer: Observer::default(),
        })
    },
};

const SYNCHRONOUS: Setting = Setting {
    name: "synchronous",
    about: "Patroni's `synchronous_mode`: a commit waits for a standby, and only that one is promoted.",
    values: &["off", "on"],
};

const ETCD: Setting = Setting {
    name: "etcd",
    about: "Which members of etcd a Patroni asks: those of the other nodes, or its own too. It reads \
            without a quorum, so that its own, when it was cut off with it, shows it an old leader \
            (patroni#3318).",
    values: &["others", "all"],
};

/// Electing a first primary and making copies takes its time.
const START_LIMIT: Duration = Duration::from_secs(180);
/// A server that serves answers by then.
const SERVES_PATIENCE: Duration = Duration::from_secs(1);
/// Pause between looks for the first primary.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Starts etcd, and Patroni with the file `$1` beside it. A Patroni that reads a version of etcd's cluster
/// that is not decided yet ends; it is asked for at `$2`, port `$3`, for half a minute at most.
const BOTH: &str = r#"
configuration=$1 address=$2 port=$3
shift 3
"$@" &
tries=300
until (
    exec 3<>"/dev/tcp/$address/$port" &&
        printf 'GET /version HTTP/1.0\r\n\r\n' >&3 &&
        grep -q '"etcdcluster":"[0-9]' <&3
) 2>/dev/null
do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || break
    sleep 0.1
done
exec patroni "$configuration"
"#;

struct Patroni {
    choices: Choices,
    isolation: IsolationLevel,
    read_mode: ReadMode,
    observer: Observer,
}

/// Such as `3.0.2`.
fn version() -> Result<String, NotInstalled> {
    super::postgres::version()?;
    super::etcd::version()?;
    let line = version_line("patroni", &["--version"])?;
    Ok(line.trim_start_matches("patroni").trim().to_owned())
}

impl Nodes for Patroni {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn prepare(&self, context: &NodeContext) -> std::io::Result<()> {
        std::fs::create_dir_all(&context.data)?;
        std::fs::write(configuration_file(context), configuration(context, self.choices))
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        let etcd = etcd_context(context);
        let mut argv: Vec<OsString> = vec!["bash".into(), "-c".into(), BOTH.into(), "node".into()];
        argv.push(configuration_file(context).into());
        argv.push(etcd.listen.ip().to_string().into());
        argv.push(etcd.listen.port().to_string().into());
        argv.extend(EtcdNodes.node_command(&etcd).argv);
        NodeCommand { argv: as_ordinary_user(argv), log: context.log.clone() }
    }

    fn start_limit(&self) -> Duration {
        START_LIMIT
    }

    /// Waits for the first primary, and makes the tables there.
    fn form(&self, nodes: &BTreeMap<NodeId, SocketAddr>) -> BoxFuture<'_, Result<(), String>> {
        let nodes = nodes.clone();
        Box::pin(async move {
            loop {
                for &address in nodes.values() {
                    let look = self.observer.look(address, SERVES_PATIENCE).await;
                    if look.is_some_and(|look| !look.is_standby) {
                        let made =
                            async { create_tables(&self.observer.session(address).await?).await };
                        return made.await.map_err(|error| crate::output::chain(&error));
                    }
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        })
    }

    fn is_ready(&self, address: SocketAddr, nodes: usize) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let look = self.observer.look(address, SERVES_PATIENCE).await;
            look.is_some_and(|look| look.is_ready(nodes, self.choices.is_synchronous))
        })
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move { Some(self.observer.look(address, patience).await?.status()) })
    }
}

impl System for Patroni {
    fn client(&self, _node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        let (isolation, read_mode) = (self.isolation, self.read_mode);
        Box::new(PostgresClient::new(address, ClientOptions { interface, isolation, read_mode }))
    }

    /// A standby serves when it receives the primary's log.
    fn serves(&self, _node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let look = self.observer.look(address, SERVES_PATIENCE).await;
            look.is_some_and(|look| !look.is_standby || look.is_receiving)
        })
    }
}
