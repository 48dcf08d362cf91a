//! A node whose disk fills up, and what becomes of it when there is space again.
//!
//! The disk is a tmpfs in a mount namespace of the node's own, which goes with it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use proto::client::{Client, ClientOptions};

use crate::eventually::eventually;
use crate::skip;

/// Starts the node on a disk with a file in the way, says how it ended, takes the file away, and
/// starts it again. Arguments: the directory, then the node's command line.
const SCRIPT: &str = r#"
directory=$1
shift
mount -t tmpfs -o size=96m tmpfs "$directory" || exit 1
head -c 41943040 /dev/zero >"$directory/ballast"
"$@"
echo "exit code $?"
rm "$directory/ballast"
exec "$@"
"#;

/// Names the keys, which are written over and over, so that the log grows and the state does not.
const KEYS: usize = 10;
const VALUE_BYTES: usize = 60_000;
/// More than fits on the disk.
const WRITES_MAX: usize = 2_000;

/// Kills everything in it when it is dropped.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a shell script in namespaces of its own, with the rights to mount there; none if this
/// machine does not let us.
fn namespaces(directory: &Path) -> Option<Command> {
    let as_root: &[&str] = &["--mount", "--pid", "--fork", "--kill-child"];
    let as_user = [as_root, &["--user", "--map-root-user"]].concat();
    [as_root, &as_user].into_iter().find_map(|arguments| {
        let command = || {
            let mut command = Command::new("unshare");
            command.args(arguments).args(["sh", "-c"]);
            command
        };
        let mut probe = command();
        probe.arg(r#"mount -t tmpfs tmpfs "$1""#).arg("sh").arg(directory).stderr(Stdio::null());
        probe.status().ok()?.success().then(command)
    })
}

fn client(address: &str, timeout: Duration) -> Client {
    Client::new(vec![address.to_owned()], ClientOptions { timeout, ..ClientOptions::new() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_ends_the_node_and_space_brings_it_back() {
    let directory = tempfile::tempdir().unwrap();
    let (disk, output) = (directory.path().join("disk"), directory.path().join("output"));
    fs::create_dir(&disk).unwrap();
    let Some(mut command) = namespaces(&disk) else {
        let reason = "no right to mount a file system in a namespace";
        assert!(!skip::is_forbidden(), "skipped although that is forbidden: {reason}");
        return skip::record("a_full_disk_ends_the_node_and_space_brings_it_back", reason);
    };
    let address = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let words = File::create(&output).unwrap();
    let _machine = Machine(
        command
            .args([SCRIPT, "sh"])
            .arg(&disk)
            .arg(env!("CARGO_BIN_EXE_server"))
            .args(["serve", "--node=1", "--tick=20ms"])
            .arg(format!("--peers=1={address}"))
            .arg("--data")
            .arg(disk.join("data"))
            .env("RUST_LOG", "warn")
            .stdout(words.try_clone().unwrap())
            .stderr(words)
            .spawn()
            .unwrap(),
    );

    let mut writer = client(&address, Duration::from_secs(10));
    let value = |write: usize| format!("{write:0>VALUE_BYTES$}");
    let mut acknowledged = Vec::new();
    for write in 0..WRITES_MAX {
        if writer.put(format!("k{}", write % KEYS), value(write)).await.is_err() {
            break;
        }
        acknowledged.push(write);
    }
    assert!((100..WRITES_MAX).contains(&acknowledged.len()), "{}", acknowledged.len());

    let said = eventually("the node says why it ends", async || {
        let said = fs::read_to_string(&output).unwrap();
        said.contains("exit code").then_some(said)
    })
    .await;
    assert!(said.contains("exit code 74"), "{said}");
    let errors: Vec<&str> = said.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{said}");
    assert!(errors[0].contains("No space left on device") && errors[0].contains("/log/"), "{said}");
    assert!(said.contains("hint: free space") && !said.contains("panicked"), "{said}");

    // Every key holds its last acknowledged value, or the one whose fate is unknown.
    let mut reader = client(&address, Duration::from_secs(30));
    let in_doubt = acknowledged.len();
    for write in &acknowledged[in_doubt - KEYS..] {
        let read = reader.get(format!("k{}", write % KEYS)).await;
        let said = fs::read_to_string(&output).unwrap();
        let found = read.unwrap_or_else(|error| panic!("{error}: {said}")).found.unwrap().value;
        let is_next = in_doubt % KEYS == write % KEYS && found == value(in_doubt);
        assert!(found == value(*write) || is_next, "{write}");
    }
    reader.put("after", "1").await.unwrap();
}
