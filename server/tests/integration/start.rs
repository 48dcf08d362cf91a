//! What a server refuses to start with.

use std::net::TcpListener;

use server::types::NodeId;
use server::{ConfigError, Server, ServerError};

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
