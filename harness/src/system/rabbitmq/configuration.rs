//! The files of a node, and how it is started.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::system::NodeContext;

/// Where distribution packages put each version, such as `rabbitmq_server-3.10.8`.
const FOLDER: &str = "/usr/lib/rabbitmq/lib";
const VERSION_PREFIX: &str = "rabbitmq_server-";

/// Nodes that cannot hear each other for so many seconds take each other for dead.
const NET_TICK_SECONDS: u32 = 5;
/// A node that joins tries so often to be the only one that does, with pauses of up to 8 s.
const JOIN_TRIES: u32 = 100;
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

/// Starts a server that has no data (`$1`) once another one (`$2`, port `$3`) takes connections.
const AFTER: &str = r#"
data=$1 address=$2 port=$3
shift 3
[ -e "$data" ] || until (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null; do sleep 0.2; done
exec "$@"
"#;

/// Libraries of Erlang of whose modules no server looks for its own marks.
const LIBRARIES: &[&str] = &[
    "compiler",
    "inets",
    "mnesia",
    "os_mon",
    "public_key",
    "ssl",
    "syntax_tools",
    "tools",
    "xmerl",
];

/// Starts a node with everything that it writes in its data directory.
///
/// Most of a start is spent on translating modules. Three things spare about 40 % of its CPU time:
/// settings in Erlang's own file, as any other makes the server parse the schemas of all plugins; a
/// name from the beginning, as the server starts a second Erlang otherwise to see whether it is free;
/// and [`without_modules`].
pub(super) fn command(context: &NodeContext) -> Vec<OsString> {
    let data = context.data.display();
    let argument = |name: &str, value: String| OsString::from(format!("{name}={value}"));
    let mut argv: Vec<OsString> = Vec::new();
    if let Some(first) = first_of_others(context) {
        let mnesia = context.data.join("mnesia");
        argv.extend(["bash".into(), "-c".into(), AFTER.into(), "node".into(), mnesia.into()]);
        argv.extend([first.ip().to_string().into(), first.port().to_string().into()]);
    }
    argv.push("env".into());
    let name = node_name(context.listen);
    let nothing = || format!("{data}/none");
    argv.extend([
        argument("HOME", data.to_string()),
        argument("LC_ALL", "C.UTF-8".to_owned()),
        argument("RABBITMQ_NODENAME", name.clone()),
        argument("RABBITMQ_NODE_IP_ADDRESS", context.listen.ip().to_string()),
        argument("RABBITMQ_NODE_PORT", context.listen.port().to_string()),
        argument("RABBITMQ_USE_LONGNAME", "true".to_owned()),
        argument("RABBITMQ_MNESIA_BASE", format!("{data}/mnesia")),
        argument("RABBITMQ_LOG_BASE", format!("{data}/logs")),
        argument("RABBITMQ_LOGS", "-".to_owned()),
        argument("RABBITMQ_CONFIG_FILE", nothing()),
        argument("RABBITMQ_CONFIG_FILES", nothing()),
        argument("RABBITMQ_ADVANCED_CONFIG_FILE", nothing()),
        argument("RABBITMQ_ENABLED_PLUGINS_FILE", format!("{data}/plugins")),
        argument("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned()),
        argument("RABBITMQ_GENERATED_CONFIG_DIR", format!("{data}/generated")),
        argument("RABBITMQ_PID_FILE", format!("{data}/pid")),
        argument("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", format!("+S 1:1 +sbwt none -name {name}")),
        argument("ERL_AFLAGS", format!("-config '{data}/node' -eval '{}'", without_modules())),
        program().into(),
    ]);
    argv
}

/// An expression of Erlang that loads the descriptions of libraries without the lists of their modules.
/// At each start the server looks for its boot steps in every module of every description, and
/// translates it for that; modules that are used are found without the lists.
fn without_modules() -> String {
    format!(
        "[application:load({{application,A,lists:keystore(modules,1,P,{{modules,[]}})}})\
         ||N<-{LIBRARIES:?},{{ok,[{{application,A,P}}]}}<-\
         [file:consult(code:where_is_file(N++\".app\"))]]"
    )
}

fn node_name(listen: SocketAddr) -> String {
    format!("rabbit@{}", listen.ip())
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
    fs::write(data.join("plugins"), "[].\n")?;
    fs::write(data.join("definitions.json"), definitions())?;
    fs::write(data.join("node.config"), settings(context, partition_handling))
}

/// The node that begins the cluster, if it is another one.
fn first_of_others(context: &NodeContext) -> Option<SocketAddr> {
    let (node, address) = context.peers.first_key_value()?;
    (*node != context.node).then_some(*address)
}

/// The first node begins the cluster on its own, and each other one joins it later. Where all begin at
/// once they wait for each other's locks, or join one whose tables still change.
fn settings(context: &NodeContext, partition_handling: &str) -> String {
    let known = first_of_others(context).map_or(String::new(), |first| {
        format!("'{}','{}'", node_name(first), node_name(context.listen))
    });
    let definitions = context.data.join("definitions.json");
    format!(
        "[{{kernel,[{{net_ticktime,{NET_TICK_SECONDS}}}]}},\n \
         {{rabbit,[\n  \
         {{loopback_users,[]}},\n  \
         {{disk_free_limit,50000000}},\n  \
         {{cluster_partition_handling,{partition_handling}}},\n  \
         {{cluster_nodes,{{[{known}],disc}}}},\n  \
         {{cluster_formation,[{{internal_lock_retries,{JOIN_TRIES}}}]}},\n  \
         {{definitions,[{{import_backend,rabbit_definitions_import_local_filesystem}},\
         {{local_path,{definitions:?}}}]}},\n  \
         {{log,[{{categories,[{{connection,[{{level,critical}}]}}]}}]}}]}}].\n",
    )
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::node_id::NodeId;

    #[test]
    fn the_first_node_begins_the_cluster_and_the_others_know_it() {
        let address = |node| SocketAddr::from(([10, 0, 0, node], 5672));
        let context = |node: u8| NodeContext {
            node: NodeId(u16::from(node)),
            listen: address(node),
            peers: BTreeMap::from([(NodeId(1), address(1)), (NodeId(2), address(2))]),
            data: "/data".into(),
            log: "/log".into(),
            joins: false,
        };
        let first = settings(&context(1), "autoheal");
        assert!(first.contains("{cluster_nodes,{[],disc}}"), "{first}");
        let second = settings(&context(2), "autoheal");
        let known = "{cluster_nodes,{['rabbit@10.0.0.1','rabbit@10.0.0.2'],disc}}";
        assert!(second.contains(known), "{second}");
        let waits_for = |node| command(&context(node)).contains(&"10.0.0.1".into());
        assert!(waits_for(2) && !waits_for(1));
        assert!(second.contains(r#"{local_path,"/data/definitions.json"}"#), "{second}");
    }

    #[test]
    fn descriptions_are_loaded_by_one_expression() {
        let expression = without_modules();
        assert!(expression.contains(r#"N<-["compiler", "inets""#), "{expression}");
        // It stands in single quotes.
        assert!(!expression.contains('\''), "{expression}");
    }
}
