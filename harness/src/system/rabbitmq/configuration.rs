//! The files of a node, and how it is started.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::system::NodeContext;

/// Where distribution packages put each version, such as `rabbitmq_server-3.10.8`.
const FOLDER: &str = "/usr/lib/rabbitmq/lib";
const VERSION_PREFIX: &str = "rabbitmq_server-";

/// Nodes that cannot hear each other for so many seconds take each other for dead.
const NET_TICK_SECONDS: u32 = 5;
/// `guest` with the salt 01020304: the salt and the SHA-256 of both.
const GUEST_HASH: &str = "AQIDBEMMOXwY6PKx/JKP9PAqfsb4ozuD0Ta3pxxa9gEYBMmD";

/// The version that is installed, such as `3.10.8`.
pub(super) fn version() -> io::Result<String> {
    let names = fs::read_dir(FOLDER)?.flatten().map(|entry| entry.file_name());
    let versions =
        names.filter_map(|name| name.to_str()?.strip_prefix(VERSION_PREFIX).map(str::to_owned));
    versions.max().ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Not the one on the PATH, which insists on a user of its own.
fn program() -> PathBuf {
    let version = version().unwrap_or_default();
    Path::new(FOLDER).join(format!("{VERSION_PREFIX}{version}")).join("sbin/rabbitmq-server")
}

/// Starts a node with everything that it writes in its data directory.
pub(super) fn command(context: &NodeContext) -> Vec<OsString> {
    let data = context.data.display();
    let argument = |name: &str, value: String| OsString::from(format!("{name}={value}"));
    let mut argv = vec!["env".into()];
    argv.extend([
        argument("HOME", data.to_string()),
        argument("LC_ALL", "C.UTF-8".to_owned()),
        argument("RABBITMQ_NODENAME", format!("rabbit@{}", context.listen.ip())),
        argument("RABBITMQ_USE_LONGNAME", "true".to_owned()),
        argument("RABBITMQ_MNESIA_BASE", format!("{data}/mnesia")),
        argument("RABBITMQ_LOG_BASE", format!("{data}/logs")),
        argument("RABBITMQ_LOGS", "-".to_owned()),
        argument("RABBITMQ_CONFIG_FILE", format!("{data}/rabbitmq.conf")),
        argument("RABBITMQ_ADVANCED_CONFIG_FILE", format!("{data}/advanced.config")),
        argument("RABBITMQ_ENABLED_PLUGINS_FILE", format!("{data}/plugins")),
        argument("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
        argument("RABBITMQ_GENERATED_CONFIG_DIR", format!("{data}/generated")),
        argument("RABBITMQ_PID_FILE", format!("{data}/pid")),
        argument(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            format!("+S 1:1 +sbwt none -kernel net_ticktime {NET_TICK_SECONDS}"),
        ),
        program().into(),
    ]);
    argv
}

/// Writes what a node reads when it starts.
pub(super) fn write(context: &NodeContext, partition_handling: &str) -> io::Result<()> {
    let data = &context.data;
    fs::create_dir_all(data)?;
    let cookie = data.join(".erlang.cookie");
    if !cookie.exists() {
        fs::write(&cookie, "BREAKWATER")?;
        fs::set_permissions(&cookie, fs::Permissions::from_mode(0o400))?;
    }
    fs::write(data.join("advanced.config"), "[].\n")?;
    fs::write(data.join("plugins"), "[].\n")?;
    fs::write(data.join("definitions.json"), definitions())?;
    fs::write(data.join("rabbitmq.conf"), settings(context, partition_handling))
}

fn settings(context: &NodeContext, partition_handling: &str) -> String {
    let mut settings = format!(
        "listeners.tcp.1 = {}\nloopback_users = none\ndisk_free_limit.absolute = 50MB\n\
         cluster_partition_handling = {partition_handling}\n\
         definitions.import_backend = local_filesystem\n\
         definitions.local.path = {}/definitions.json\nlog.connection.level = critical\n\
         cluster_formation.peer_discovery_backend = classic_config\n",
        context.listen,
        context.data.display()
    );
    for (number, peer) in (1..).zip(context.peers.values()) {
        let name = format!("rabbit@{}", peer.ip());
        // Writing to a string cannot fail.
        let _ = writeln!(settings, "cluster_formation.classic_config.nodes.{number} = {name}");
    }
    settings
}

/// The user of the clients, and the policy by which classic queues are mirrored.
fn definitions() -> String {
    json!({
        "users": [{
            "name": "guest", "password_hash": GUEST_HASH,
            "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "administrator",
        }],
        "vhosts": [{ "name": "/" }],
        "permissions": [{
            "user": "guest", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*",
        }],
        "policies": [{
            "vhost": "/", "name": "mirrored", "pattern": "^queue-", "apply-to": "queues",
            "priority": 0,
            "definition": { "ha-mode": "all", "ha-sync-mode": "automatic" },
        }],
    })
    .to_string()
}
