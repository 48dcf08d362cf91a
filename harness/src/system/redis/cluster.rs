//! A Redis cluster: half of the nodes are primaries, each with a share of the slots, and the others
//! are their replicas.
//!
//! ```text
//! meet, slots, replicas ── form ──> ready: all know all, replicas are connected
//! ```
//!
//! A server refuses the keys of another one, which is a failure without effect: of the clients of a key
//! those on one node succeed. The primary that was promoted last is the one that leads here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use workloads::workload::Interface;

use super::client::{INTERFACES, Kind, RedisClient};
use super::resp::{Connection, Reply};
use super::server::{self, Role};
use crate::node_id::NodeId;
use crate::platform::NodeCommand;
use crate::system::{
    BoxFuture, Client, NodeContext, NodeStatus, Nodes, ReadMode, System, SystemEntry,
};

pub(in crate::system) const ENTRY: SystemEntry = SystemEntry {
    name: "redis-cluster",
    about: "A Redis cluster with asynchronous replicas, of six nodes or more. It documents that \
            acknowledged writes can be lost when a replica is promoted.",
    interfaces: INTERFACES,
    has_own_ports: true,
    version: server::version,
    install: "apt-get install redis-server",
    settings: &[],
    build: |options| Box::new(RedisCluster { read_mode: options.read_mode }),
};

/// Keys are divided into so many slots.
const SLOTS: u16 = 16_384;
/// A primary that cannot be reached for so long counts as failed, and one that cannot reach a majority
/// stops to serve.
const NODE_TIMEOUT: Duration = Duration::from_secs(2);
/// With fewer nodes no majority of primaries is left to promote a replica.
const NODES_MIN: usize = 6;
/// Pause between looks at nodes that get to know each other.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

struct RedisCluster {
    read_mode: ReadMode,
}

impl Nodes for RedisCluster {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn prepare(&self, context: &NodeContext) -> std::io::Result<()> {
        std::fs::create_dir_all(&context.data)?;
        std::fs::write(server::file(&context.data), settings(context))
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        let argv = vec!["redis-server".into(), server::file(&context.data).into()];
        NodeCommand { argv, log: context.log.clone() }
    }

    /// Whether it has slots, and since which epoch.
    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move {
            let asked = async {
                let mut connection = Connection::open(address).await.ok()?;
                let myself = members(&mut connection).await?.into_iter().find(|it| it.is_myself)?;
                let leads = myself.is_primary && myself.has_slots;
                Some(NodeStatus::leading(leads, myself.epoch))
            };
            tokio::time::timeout(patience, asked).await.ok()?
        })
    }

    fn form(&self, nodes: &BTreeMap<NodeId, SocketAddr>) -> BoxFuture<'_, Result<(), String>> {
        let addresses: Vec<SocketAddr> = nodes.values().copied().collect();
        Box::pin(async move {
            if addresses.len() < NODES_MIN {
                return Err(format!(
                    "a Redis cluster needs {NODES_MIN} nodes, a replica for each of three primaries\n\
                     hint: --nodes {NODES_MIN}"
                ));
            }
            form(&addresses).await
        })
    }

    /// It knows all others and finds the cluster whole; a replica is connected, and a primary has one.
    fn is_ready(&self, address: SocketAddr, nodes: usize) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let asked = async {
                let mut connection = Connection::open(address).await.ok()?;
                let knows_all = members(&mut connection).await?.len() == nodes;
                let replicates = match server::role(&mut connection).await? {
                    Role::Primary { replicas, .. } => replicas > 0,
                    Role::Replica { is_connected } => is_connected,
                };
                Some(knows_all && replicates && is_whole(&mut connection).await?)
            };
            asked.await.unwrap_or(false)
        })
    }
}

impl System for RedisCluster {
    fn client(&self, _node: NodeId, address: SocketAddr, interface: Interface) -> Box<dyn Client> {
        Box::new(RedisClient::new(address, interface, self.read_mode, Kind::Cluster))
    }

    /// It finds the cluster whole; a replica takes no writes, and is connected.
    fn serves(&self, _node: NodeId, address: SocketAddr) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let asked = async {
                let mut connection = Connection::open(address).await.ok()?;
                let role = server::role(&mut connection).await?;
                let follows = !matches!(role, Role::Replica { is_connected: false });
                Some(follows && is_whole(&mut connection).await?)
            };
            asked.await.unwrap_or(false)
        })
    }
}

/// A node of the cluster, as one of them sees it.
#[derive(Debug, PartialEq, Eq)]
struct Member {
    id: String,
    is_myself: bool,
    is_primary: bool,
    /// Of two that claim a slot the one with the higher epoch has it.
    epoch: u64,
    has_slots: bool,
}

