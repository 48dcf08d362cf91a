//! Five nodes in one process: any of them takes a write, and any of them reads it.
//!
//! ```text
//! cargo run --package server --example five_nodes
//! ```

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use proto::client::{Client, ClientOptions};
use server::bug::Bugs;
use server::config::StorageKind;
use server::{Server, Settings};

const NODES: u64 = 5;
/// How long the nodes may take to agree on a leader.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::main]
pub(crate) async fn main() -> anyhow::Result<()> {
    // Ports that the operating system chooses, so that nothing is in the way.
    let mut listeners = BTreeMap::new();
    let mut addresses = BTreeMap::new();
    for node in 1..=NODES {
        let listener = TcpListener::bind("127.0.0.1:0").context("listen on loopback")?;
        addresses.insert(node, listener.local_addr().context("ask for the port")?.to_string());
        listeners.insert(node, listener);
    }
    let peers: BTreeMap<String, String> =
        addresses.iter().map(|(node, address)| (node.to_string(), address.clone())).collect();

    let mut servers = BTreeMap::new();
    for (node, listener) in listeners {
        let settings = Settings {
            node: Some(node),
            peers: peers.clone(),
            storage: StorageKind::Memory,
            ..Settings::default()
        };
        let config = settings.resolve(Bugs::NONE).context("resolve the settings")?;
        let server = Server::start_on(config, listener).await.context("start a node")?;
        println!("node {node} listens on {}", server.address());
        servers.insert(node, server);
    }

    let leader = leader(&servers).await?;
    println!("node {leader} leads");

    for (node, address) in &addresses {
        let mut client = Client::new(vec![address.clone()], ClientOptions::new());
        let (key, value) = (format!("from node {node}"), format!("hello from node {node}"));
        let written = client.put(key.clone(), value.clone()).await.context("write")?;
        println!("node {node} took {key:?} at revision {}", written.header.revision);
        for (other, address) in &addresses {
            let mut reader = Client::new(vec![address.clone()], ClientOptions::new());
            let found = reader.get(key.clone()).await.context("read")?.found;
            let found = found.with_context(|| format!("node {other} does not know {key:?}"))?;
            ensure!(found.value == value, "node {other} read {:?}", found.value);
        }
        println!("  and all {NODES} nodes read it");
    }

    println!("node {leader} stops");
    servers.remove(&leader).context("the leader is one of the nodes")?.shutdown().await;
    let next = self::leader(&servers).await?;
    println!("node {next} leads");
    let mut client = Client::new(vec![addresses[&next].clone()], ClientOptions::new());
    client.put("after the leader", "still here").await.context("write without the first leader")?;
    let first = client.get("from node 1").await.context("read without the first leader")?;
    ensure!(first.found.is_some(), "a write was lost");
    println!("four nodes go on, and nothing is lost");

    for (_, server) in servers {
        server.shutdown().await;
    }
    println!("all nodes stopped");
    Ok(())
}

/// The node that leads and that all of these follow.
async fn leader(servers: &BTreeMap<u64, Server>) -> anyhow::Result<u64> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let mut leaders = servers.values().map(|server| server.groups().first()?.status.leader);
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
