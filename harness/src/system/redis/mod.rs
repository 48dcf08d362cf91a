//! Redis with asynchronous replicas, and sentinels that promote one of them.
//!
//! Each node has a server and a sentinel; `n1` begins as the primary. Every client speaks to the
//! server of one node and to no other, so that what an old primary acknowledges is seen.
//!
//! ```text
//! resp.rs     the protocol
//! client.rs   a worker's connection, and what each interface of a workload means here
//! ```

mod client;
mod resp;

use std::ffi::OsString;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use workloads::workload::Interface;

use self::client::{INTERFACES, RedisClient};
use self::resp::{Connection, Reply};
use super::installed::{NotInstalled, version_line};
use super::settings::Setting;
use super::{BoxFuture, Client, NodeContext, NodeStatus, Nodes, ReadMode, System, SystemEntry};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) const REDIS_SENTINEL: SystemEntry = SystemEntry {
    name: "redis-sentinel",
    about: "Redis, a primary with asynchronous replicas, and a sentinel on each node. It documents that \
            acknowledged writes can be lost when a replica is promoted.",
    interfaces: INTERFACES,
    has_own_ports: true,
    version,
    install: "apt-get install redis-server redis-sentinel",
    settings: &[MIN_REPLICAS],
    build: |options| {
        let min_replicas = options.settings.get(MIN_REPLICAS.name);
        Box::new(RedisSentinel { read_mode: options.read_mode, min_replicas })
    },
};

/// See `min-replicas-to-write` of Redis.
const MIN_REPLICAS: Setting = Setting {
    name: "min-replicas",
    about: "how many replicas must have reported within 2 s, or the primary takes no writes",
    values: &["0", "1", "2"],
};

/// What sentinels call the primary and its replicas.
const GROUP: &str = "breakwater";
/// A server that does not answer for so long counts as down.
const DOWN_AFTER: Duration = Duration::from_secs(1);
/// A promotion that takes longer is tried again.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the sentinel of `$1` behind the server of `$2`.
const BOTH: &str = r#"redis-sentinel "$1" & exec redis-server "$2""#;

struct RedisSentinel {
    read_mode: ReadMode,
    min_replicas: &'static str,
}

fn version() -> Result<String, NotInstalled> {
    let line = version_line("redis-server", &["--version"])?;
    version_line("redis-sentinel", &["--version"])?;
    let number = line.split_whitespace().find_map(|word| word.strip_prefix("v="));
    Ok(number.unwrap_or(&line).to_owned())
}

impl Nodes for RedisSentinel {
    fn name(&self) -> &'static str {
        REDIS_SENTINEL.name
    }

    /// Both programs write into their files what they learned, so that a file is written once only.
    fn prepare(&self, context: &NodeContext) -> std::io::Result<()> {
        std::fs::create_dir_all(&context.data)?;
        let primary = context.peers.values().next().copied().unwrap_or(context.listen);
        write_once(
            &server_file(&context.data),
            &server_settings(context, primary, self.min_replicas),
        )?;
        write_once(&sentinel_file(&context.data), &sentinel_settings(context, primary))
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        let argv: Vec<OsString> = vec![
            "sh".into(),
            "-c".into(),
            BOTH.into(),
            "node".into(),
            sentinel_file(&context.data).into(),
            server_file(&context.data).into(),
        ];
        NodeCommand { argv, log: context.log.clone() }
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move {
            let asked = async {
                let mut connection = Connection::open(address).await.ok()?;
                let role = connection.command(&["ROLE"]).await.ok()?;
                let leads = role.elements().first()?.text()? == "master";
                // How far it is tells two that believe to lead apart.
                let offset = match role.elements().get(1) {
                    Some(Reply::Integer(offset)) if leads => u64::try_from(*offset).unwrap_or(0),
                    _ => 0,
                };
                Some(NodeStatus::leading(leads, offset))
            };
            tokio::time::timeout(patience, asked).await.ok()?
        })
    }

    /// A primary whose replicas are all connected, or a replica that is; and a sentinel that knows the
    /// other sentinels and all replicas.
    fn is_ready(&self, address: SocketAddr, nodes: usize) -> BoxFuture<'_, bool> {
        Box::pin(async move { is_ready(address, nodes).await.unwrap_or(false) })
    }
}