async fn members(connection: &mut Connection) -> Option<Vec<Member>> {
    let text = connection.command(&["CLUSTER", "NODES"]).await.ok()?.text()?;
    text.lines().map(member).collect()
}

/// `07c37d 10.0.0.1:7000@7001 myself,master - 0 0 1 connected 0-5460 5462 [93->-292f8b]`
fn member(line: &str) -> Option<Member> {
    let mut words = line.split_ascii_whitespace();
    let (id, _address, flags) = (words.next()?, words.next()?, words.next()?);
    let epoch = words.nth(3)?.parse().ok()?;
    let has = |flag| flags.split(',').any(|it| it == flag);
    Some(Member {
        id: id.to_owned(),
        is_myself: has("myself"),
        is_primary: has("master"),
        epoch,
        // Behind the state of the link; those in brackets are on their way to another.
        has_slots: words.skip(1).any(|word| !word.starts_with('[')),
    })
}

/// Does the node find every slot served?
async fn is_whole(connection: &mut Connection) -> Option<bool> {
    let info = connection.command(&["CLUSTER", "INFO"]).await.ok()?.text()?;
    Some(info.lines().any(|line| line == "cluster_state:ok"))
}

/// Makes one cluster of nodes that do not know each other. The caller ends it if it takes too long.
async fn form(addresses: &[SocketAddr]) -> Result<(), String> {
    let mut connections = Vec::with_capacity(addresses.len());
    for &address in addresses {
        let connection = Connection::open(address).await;
        connections.push(connection.map_err(|error| format!("connect to {address}: {error}"))?);
    }
    let primaries = addresses.len() / 2;
    let mut ids = Vec::with_capacity(addresses.len());
    for (place, connection) in connections.iter_mut().enumerate() {
        let epoch = (place + 1).to_string();
        order(connection, &["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await?;
        if place < primaries {
            let slots = slots_of(place, primaries);
            let (first, last) = (slots.start().to_string(), slots.end().to_string());
            order(connection, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await?;
        }
        ids.push(order(connection, &["CLUSTER", "MYID"]).await?.text().unwrap_or_default());
    }
    for &address in &addresses[1..] {
        let (ip, port) = (address.ip().to_string(), address.port().to_string());
        let bus = bus_port(address).to_string();
        order(&mut connections[0], &["CLUSTER", "MEET", &ip, &port, &bus]).await?;
    }
    for connection in &mut connections {
        while members(connection).await.is_none_or(|known| known.len() < addresses.len()) {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
    for place in primaries..addresses.len() {
        let primary = &ids[place % primaries];
        order(&mut connections[place], &["CLUSTER", "REPLICATE", primary]).await?;
    }
    Ok(())
}

async fn order(connection: &mut Connection, words: &[&str]) -> Result<Reply, String> {
    match connection.command(words).await {
        Ok(Reply::Error(error)) => Err(format!("{}: {error}", words.join(" "))),
        Ok(reply) => Ok(reply),
        Err(error) => Err(format!("{}: {error}", words.join(" "))),
    }
}

/// The share of the slots that a primary has.
fn slots_of(place: usize, primaries: usize) -> RangeInclusive<u16> {
    let border = |place: usize| (usize::from(SLOTS) * place / primaries) as u16;
    border(place)..=border(place + 1) - 1
}

/// Nodes speak to each other over the next port.
fn bus_port(client: SocketAddr) -> u16 {
    let port = client.port();
    port.checked_add(1).unwrap_or(port - 1)
}

fn settings(context: &NodeContext) -> String {
    let (ip, port) = (context.listen.ip(), context.listen.port());
    let bus = bus_port(context.listen);
    format!(
        "{}cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout {}\n\
         cluster-port {bus}\ncluster-announce-ip {ip}\ncluster-announce-port {port}\n\
         cluster-announce-bus-port {bus}\n",
        server::settings(context),
        NODE_TIMEOUT.as_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_one_member() {
        let line = "07c3 10.0.0.1:7000@7001 myself,master - 0 0 3 connected 0-5460 5462 [9->-2f]";
        let expected = Member {
            id: "07c3".to_owned(),
            is_myself: true,
            is_primary: true,
            epoch: 3,
            has_slots: true,
        };
        assert_eq!(member(line), Some(expected));
        let replica = member("07c4 10.0.0.4:7000@7001 slave,fail? 07c3 0 17 3 connected").unwrap();
        assert!(!replica.is_primary && !replica.is_myself && !replica.has_slots);
        assert_eq!(member("07c4 10.0.0.4:7000@7001 slave"), None);
    }

    #[test]
    fn primaries_share_all_slots() {
        let shares: Vec<_> = (0..3).map(|place| slots_of(place, 3)).collect();
        assert_eq!(shares, [0..=5460, 5461..=10921, 10922..=16383]);
    }
}
