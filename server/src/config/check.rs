//! What makes no sense, said before anything starts.

use std::net::SocketAddr;
use std::time::Duration;

use crate::shard::SHARDS_MAX;
use crate::types::NodeId;

use super::server_config::{Mode, ServerConfig};

/// A configuration makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Node 0 is nobody.
    #[error("node 0 does not exist\nhint: nodes are numbered from 1")]
    NodeZero,
    /// The node itself is missing in its peers.
    #[error("node {0} is not among the peers\nhint: --peers lists every node, this one included")]
    NotAPeer(NodeId),
    /// A node without peers that is called a cluster, or the other way round.
    #[error("mode single has no peers\nhint: leave out --peers and --join, or --mode single")]
    SingleWithPeers,
    /// No name for the cluster.
    #[error("the cluster has no name")]
    NoCluster,
    /// Raft needs several heartbeats in an election timeout.
    #[error(
        "an election timeout of {election_ticks} ticks is too short for heartbeats every \
         {heartbeat_ticks} ticks\nhint: use at least three times the heartbeat"
    )]
    Ticks {
        /// The shortest election timeout.
        election_ticks: usize,
        /// The heartbeat interval.
        heartbeat_ticks: usize,
    },
    /// Ticks that are no time.
    #[error("a tick must be at least a millisecond long")]
    Tick,
    /// A number that must not be 0, or must not be greater than another.
    #[error("{key} must be {rule}")]
    Number {
        /// The setting.
        key: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// Strangers could reach the port.
    #[error(
        "{what} listen on {address}, where others than this host can reach them, and nothing \
         keeps strangers out\nhint: {remedy}, or listen on 127.0.0.1, or say --insecure-bind if \
         the network itself is private"
    )]
    Insecure {
        /// Who listens there: `clients`, `peers` or `HTTP clients`.
        what: &'static str,
        /// The address.
        address: SocketAddr,
        /// What would secure it.
        remedy: &'static str,
    },
    /// Clients must say who they are, and whoever says to be a peer need not.
    #[error(
        "clients must say who they are, but peers need not\n\
         hint: set security.peer-tls or security.cluster-token-file, or anyone could speak for \
         a peer"
    )]
    OpenPeers,
    /// TLS, and one port for clients and peers.
    #[error(
        "with TLS, peers need a port of their own\n\
         hint: give --peer-listen, and in --peers the nodes' addresses for peers"
    )]
    NoPeerListen,
    /// TLS between peers proves nothing without a CA.
    #[error("TLS between peers needs a CA\nhint: set security.peer-tls.ca")]
    NoPeerCa,
    /// Two listeners on one address.
    #[error("{0} is given for two listeners")]
    SameAddress(SocketAddr),
}

