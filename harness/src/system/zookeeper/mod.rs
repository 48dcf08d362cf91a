//! ZooKeeper, as the distribution packages it, with a shorter tick than its own.
//!
//! ```text
//! jute.rs      the protocol: how requests and replies are written
//! session.rs   a connection with its session, and the requests that are needed
//! client.rs    a worker's connection, and what each interface of a workload means here
//! ```

mod client;
mod jute;
mod session;

use std::ffi::OsString;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use workloads::workload::Interface;

use self::client::{INTERFACES, Reads, ZooKeeperClient};
use super::installed::{NotInstalled, installed_file, version_line};
use super::{
    BoxFuture, Client, NodeContext, NodeStatus, Nodes, Setting, Settings, System, SystemEntry,
};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;

pub(super) const ENTRY: SystemEntry = SystemEntry {
    name: "zookeeper",
    about: "ZooKeeper 3.8 or newer. It documents that a read may be stale unless a sync goes before it.",
    interfaces: INTERFACES,
    has_own_ports: true,
    version,
    install: "apt-get install zookeeper",
    settings: &[SYNC],
    build: |options| Box::new(ZooKeeper { reads: reads(&options.settings) }),
};

const SYNC: Setting = Setting {
    name: "sync",
    about: "Does a sync go before each read, so that the node first catches up with the leader?",
    values: &["off", "on"],
};

/// The program; the names of the packages it needs are in its manifest.
const JAR: &str = "/usr/share/java/zookeeper.jar";
/// Settings of the package for its log, and what writes it, which the manifest does not name.
const LOG: &str = "/etc/zookeeper/conf_example:/usr/share/java/slf4j-log4j12.jar:\
                   /usr/share/java/log4j-1.2.jar";
/// The unit of all its time-outs. A session lasts from two to twenty of them.
const TICK: Duration = Duration::from_millis(500);
/// Ticks that a follower may take to find its leader.
const INIT_TICKS: u32 = 20;
/// Ticks that a follower may be behind its leader.
const SYNC_TICKS: u32 = 8;
/// A Java program takes a while to start where others want the processor too.
const START_LIMIT: Duration = Duration::from_secs(60);
/// What a node says about itself is less than this.
const STATUS_BYTES_MAX: u64 = 16 << 10;

struct ZooKeeper {
    reads: Reads,
}

fn reads(settings: &Settings) -> Reads {
    match settings.get(SYNC.name) {
        "on" => Reads::Synced,
        _ => Reads::AsTheNodeHas,
    }
}

/// The other name of the file tells it: `zookeeper-3.8.0.jar`.
fn version() -> Result<String, NotInstalled> {
    version_line("java", &["-version"])?;
    installed_file(JAR)?;
    let folder = Path::new(JAR).parent().and_then(|folder| folder.read_dir().ok());
    let names = folder.into_iter().flatten().flatten().map(|entry| entry.file_name());
    Ok(version_in(names).unwrap_or_else(|| "of unknown version".to_owned()))
}

fn version_in(names: impl Iterator<Item = OsString>) -> Option<String> {
    names.filter_map(|name| name.into_string().ok()).find_map(|name| {
        let version = name.strip_prefix("zookeeper-")?.strip_suffix(".jar")?;
        version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
    })
}

impl Nodes for ZooKeeper {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn prepare(&self, context: &NodeContext) -> std::io::Result<()> {
        std::fs::create_dir_all(&context.data)?;
        std::fs::write(context.data.join("myid"), context.node.0.to_string())?;
        std::fs::write(settings_file(&context.data), settings_of(context))
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        let words = [
            "java",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            "-Dzookeeper.root.logger=INFO,CONSOLE",
            "-cp",
        ];
        let mut argv: Vec<OsString> = words.iter().map(OsString::from).collect();
        argv.push(format!("{LOG}:{JAR}").into());
        argv.push("org.apache.zookeeper.server.quorum.QuorumPeerMain".into());
        argv.push(settings_file(&context.data).into());
        NodeCommand { argv, log: context.log.clone() }
    }

    fn start_limit(&self) -> Duration {
        START_LIMIT
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move {
            let asked = async {
                let mut stream = TcpStream::connect(address).await.ok()?;
                stream.write_all(b"srvr").await.ok()?;
                let mut answer = String::new();
                stream.take(STATUS_BYTES_MAX).read_to_string(&mut answer).await.ok()?;
                status(&answer)
            };
            tokio::time::timeout(patience, asked).await.ok()?
        })
    }
}

impl System for ZooKeeper {
    fn client(&self, _node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        Box::new(ZooKeeperClient::new(address, interface, self.reads))
    }
}

/// What a node answers to `srvr`; nothing if it has no leader. The upper half of the last transaction's
/// number is the epoch of the leader that made it.
fn status(answer: &str) -> Option<NodeStatus> {
    let field = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let leads = field("Mode:")? == "leader";
    let last = u64::from_str_radix(field("Zxid:")?.trim_start_matches("0x"), 16).ok()?;
    Some(NodeStatus::leading(leads, last >> 32))
}

fn settings_file(data: &Path) -> std::path::PathBuf {
    data.join("zoo.cfg")
}

fn settings_of(context: &NodeContext) -> String {
    let mut settings = format!(
        "tickTime={}\ninitLimit={INIT_TICKS}\nsyncLimit={SYNC_TICKS}\ndataDir={}\nclientPort={}\n\
         clientPortAddress={}\nmaxClientCnxns=0\npreAllocSize=4096\n4lw.commands.whitelist=srvr\n\
         admin.enableServer=false\n",
        TICK.as_millis(),
        context.data.display(),
        context.listen.port(),
        context.listen.ip(),
    );
    for (node, peer) in &context.peers {
        let [followers, election] = own_ports(peer.port());
        // Writing to a string cannot fail.
        let _ = writeln!(settings, "server.{}={}:{followers}:{election}", node.0, peer.ip());
    }
    settings
}

/// For followers and for elections: ports beside that of clients, on an address that nobody else has.
fn own_ports(client: u16) -> [u16; 2] {
    match client.checked_add(2) {
        Some(last) => [client + 1, last],
        None => [client - 1, client - 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_says_whether_it_leads_and_in_which_epoch() {
        let answer = "Zookeeper version: 3.8.0\nZxid: 0x300000007\nMode: leader\nNode count: 5\n";
        assert_eq!(status(answer), Some(NodeStatus::leading(true, 3)));
        let answer = answer.replace("leader", "follower");
        assert_eq!(status(&answer), Some(NodeStatus::leading(false, 3)));
        assert_eq!(status("This ZooKeeper instance is not currently serving requests\n"), None);
    }

    #[test]
    fn the_version_is_in_a_name() {
        let names = ["zookeeper-jute-3.8.0.jar", "zookeeper.jar", "zookeeper-3.8.0.jar"];
        let found = version_in(names.into_iter().map(OsString::from));
        assert_eq!(found.as_deref(), Some("3.8.0"));
    }

    #[test]
    fn ports_stay_in_their_range() {
        assert_eq!(own_ports(7000), [7001, 7002]);
        assert_eq!(own_ports(u16::MAX), [u16::MAX - 1, u16::MAX - 2]);
        assert_eq!(own_ports(u16::MAX - 1), [u16::MAX - 2, u16::MAX - 3]);
    }
}
