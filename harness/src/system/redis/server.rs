//! Settings that all servers have, and what they say about their role.

use std::path::{Path, PathBuf};

use super::resp::{Connection, Reply};
use crate::system::NodeContext;
use crate::system::installed::{NotInstalled, version_line};

/// Such as `7.0.15`.
pub(super) fn version() -> Result<String, NotInstalled> {
    let line = version_line("redis-server", &["--version"])?;
    let number = line.split_whitespace().find_map(|word| word.strip_prefix("v="));
    Ok(number.unwrap_or(&line).to_owned())
}

/// Where a server finds its settings.
pub(super) fn file(data: &Path) -> PathBuf {
    data.join("redis.conf")
}

/// As safe as one server can be: every write is synced before it is acknowledged.
pub(super) fn settings(context: &NodeContext) -> String {
    let (ip, port) = (context.listen.ip(), context.listen.port());
    format!(
        "port {port}\nbind {ip}\nprotected-mode no\ndir {}\nappendonly yes\nappendfsync always\n\
         repl-diskless-sync-delay 0\n",
        context.data.display()
    )
}

/// What a server says about its role.
pub(super) enum Role {
    /// It takes writes.
    Primary {
        /// How far it is.
        offset: u64,
        /// Replicas that are connected.
        replicas: usize,
    },
    /// It follows a primary.
    Replica {
        /// Is it connected to it, and up to date?
        is_connected: bool,
    },
}

/// Asks a server for its role.
pub(super) async fn role(connection: &mut Connection) -> Option<Role> {
    let role = connection.command(&["ROLE"]).await.ok()?;
    let parts = role.elements();
    Some(match parts.first()?.text()?.as_str() {
        "master" => Role::Primary {
            offset: match parts.get(1)? {
                Reply::Integer(offset) => u64::try_from(*offset).unwrap_or(0),
                _ => 0,
            },
            replicas: parts.get(2)?.elements().len(),
        },
        _ => Role::Replica { is_connected: parts.get(3)?.text()? == "connected" },
    })
}
