//! etcd, as far as a measurement needs it: how its nodes start, and who leads.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use tonic::transport::Endpoint;

use crate::platform::NodeCommand;
use crate::system::{BoxFuture, NodeContext, NodeStatus, Nodes};

/// Generated from `etcd.proto`.
#[expect(unreachable_pub, reason = "the generator does not know how far its code can be seen")]
pub(super) mod wire {
    tonic::include_proto!("etcdserverpb");
}

/// The program, on the PATH.
const PROGRAM: &str = "etcd";

/// There is no etcd.
#[derive(Debug, thiserror::Error)]
#[error(
    "run {PROGRAM} --version: {0}\n\
     hint: apt-get install etcd-server, or leave --compare out"
)]
pub struct NoEtcd(#[source] std::io::Error);

/// Such as `3.4.23`.
pub(super) fn version() -> Result<String, NoEtcd> {
    let output =
        Command::new(PROGRAM).arg("--version").stdin(Stdio::null()).output().map_err(NoEtcd)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.lines().next().unwrap_or_default();
    Ok(first.trim_start_matches("etcd Version:").trim().to_owned())
}

/// Nodes of etcd, with its default settings.
pub(super) struct EtcdNodes;

impl Nodes for EtcdNodes {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn node_command(&self, context: &NodeContext) -> NodeCommand {
        let client = format!("http://{}", context.listen);
        let peer = format!("http://{}", peer_address(context.listen));
        let cluster: Vec<String> = context
            .peers
            .iter()
            .map(|(node, &address)| format!("{node}=http://{}", peer_address(address)))
            .collect();
        let mut argv: Vec<OsString> = vec![PROGRAM.into(), "--data-dir".into()];
        argv.push(context.data.clone().into());
        for (option, value) in [
            ("--name", context.node.to_string()),
            ("--listen-client-urls", client.clone()),
            ("--advertise-client-urls", client),
            ("--listen-peer-urls", peer.clone()),
            ("--initial-advertise-peer-urls", peer),
            ("--initial-cluster", cluster.join(",")),
            ("--initial-cluster-state", "new".to_owned()),
            ("--logger", "zap".to_owned()),
            ("--log-outputs", "stderr".to_owned()),
        ] {
            argv.push(option.into());
            argv.push(value.into());
        }
        NodeCommand { argv, log: context.log.clone() }
    }

    fn status(&self, address: SocketAddr, patience: Duration) -> BoxFuture<'_, Option<NodeStatus>> {
        Box::pin(async move {
            let asked = async {
                let endpoint = Endpoint::from_shared(format!("http://{address}")).ok()?;
                let channel = endpoint.connect().await.ok()?;
                let mut client = wire::maintenance_client::MaintenanceClient::new(channel);
                let status = client.status(wire::StatusRequest {}).await.ok()?.into_inner();
                let own = status.header?.member_id;
                Some(NodeStatus {
                    leads: status.leader == own,
                    term: status.raft_term,
                    wall_clock: None,
                })
            };
            tokio::time::timeout(patience, asked).await.ok()?
        })
    }
}

/// etcd's peers have a port of their own: the next one, on an address that nobody else has.
fn peer_address(client: SocketAddr) -> SocketAddr {
    let port = client.port();
    SocketAddr::new(client.ip(), port.checked_add(1).unwrap_or(port - 1))
}
