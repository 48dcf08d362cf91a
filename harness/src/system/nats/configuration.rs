//! The settings of a server, and its ports.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::system::NodeContext;

/// How much a stream may take on disk.
const STORE_BYTES_MAX: u64 = 4 << 30;

/// Where a server finds its settings.
pub(super) fn file(data: &Path) -> PathBuf {
    data.join("nats.conf")
}

/// A server tells the others who it is; its address is known to whoever asks for its status.
pub(super) fn server_name(listen: SocketAddr) -> String {
    listen.ip().to_string()
}

/// Where a server listens for the others.
fn route(client: SocketAddr) -> SocketAddr {
    behind(client, 1)
}

/// Where a server tells about itself.
pub(super) fn monitor(client: SocketAddr) -> SocketAddr {
    behind(client, 2)
}

/// Another port of an address that nobody else has.
fn behind(client: SocketAddr, distance: u16) -> SocketAddr {
    let port = client.port();
    SocketAddr::new(client.ip(), port.checked_add(distance).unwrap_or(port - distance))
}

/// All settings that are not left to their defaults.
pub(super) fn text(context: &NodeContext, cluster: &str) -> String {
    let listen = context.listen;
    let mut text = format!(
        "server_name: \"{}\"\nlisten: \"{listen}\"\nhttp: \"{}\"\n\
         jetstream {{ store_dir: \"{}\", max_file_store: {STORE_BYTES_MAX} }}\n\
         cluster {{\n  name: \"{cluster}\"\n  listen: \"{}\"\n  no_advertise: true\n  routes: [\n",
        server_name(listen),
        monitor(listen),
        context.data.display(),
        route(listen),
    );
    for (_, &peer) in context.peers.iter().filter(|(node, _)| **node != context.node) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "    \"nats://{}\"", route(peer));
    }
    text.push_str("  ]\n}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_id::NodeId;

    #[test]
    fn a_server_has_routes_to_all_others() {
        let address = |last: u8| SocketAddr::from(([10, 0, 0, last], 65_535));
        let context = NodeContext {
            node: NodeId(1),
            listen: address(1),
            peers: (1..=3).map(|node| (NodeId(node), address(node as u8))).collect(),
            data: "/data".into(),
            log: "/log".into(),
            joins: false,
        };
        let text = text(&context, "c");
        assert!(text.contains("listen: \"10.0.0.1:65535\"\nhttp: \"10.0.0.1:65533\""), "{text}");
        let routes = "routes: [\n    \"nats://10.0.0.2:65534\"\n    \"nats://10.0.0.3:65534\"\n  ]";
        assert!(text.contains(routes), "{text}");
    }
}
