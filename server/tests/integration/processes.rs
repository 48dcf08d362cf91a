//! Servers as processes: what a kill, a signal and a bad command line do.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use proto::client::{Client, ClientOptions};

use crate::eventually::eventually;

/// A node in a process of its own, killed when it is dropped.
struct Process(Child);

impl Process {
    fn start(directory: &Path, node: usize, addresses: &[String]) -> Process {
        let peers: Vec<String> =
            addresses.iter().zip(1..).map(|(address, node)| format!("{node}={address}")).collect();
        let child = command()
            .arg(format!("--node={node}"))
            .arg(format!("--peers={}", peers.join(",")))
            .arg("--data")
            .arg(directory.join(node.to_string()))
            .args(["--tick", "20ms"])
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Process(child)
    }

    /// SIGKILL, and wait until it is gone.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.arg("serve").env("RUST_LOG", "warn");
    command
}

/// Addresses that were free a moment ago.
fn addresses(nodes: usize) -> Vec<String> {
    let listeners: Vec<TcpListener> =
        (0..nodes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect()
}

fn client(addresses: &[String]) -> Client {
    let options = ClientOptions { timeout: Duration::from_secs(20), ..ClientOptions::new() };
    Client::new(addresses.to_vec(), options)
}

async fn leader(addresses: &[String]) -> usize {
    let mut client = client(addresses);
    eventually("there is a leader", async || {
        let leader = client.status().await.unwrap().leader as usize;
        (leader != 0).then_some(leader)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_kills() {
    let directory = tempfile::tempdir().unwrap();
    let addresses = addresses(3);
    let start = |node| Process::start(directory.path(), node, &addresses);
    let mut processes: Vec<Option<Process>> = (1..=3).map(|node| Some(start(node))).collect();
    let mut client = client(&addresses);
    client.open_session().await.unwrap();
    for round in 0..3 {
        for index in 0..20 {
            client.put(format!("{round}/{index}"), "v").await.unwrap();
        }
        let victim = leader(&addresses).await;
        processes[victim - 1].take().unwrap().kill();
        client.put(format!("{round}/without"), "v").await.unwrap();
        processes[victim - 1] = Some(start(victim));
    }
    // Everyone at once, so that only the disks remember.
    for process in &mut processes {
        process.take().unwrap().kill();
    }
    let _processes: Vec<Process> = (1..=3).map(start).collect();
    for round in 0..3 {
        for index in (0..20).map(|index| index.to_string()).chain(["without".to_owned()]) {
            let read = client.get(format!("{round}/{index}")).await.unwrap();
            assert_eq!(read.found.unwrap().version, 1, "{round}/{index}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_server_soon_and_well() {
    let directory = tempfile::tempdir().unwrap();
    let addresses = addresses(1);
    let mut process = Process::start(directory.path(), 1, &addresses);
    let mut client = client(&addresses);
    client.put("k", "v").await.unwrap();
    let started = Instant::now();
    let kill = Command::new("kill").arg(process.0.id().to_string()).status().unwrap();
    assert!(kill.success());
    let status = eventually("the server ends", async || process.0.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(2));
    let _process = Process::start(directory.path(), 1, &addresses);
    assert_eq!(client.get("k").await.unwrap().found.unwrap().value, "v");
}

#[track_caller]
fn fails(arguments: &[&str], code: i32, words: &str) {
    let Output { status, stderr, .. } = command().args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(words) && !stderr.contains("panicked"), "{stderr}");
}

#[test]
fn a_bad_command_line_exits_254() {
    fails(&[], 254, "--node");
    fails(&["--node=1", "--peers=1"], 254, "NUMBER=HOST:PORT");
    fails(&["--node=2", "--peers=1=127.0.0.1:1"], 254, "not in --peers");
    let ticks = ["--node=1", "--peers=1=127.0.0.1:1", "--election-ticks=2"];
    fails(&ticks, 254, "heartbeat");
}

#[test]
fn a_world_that_does_not_fit_exits_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let peers = format!("--peers=1={}", taken.local_addr().unwrap());
    fails(&["--node=1", &peers, "--storage=memory"], 1, "hint: ");
    let peers = format!("--peers=1={}", addresses(1)[0]);
    fails(&["--node=1", &peers, "--data=/dev/null/data"], 1, "/dev/null");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_is_refused_and_not_served() {
    let directory = tempfile::tempdir().unwrap();
    let addresses = addresses(1);
    let mut process = Process::start(directory.path(), 1, &addresses);
    let mut client = client(&addresses);
    client.put("k", "v").await.unwrap();
    client.snapshot(0).await.unwrap();
    let kill = Command::new("kill").arg(process.0.id().to_string()).status().unwrap();
    assert!(kill.success());
    eventually("the server ends", async || process.0.try_wait().unwrap()).await;
    let data = directory.path().join("1");
    let manifests = files_named(&data.join("state"), "MANIFEST");
    assert!(!manifests.is_empty());
    for manifest in manifests {
        fs::write(manifest, "no manifest").unwrap();
    }
    let peers = format!("--peers=1={}", addresses[0]);
    fails(&["--node=1", &peers, "--data", data.to_str().unwrap()], 74, "state");
}

fn files_named(directory: &Path, start: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_named(&path, start));
        } else if path.file_name().unwrap().to_str().unwrap().starts_with(start) {
            found.push(path);
        }
    }
    found
}
