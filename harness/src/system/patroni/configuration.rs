//! The file of a Patroni, and where the parts of a node listen.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::system::NodeContext;
use crate::system::postgres::{ACCESS, SERVER_SETTINGS, USER, program};

/// What all Patronis of a run call their cluster.
const SCOPE: &str = "breakwater";

/// The shortest times that Patroni takes, in seconds: a primary keeps its lock for so long after it was
/// last heard of, looks at its state so often, and tries etcd for so long before it steps down.
const LOCK_SECONDS: u32 = 20;
const LOOP_SECONDS: u32 = 2;
const RETRY_SECONDS: u32 = 3;
/// A standby that is further behind is not promoted, in bytes.
const LAG_BYTES_MAX: u32 = 1 << 20;

/// Ports of a node beside the server's: the next ones.
const REST_PORT: u16 = 1;
const ETCD_PORT: u16 = 2;

fn beside(server: SocketAddr, offset: u16) -> SocketAddr {
    SocketAddr::new(server.ip(), server.port().wrapping_add(offset))
}

/// The same node as its etcd sees it.
pub(super) fn etcd_context(context: &NodeContext) -> NodeContext {
    NodeContext {
        listen: beside(context.listen, ETCD_PORT),
        peers: context.peers.iter().map(|(&node, &peer)| (node, beside(peer, ETCD_PORT))).collect(),
        data: context.data.join("etcd"),
        ..context.clone()
    }
}

pub(super) fn configuration_file(context: &NodeContext) -> PathBuf {
    context.data.join("patroni.yml")
}

/// What a user chose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choices {
    pub(super) is_synchronous: bool,
    /// Does it ask the etcd of its own node too?
    pub(super) asks_own_etcd: bool,
}

/// In JSON, which YAML includes.
pub(super) fn configuration(context: &NodeContext, choices: Choices) -> String {
    let server = context.listen;
    let rest = beside(server, REST_PORT).to_string();
    let is_alone = context.peers.len() < 2;
    let etcd: Vec<String> = context
        .peers
        .values()
        .filter(|&&peer| choices.asks_own_etcd || is_alone || peer != server)
        .map(|&peer| beside(peer, ETCD_PORT).to_string())
        .collect();
    let parameters: serde_json::Map<String, Value> =
        SERVER_SETTINGS.iter().map(|&(name, value)| (name.to_owned(), json!(value))).collect();
    let file = json!({
        "scope": SCOPE,
        "name": context.node.to_string(),
        "restapi": { "listen": rest, "connect_address": rest },
        // With `use_proxies` it asks these members only, and does not look for others.
        "etcd3": { "hosts": etcd, "use_proxies": !choices.asks_own_etcd },
        "bootstrap": {
            "dcs": {
                "ttl": LOCK_SECONDS,
                "loop_wait": LOOP_SECONDS,
                "retry_timeout": RETRY_SECONDS,
                "maximum_lag_on_failover": LAG_BYTES_MAX,
                "synchronous_mode": choices.is_synchronous,
                "postgresql": { "use_pg_rewind": true, "parameters": parameters },
            },
            "initdb": [{ "encoding": "UTF8" }, { "locale": "C" }],
        },
        "postgresql": {
            "listen": server.to_string(),
            "connect_address": server.to_string(),
            "data_dir": context.data.join("postgres"),
            "bin_dir": program(""),
            "pgpass": context.data.join("pgpass"),
            "pg_hba": ACCESS,
            "authentication": {
                "superuser": { "username": USER },
                "replication": { "username": USER },
                "rewind": { "username": USER },
            },
            "parameters": { "unix_socket_directories": "" },
            "create_replica_methods": ["basebackup"],
            "basebackup": [{ "checkpoint": "fast" }],
        },
    });
    file.to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::node_id::NodeId;

    #[test]
    fn the_parts_of_a_node_listen_on_ports_of_their_own() {
        let address = |node| SocketAddr::from(([10, 0, 0, node], 7000));
        let context = NodeContext {
            node: NodeId(2),
            listen: address(2),
            peers: BTreeMap::from([(NodeId(1), address(1)), (NodeId(2), address(2))]),
            data: "/data".into(),
            log: "/log".into(),
            joins: false,
        };
        let choices = Choices { is_synchronous: true, asks_own_etcd: true };
        let file: Value = serde_json::from_str(&configuration(&context, choices)).unwrap();
        assert_eq!(file["postgresql"]["listen"], "10.0.0.2:7000");
        assert_eq!(file["restapi"]["listen"], "10.0.0.2:7001");
        assert_eq!(file["etcd3"]["hosts"], json!(["10.0.0.1:7002", "10.0.0.2:7002"]));
        assert_eq!(file["bootstrap"]["dcs"]["synchronous_mode"], true);
        let choices = Choices { asks_own_etcd: false, ..choices };
        let file: Value = serde_json::from_str(&configuration(&context, choices)).unwrap();
        assert_eq!(file["etcd3"]["hosts"], json!(["10.0.0.1:7002"]));
        // Its peers have the port behind that of its clients.
        assert_eq!(etcd_context(&context).listen, "10.0.0.2:7002".parse().unwrap());
    }
}