impl System for RedisSentinel {
    fn client(&self, _node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        Box::new(RedisClient::new(address, interface, self.read_mode))
    }

    /// A replica takes no writes: it serves when its link to the primary is up.
    fn serves(&self, _node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let asked = async {
                let mut connection = Connection::open(address).await.ok()?;
                let role = connection.command(&["ROLE"]).await.ok()?;
                let is_replica = role.elements().first()?.text()? == "slave";
                let link = role.elements().get(3).and_then(Reply::text);
                Some(!is_replica || link.as_deref() == Some("connected"))
            };
            asked.await.unwrap_or(false)
        })
    }
}

async fn is_ready(address: SocketAddr, nodes: usize) -> Option<bool> {
    let others = nodes.saturating_sub(1);
    let mut server = Connection::open(address).await.ok()?;
    let role = server.command(&["ROLE"]).await.ok()?;
    let parts = role.elements();
    let replicates = match parts.first()?.text()?.as_str() {
        "master" => parts.get(2)?.elements().len() == others,
        _ => parts.get(3)?.text()? == "connected",
    };
    let mut sentinel = Connection::open(sentinel_address(address)).await.ok()?;
    let known = sentinel.command(&["SENTINEL", "MASTER", GROUP]).await.ok()?;
    let number = |name: &str| {
        let words: Vec<Option<String>> = known.elements().iter().map(Reply::text).collect();
        let found = words.chunks_exact(2).find(|pair| pair[0].as_deref() == Some(name))?;
        found[1].as_ref()?.parse::<usize>().ok()
    };
    let knows_all = number("num-other-sentinels")? == others && number("num-slaves")? == others;
    Some(replicates && knows_all)
}

fn server_file(data: &Path) -> std::path::PathBuf {
    data.join("redis.conf")
}

fn sentinel_file(data: &Path) -> std::path::PathBuf {
    data.join("sentinel.conf")
}

/// The sentinel has the next port.
fn sentinel_address(server: SocketAddr) -> SocketAddr {
    let port = server.port();
    SocketAddr::new(server.ip(), port.checked_add(1).unwrap_or(port - 1))
}

/// As safe as one server can be: every write is synced before it is acknowledged.
fn server_settings(context: &NodeContext, primary: SocketAddr, min_replicas: &str) -> String {
    let (ip, port) = (context.listen.ip(), context.listen.port());
    let mut settings = format!(
        "port {port}\nbind {ip}\nprotected-mode no\ndir {}\nappendonly yes\nappendfsync always\n\
         repl-diskless-sync-delay 0\nreplica-announce-ip {ip}\nreplica-announce-port {port}\n\
         min-replicas-to-write {min_replicas}\nmin-replicas-max-lag 2\n",
        context.data.display()
    );
    if primary != context.listen {
        // Writing to a string cannot fail.
        let _ = writeln!(settings, "replicaof {} {}", primary.ip(), primary.port());
    }
    settings
}

fn sentinel_settings(context: &NodeContext, primary: SocketAddr) -> String {
    let (ip, port) = (context.listen.ip(), sentinel_address(context.listen).port());
    let quorum = context.peers.len() / 2 + 1;
    format!(
        "port {port}\nbind {ip}\nprotected-mode no\ndir {}\nsentinel announce-ip {ip}\n\
         sentinel announce-port {port}\nsentinel monitor {GROUP} {} {} {quorum}\n\
         sentinel down-after-milliseconds {GROUP} {}\nsentinel failover-timeout {GROUP} {}\n\
         sentinel parallel-syncs {GROUP} 1\n",
        context.data.display(),
        primary.ip(),
        primary.port(),
        DOWN_AFTER.as_millis(),
        FAILOVER_TIMEOUT.as_millis()
    )
}

fn write_once(path: &Path, text: &str) -> std::io::Result<()> {
    match path.exists() {
        true => Ok(()),
        false => std::fs::write(path, text),
    }
}