impl ServerConfig {
    /// Refuses what cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_nodes()?;
        self.check_timing()?;
        self.check_numbers()?;
        self.check_listeners()?;
        self.check_security()
    }

    /// Does it talk to other nodes?
    pub fn has_peers(&self) -> bool {
        self.mode == Mode::Replicated && (self.join || self.peers.len() > 1)
    }

    fn check_nodes(&self) -> Result<(), ConfigError> {
        if self.peers.contains_key(&NodeId(0)) || self.node == NodeId(0) {
            return Err(ConfigError::NodeZero);
        }
        if !self.peers.contains_key(&self.node) {
            return Err(ConfigError::NotAPeer(self.node));
        }
        if self.mode == Mode::Single && (self.join || self.peers.len() > 1) {
            return Err(ConfigError::SingleWithPeers);
        }
        if self.cluster.is_empty() {
            return Err(ConfigError::NoCluster);
        }
        Ok(())
    }

    fn check_timing(&self) -> Result<(), ConfigError> {
        let (election_ticks, heartbeat_ticks) = (self.election_ticks, self.heartbeat_ticks);
        if heartbeat_ticks == 0 || election_ticks / 3 < heartbeat_ticks {
            return Err(ConfigError::Ticks { election_ticks, heartbeat_ticks });
        }
        if self.tick < Duration::from_millis(1) {
            return Err(ConfigError::Tick);
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        let room = limits.key_bytes_max.saturating_add(limits.value_bytes_max);
        // The bounds are those of the semaphores and queues that these numbers size.
        let counts = 1..=1 << 20;
        for (is_fine, key, rule) in [
            ((1..=SHARDS_MAX).contains(&self.shards), "shards", "between 1 and 64"),
            (self.snapshot.entries > 0, "snapshot.entries", "at least 1"),
            (self.snapshot.bytes > 0, "snapshot.bytes", "at least 1"),
            (self.snapshot.retain > 0, "snapshot.retain", "at least 1"),
            (
                (0.0..=64.0).contains(&self.rocksdb.bloom_bits),
                "rocksdb.bloom-bits",
                "between 0 and 64",
            ),
            (limits.key_bytes_max > 0, "limits.key-bytes", "at least 1"),
            (
                limits.message_bytes_max > room,
                "limits.message-bytes",
                "greater than limits.key-bytes and limits.value-bytes together",
            ),
            (
                limits.message_bytes_max <= 32 << 20,
                "limits.message-bytes",
                "at most 33554432, so that an entry fits into a frame between peers",
            ),
            (limits.txn_operations_max > 0, "limits.txn-operations", "at least 1"),
            (limits.scan_keys_max > 0, "limits.scan-keys", "at least 1"),
            (
                counts.contains(&limits.concurrent_requests_max),
                "limits.concurrent-requests",
                "between 1 and 1048576",
            ),
            (limits.proposals_max > 0, "limits.proposals", "at least 1"),
            (
                counts.contains(&limits.connections_max),
                "limits.connections",
                "between 1 and 1048576",
            ),
            (limits.connection_streams_max > 0, "limits.connection-streams", "at least 1"),
            (limits.sessions_max > 0, "limits.sessions", "at least 1"),
            (!limits.lease_ttl_max.is_zero(), "limits.lease-ttl", "longer than 0ms"),
            (!limits.request_timeout.is_zero(), "limits.request-timeout", "longer than 0ms"),
        ] {
            if !is_fine {
                return Err(ConfigError::Number { key, rule });
            }
        }
        Ok(())
    }

    /// Port 0 means that the operating system chooses, so two of them are no conflict.
    fn check_listeners(&self) -> Result<(), ConfigError> {
        let http = self.http.as_ref().map(|http| http.listen);
        let listeners: Vec<SocketAddr> =
            [Some(self.listen), self.peer_listen, http].into_iter().flatten().collect();
        for (position, address) in listeners.iter().enumerate() {
            if address.port() != 0 && listeners[..position].contains(address) {
                return Err(ConfigError::SameAddress(*address));
            }
        }
        Ok(())
    }

    fn check_security(&self) -> Result<(), ConfigError> {
        let security = &self.security;
        let tls = security.client_tls.as_ref();
        let asks_clients = security.tokens.is_some() || tls.is_some_and(|tls| tls.ca.is_some());
        let asks_peers = security.peer_tls.is_some() || security.cluster_token.is_some();
        if security.peer_tls.as_ref().is_some_and(|tls| tls.ca.is_none()) {
            return Err(ConfigError::NoPeerCa);
        }
        let has_tls = tls.is_some() || security.peer_tls.is_some();
        if has_tls && self.has_peers() && self.peer_listen.is_none() {
            return Err(ConfigError::NoPeerListen);
        }
        if asks_clients && self.has_peers() && !asks_peers {
            return Err(ConfigError::OpenPeers);
        }
        if self.insecure_bind {
            return Ok(());
        }
        let insecure = |what, address: SocketAddr, remedy| {
            let is_local = address.ip().to_canonical().is_loopback();
            if is_local { Ok(()) } else { Err(ConfigError::Insecure { what, address, remedy }) }
        };
        if tls.is_none() || !asks_clients {
            let remedy = "set security.client-tls and a CA or tokens of clients";
            insecure("clients", self.listen, remedy)?;
            if let Some(http) = &self.http {
                insecure("HTTP clients", http.listen, remedy)?;
            }
        }
        if self.has_peers() && security.peer_tls.is_none() {
            let address = self.peer_listen.unwrap_or(self.listen);
            insecure("peers", address, "set security.peer-tls")?;
        }
        Ok(())
    }
}
