//! How a server starts: as a primary of its own, or as a copy of another one.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::session::USER;
use crate::system::installed::{NotInstalled, version_line};
use crate::system::ordinary_user::as_ordinary_user;
use crate::system::{FsyncMode, NodeContext};

/// Where the distribution keeps the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The folder of the programs, of the highest version; none if they are looked for on the PATH.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?;
    versions
        .flatten()
        .filter_map(|entry| {
            let number: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs.join("postgres").exists().then_some((number, programs))
        })
        .max()
        .map(|(_, programs)| programs)
}

/// A program of PostgreSQL.
pub(in crate::system) fn program(name: &str) -> PathBuf {
    programs().unwrap_or_default().join(name)
}

/// Such as `15.18`.
pub(in crate::system) fn version() -> Result<String, NotInstalled> {
    let line = version_line(&program("postgres").to_string_lossy(), &["--version"])?;
    let number = line.split_whitespace().find(|word| word.starts_with(|it: char| it.is_numeric()));
    Ok(number.unwrap_or(&line).to_owned())
}

/// Who may connect: everybody, from anywhere; only the namespaces of the run reach a server.
pub(in crate::system) const ACCESS: &[&str] =
    &["host all all 0.0.0.0/0 trust", "host replication all 0.0.0.0/0 trust"];

/// What all servers are told: lost connections are noticed within seconds, deadlocks at once, and the
/// clients' own errors stay out of the log.
pub(in crate::system) const SERVER_SETTINGS: &[(&str, &str)] = &[
    ("max_connections", "300"),
    ("shared_buffers", "32MB"),
    ("wal_keep_size", "256MB"),
    ("wal_sender_timeout", "2s"),
    ("wal_receiver_timeout", "2s"),
    ("wal_receiver_status_interval", "1s"),
    ("wal_retrieve_retry_interval", "500ms"),
    ("deadlock_timeout", "100ms"),
    ("log_min_messages", "log"),
];

/// With it a commit waits until one standby has it on disk.
const SYNCHRONOUS: (&str, &str) = ("synchronous_standby_names", "ANY 1 (*)");

/// Makes a copy if `$3` says of which server, or else a database of its own if there is none; and
/// starts the server. Once more, if it ended because it is to be a copy of another one.
const NODE: &str = r#"
initdb=$1 data=$2 origin=$3 copy=$4 postgres=$5 user=$6
shift 6
mkdir -p -m 700 "$data"
while :; do
    if [ -e "$origin" ]; then
        tries=240
        until find "$data" -mindepth 1 -delete && "$copy" --pgdata="$data" \
            --dbname="$(cat "$origin")" --checkpoint=fast --no-manifest
        do
            tries=$((tries - 1))
            [ "$tries" -gt 0 ] || exit 1
            sleep 0.5
        done
        echo "primary_conninfo = '$(cat "$origin")'" >> "$data/postgresql.auto.conf"
        touch "$data/standby.signal"
        rm "$origin"
    elif [ ! -e "$data/PG_VERSION" ]; then
        "$initdb" --pgdata="$data" --username="$user" --auth=trust \
            --encoding=UTF8 --locale=C || exit 1
    fi
    "$postgres" -D "$data" "$@"
    status=$?
    [ -e "$origin" ] || exit "$status"
done
"#;

/// The file that makes a node a copy at its next start: it says of which server.
pub(super) fn origin_file(context: &NodeContext) -> PathBuf {
    context.log.with_file_name("copy-of")
}

fn access_file(context: &NodeContext) -> PathBuf {
    context.log.with_file_name("pg_hba.conf")
}

/// How a standby finds its primary, and notices that it is gone.
pub(super) fn conninfo(primary: SocketAddr) -> String {
    format!(
        "host={} port={} user={USER} connect_timeout=2 keepalives_idle=1 keepalives_interval=1 \
         keepalives_count=3 tcp_user_timeout=3000",
        primary.ip(),
        primary.port()
    )
}

/// Writes who may connect, and of which server the node is a copy if it has no data.
pub(super) fn prepare(context: &NodeContext, primary: SocketAddr) -> std::io::Result<()> {
    std::fs::write(access_file(context), ACCESS.join("\n") + "\n")?;
    let is_new = !context.data.join("PG_VERSION").exists();
    match is_new && context.listen != primary {
        true => make_copy_of(&origin_file(context), primary),
        false => Ok(()),
    }
}

/// From its next start on the node of this file is a copy of that server.
pub(super) fn make_copy_of(origin: &Path, primary: SocketAddr) -> std::io::Result<()> {
    std::fs::write(origin, conninfo(primary))
}

/// What decides how commits are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Durability {
    pub(super) is_synchronous: bool,
    pub(super) fsync: FsyncMode,
}

pub(super) fn command(context: &NodeContext, durability: Durability) -> Vec<OsString> {
    let mut argv: Vec<OsString> = vec!["sh".into(), "-c".into(), NODE.into(), "node".into()];
    argv.push(program("initdb").into());
    argv.push(context.data.clone().into());
    argv.push(origin_file(context).into());
    argv.push(program("pg_basebackup").into());
    argv.push(program("postgres").into());
    argv.push(USER.into());
    let (ip, port) = (context.listen.ip().to_string(), context.listen.port().to_string());
    let access = access_file(context).display().to_string();
    let fsync = match durability.fsync {
        FsyncMode::Always => "on",
        FsyncMode::Off => "off",
    };
    // None of these is in the data, because a copy has that of its origin.
    let own: [(&str, &str); 5] = [
        ("listen_addresses", &ip),
        ("port", &port),
        ("unix_socket_directories", ""),
        ("hba_file", &access),
        ("fsync", fsync),
    ];
    let synchronous = durability.is_synchronous.then_some(SYNCHRONOUS);
    for (name, value) in own.iter().chain(SERVER_SETTINGS).chain(&synchronous) {
        argv.push("-c".into());
        argv.push(format!("{name}={value}").into());
    }
    as_ordinary_user(argv)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::node_id::NodeId;

    #[test]
    fn only_a_node_without_data_that_is_not_the_primary_becomes_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let primary: SocketAddr = "10.0.0.1:7000".parse().unwrap();
        let listen: SocketAddr = "10.0.0.2:7000".parse().unwrap();
        let context = NodeContext {
            node: NodeId(2),
            listen,
            peers: BTreeMap::from([(NodeId(1), primary), (NodeId(2), listen)]),
            data: folder.path().join("data"),
            log: folder.path().join("log"),
            joins: false,
        };
        prepare(&context, listen).unwrap();
        assert!(!origin_file(&context).exists());
        std::fs::create_dir(&context.data).unwrap();
        std::fs::write(context.data.join("PG_VERSION"), "15").unwrap();
        prepare(&context, primary).unwrap();
        assert!(!origin_file(&context).exists());
        std::fs::remove_dir_all(&context.data).unwrap();
        prepare(&context, primary).unwrap();
        let origin = std::fs::read_to_string(origin_file(&context)).unwrap();
        assert!(origin.starts_with("host=10.0.0.1 port=7000 user=postgres "));
    }
}
