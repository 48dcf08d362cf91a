//! A cluster in one process that begins with one node and grows to five, one node at a time. Any of
//! them takes a write, and any of them reads it.
//!
//! ```text
//! cargo run --package server --example five_nodes
//! ```

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use proto::admin::AddMember;
use proto::admin::change_members_request::Change;
use proto::client::{Client, ClientOptions};
use server::bug::Bugs;
use server::config::StorageKind;
use server::types::GroupId;
use server::{Server, Settings};

const NODES: u64 = 5;
/// How long the nodes may take to agree on a leader.
const PATIENCE: Duration = Duration::from_secs(20);

/// The nodes that run, by number.
type Servers = BTreeMap<u64, Server>;

#[tokio::main]
pub(crate) async fn main() -> anyhow::Result<()> {
    let mut servers = Servers::new();
    start(&mut servers, 1).await?;
    println!("node 1 is a cluster of one");
    any_node_serves(&servers).await?;

    for node in 2..=NODES {
        // It starts empty, and learns everything from the leader.
        start(&mut servers, node).await?;
        let address = servers[&node].address().to_string();
        let add = Change::Add(AddMember { node, address, stay_learner: false });
        // Writes are forwarded to the leader; an operator is told where it is, and goes there.
        let options = ClientOptions { follow_leader: true, ..ClientOptions::new() };
        let mut operator = Client::new(vec![servers[&1].address().to_string()], options);
        let members = operator.change_members(0, add).await;
        let members = members.with_context(|| format!("add node {node}"))?;
        println!("node {node} joins; there are {} members", members.len());
        ensure!(members.len() as u64 == node, "a member is missing: {members:?}");
        any_node_serves(&servers).await?;
    }

    let leader = leader(&servers).await?;
    println!("node {leader} leads, and stops");
    servers.remove(&leader).context("the leader is one of the nodes")?.shutdown().await;
    println!("node {} leads", self::leader(&servers).await?);
    any_node_serves(&servers).await?;
    println!("four nodes go on, and nothing is lost");

    for (_, server) in servers {
        server.shutdown().await;
    }
    println!("all nodes stopped");
    Ok(())
}

/// Starts a node; all but the first wait to be added to the cluster.
async fn start(servers: &mut Servers, node: u64) -> anyhow::Result<()> {
    // A port that the operating system chooses, so that nothing is in the way.
    let listener = TcpListener::bind("127.0.0.1:0").context("listen on loopback")?;
    let address = listener.local_addr().context("ask for the port")?.to_string();
    let known = servers.iter().map(|(node, it)| (node.to_string(), it.address().to_string()));
    let settings = Settings {
        node: Some(node),
        // Whom it takes for a peer until it knows the members.
        peers: known.chain([(node.to_string(), address)]).collect(),
        join: node > 1,
        storage: StorageKind::Memory,
        ..Settings::default()
    };
    let config = settings.resolve(Bugs::NONE).context("resolve the settings")?;
    let server = Server::start_on(config, listener).await.context("start a node")?;
    println!("node {node} listens on {}", server.address());
    servers.insert(node, server);
    Ok(())
}

/// Writes through each node, and reads everything that was ever written through each node.
async fn any_node_serves(servers: &Servers) -> anyhow::Result<()> {
    let round = servers.len();
    for node in servers.keys() {
        let key = format!("from node {node}");
        let value = format!("hello from node {node}, one of {round}");
        client(servers, *node).put(key.clone(), value.clone()).await.context("write")?;
        for other in servers.keys() {
            let found = client(servers, *other).get(key.clone()).await.context("read")?.found;
            let found = found.with_context(|| format!("node {other} does not know {key:?}"))?;
            ensure!(found.value == value, "node {other} read {:?}", found.value);
        }
    }
    for other in servers.keys() {
        let kept = client(servers, *other).get("from node 1").await.context("read")?.found;
        ensure!(kept.is_some(), "node {other} lost the first write");
    }
    println!("  each of {round} nodes took a write, and all of them read it");
    Ok(())
}

/// A client that speaks to one node only.
fn client(servers: &Servers, node: u64) -> Client {
    Client::new(vec![servers[&node].address().to_string()], ClientOptions::new())
}

/// The node that leads and that all of these follow.
async fn leader(servers: &Servers) -> anyhow::Result<u64> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let seen = servers.values().map(|server| server.node().leadership(GroupId(0)));
        let mut leaders = seen.map(|seen| seen.and_then(|it| it.leader));
        let first = leaders.next().flatten();
        if let Some(first) = first
            && servers.contains_key(&first.0)
            && leaders.all(|leader| leader == Some(first))
        {
            return Ok(first.0);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("the nodes agree on no leader within {PATIENCE:?}")
}
