//! What a server refuses to start with.

use std::net::TcpListener;
use std::time::Duration;

use proto::admin::DieRequest;
use proto::admin::admin_client::AdminClient;
use server::types::NodeId;
use server::{ConfigError, Server, ServerConfig, ServerError};
use tonic::Code;

use crate::cluster::{Cluster, Kind};

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_an_error_with_a_hint() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let error = Server::start(cluster.config(1)).await.err().unwrap();
    assert!(matches!(error, ServerError::Listen { .. }), "{error}");
    assert!(error.to_string().contains("hint: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_must_be_among_its_peers() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let mut config = cluster.config(1);
    config.node = NodeId(2);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Server::start_on(config, listener).await.err().unwrap();
    assert!(matches!(error, ServerError::Config(ConfigError::NotAPeer(NodeId(2)))), "{error}");
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn another_nodes_directory_is_refused() {
    use server::data_dir::DataDirError;

    let mut cluster = Cluster::start(2, Kind::Rocksdb).await;
    let start = async |config| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Server::start_on(config, listener).await.err().unwrap()
    };
    let (mut config, other) = (cluster.config(1), cluster.config(2));
    config.storage = other.storage;
    let error = start(config.clone()).await;
    assert!(matches!(error, ServerError::DataDir(DataDirError::Locked { .. })), "{error}");
    cluster.stop(2).await;
    let error = start(config).await;
    assert!(matches!(error, ServerError::DataDir(DataDirError::Foreign { .. })), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_ends_a_server_only_if_it_was_started_for_tests() {
    let die = async |cluster: &Cluster| {
        let mut admin = AdminClient::new(cluster.channel(1).await);
        admin.die(DieRequest { at_once: false }).await
    };
    let cluster = Cluster::start(1, Kind::Memory).await;
    let status = die(&cluster).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains("--test-hooks"), "{status}");
    cluster.client(1).put("k", "still here").await.unwrap();

    let hooks = |config| ServerConfig { test_hooks: true, ..config };
    let cluster = Cluster::start_with(1, Kind::Memory, hooks).await;
    die(&cluster).await.unwrap();
    let wanted = tokio::time::timeout(Duration::from_secs(10), cluster.server(1).stop_wanted());
    wanted.await.expect("the server wants to stop");
}

/// A node that is alone can do without Raft, and with it again; one that is not cannot.
#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_can_change_its_mode_while_the_node_is_alone() {
    use server::Limits;
    use server::config::Mode;

    let mut cluster = Cluster::start_mode(Mode::Single, Kind::Rocksdb, Limits::STANDARD).await;
    cluster.client(1).put("k", "single").await.unwrap();
    for mode in [Mode::Replicated, Mode::Single, Mode::Replicated] {
        cluster.stop(1).await;
        cluster.set_mode(mode);
        cluster.restart(1).await;
        cluster.leader().await;
        let mut client = cluster.client(1);
        assert_eq!(client.status().await.unwrap().mode, mode.name());
        assert!(client.put("k", mode.name()).await.unwrap().previous.is_some());
    }
    assert_eq!(cluster.client(1).get("k").await.unwrap().found.unwrap().version, 4);
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn one_of_several_members_cannot_go_on_in_mode_single() {
    use server::config::Mode;

    let mut cluster = Cluster::start(3, Kind::Rocksdb).await;
    cluster.client(1).put("k", "v").await.unwrap();
    cluster.stop(2).await;
    let mut config = cluster.config(2);
    config.mode = Mode::Single;
    config.peers.retain(|node, _| *node == NodeId(2));
    let error = Server::start(config).await.err().unwrap().to_string();
    assert!(error.contains("members are 1, 2, 3") && error.contains("hint: "), "{error}");
    // It has lost nothing by the attempt.
    cluster.restart(2).await;
    cluster.client(2).put("k", "w").await.unwrap();
}
