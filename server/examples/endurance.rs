//! How a node starts on much data, and what memory nodes take in the long run.
//!
//! ```text
//! cargo run -p server --example endurance -- restart DIRECTORY [--keys 1000000] [--value-bytes 1024]
//! cargo run -p server --example endurance -- memory DIRECTORY [--minutes 10] [--keys 10000]
//! ```
//!
//! Nodes are processes of their own: this program, executed again. They end with it.

#![expect(clippy::print_stdout, reason = "the numbers are what this program is for")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::{Parser, Subcommand};
use proto::client::{Client, ClientOptions};
use server::cli::{ServeArgs, StorageKind, run};
use tokio::task::JoinSet;

/// Clients that write at the same time.
const CLIENTS: u64 = 128;
/// How long a node may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(120);
/// Memory is flat if it grows by no more than this part, and this many bytes, after the first third
/// of the time.
const GROWTH_MAX: f64 = 0.1;
const GROWTH_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Load a node with keys, stop it, start it, and take the time until it answers a linearizable
    /// read.
    Restart {
        /// Where its data goes; must not exist.
        directory: PathBuf,
        /// Keys to load.
        #[arg(long, default_value_t = 1_000_000)]
        keys: u64,
        /// Bytes of each value.
        #[arg(long, default_value_t = 1_024)]
        value_bytes: usize,
        /// Seconds that it may take; more gives exit code 1.
        #[arg(long, default_value_t = 5.0)]
        limit: f64,
    },
    /// Write to a cluster for a while, and print the resident memory of each node.
    Memory {
        /// Where its data goes; must not exist.
        directory: PathBuf,
        /// Minutes of load.
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
        /// Seconds between two lines.
        #[arg(long, default_value_t = 30.0)]
        every: f64,
        /// Keys that are written over and over.
        #[arg(long, default_value_t = 10_000)]
        keys: u64,
        /// Bytes of each value.
        #[arg(long, default_value_t = 256)]
        value_bytes: usize,
        /// Nodes of the cluster.
        #[arg(long, default_value_t = 3)]
        nodes: usize,
        /// Where the data lives.
        #[arg(long, value_enum, default_value = "rocksdb")]
        storage: StorageKind,
    },
    /// Run one node; for this program itself.
    #[command(hide = true)]
    Node(Box<ServeArgs>),
}

fn main() -> anyhow::Result<()> {
    let command = match Cli::parse().command {
        What::Node(args) => std::process::exit(run(*args)),
        command => command,
    };
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    runtime.block_on(async {
        match command {
            What::Restart { directory, keys, value_bytes, limit } => {
                restart(&directory, keys, value_bytes, limit).await
            }
            What::Memory { directory, minutes, every, keys, value_bytes, nodes, storage } => {
                let time = Duration::from_secs_f64(minutes * 60.0);
                let every = Duration::from_secs_f64(every);
                let nodes = Nodes::start(&directory, nodes, storage)?;
                memory(&nodes, time, every, keys, value_bytes).await
            }
            What::Node(_) => unreachable!("it was run above"),
        }
    })
}

/// The processes of a cluster.
struct Nodes {
    addresses: Vec<String>,
    processes: Vec<Process>,
}

/// Killed when it is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Nodes {
    fn start(directory: &Path, nodes: usize, storage: StorageKind) -> anyhow::Result<Nodes> {
        ensure!(!directory.exists(), "{} exists already", directory.display());
        let listeners = (0..nodes).map(|_| TcpListener::bind("127.0.0.1:0"));
        let listeners: Vec<TcpListener> = listeners.collect::<Result<_, _>>()?;
        let addresses = listeners.iter().map(|it| Ok(it.local_addr()?.to_string()));
        let addresses: Vec<String> = addresses.collect::<std::io::Result<_>>()?;
        drop(listeners);
        let processes = (1..=nodes).map(|node| start_node(directory, node, &addresses, storage));
        let processes = processes.collect::<anyhow::Result<_>>()?;
        Ok(Nodes { addresses, processes })
    }

    fn client(&self) -> Client {
        let options = ClientOptions {
            timeout: PATIENCE,
            attempts_max: u32::MAX,
            backoff_max: Duration::from_millis(20),
            follow_leader: true,
            ..ClientOptions::new()
        };
        Client::new(self.addresses.clone(), options)
    }

    /// Resident memory of each, in bytes.
    fn memory(&self) -> anyhow::Result<Vec<u64>> {
        self.processes.iter().map(|process| resident(process.0.id())).collect()
    }
}

fn start_node(
    directory: &Path,
    node: usize,
    addresses: &[String],
    storage: StorageKind,
) -> anyhow::Result<Process> {
    let peers: Vec<String> =
        addresses.iter().zip(1..).map(|(address, node)| format!("{node}={address}")).collect();
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    command.args(["node", "--node", &node.to_string(), "--peers", &peers.join(",")]);
    command.arg("--data").arg(directory.join(node.to_string())).env("RUST_LOG", "warn");
    match storage {
        StorageKind::Rocksdb => command.args(["--storage", "rocksdb"]),
        StorageKind::Memory => command.args(["--storage", "memory"]),
    };
    Ok(Process(command.spawn().context("start a node")?))
}

async fn restart(
    directory: &Path,
    keys: u64,
    value_bytes: usize,
    limit: f64,
) -> anyhow::Result<()> {
    let mut nodes = Nodes::start(directory, 1, StorageKind::Rocksdb)?;
    let mut client = nodes.client();
    client.get(key(0)).await.context("wait for the node")?;
    let began = Instant::now();
    let mut loading = JoinSet::new();
    for first in 0..CLIENTS {
        let mut client = client.sibling();
        loading.spawn(async move {
            for number in (first..keys).step_by(CLIENTS as usize) {
                client.put(key(number), value(number, value_bytes)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(loaded) = loading.join_next().await {
        loaded?.context("load the keys")?;
    }
    let took = began.elapsed().as_secs_f64();
    println!(
        "{keys} keys of {value_bytes} bytes in {took:.0} s ({:.0} a second)",
        keys as f64 / took
    );
    let (began, ended) = (Instant::now(), terminate(&mut nodes.processes[0].0)?);
    println!("stopped in {:.2} s, {ended}", began.elapsed().as_secs_f64());
    let data = directory.join("1");
    let mib = |part: &str| Ok::<_, anyhow::Error>(disk_bytes(&data.join(part))? >> 20);
    println!("on disk: {} MiB of state, {} MiB of log", mib("state")?, mib("log")?);

    let began = Instant::now();
    nodes.processes[0] = start_node(directory, 1, &nodes.addresses, StorageKind::Rocksdb)?;
    let last = keys.saturating_sub(1);
    let found = nodes.client().get(key(last)).await.context("read after the restart")?.found;
    let took = began.elapsed().as_secs_f64();
    let found = found.context("a key is gone")?.value;
    ensure!(found == value(last, value_bytes), "the value is another one");
    println!("a linearizable read was answered {took:.2} s after the start (limit {limit} s)");
    ensure!(took <= limit, "that is too long");
    Ok(())
}

async fn memory(
    nodes: &Nodes,
    time: Duration,
    every: Duration,
    keys: u64,
    value_bytes: usize,
) -> anyhow::Result<()> {
    nodes.client().get(key(0)).await.context("wait for a leader")?;
    let (written, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let first = nodes.client();
    let mut writers = JoinSet::new();
    for writer in 0..CLIENTS {
        let (mut client, written, stop) =
            (first.sibling(), Arc::clone(&written), Arc::clone(&stop));
        writers.spawn(async move {
            for number in (writer..).step_by(CLIENTS as usize) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                client.put(key(number % keys), value(number, value_bytes)).await?;
                written.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    println!("seconds  writes/s  snapshot at  resident memory of each node in MiB");
    let began = Instant::now();
    let (mut before, mut rows) = (0, Vec::new());
    while began.elapsed() < time {
        tokio::time::sleep(every).await;
        if let Some(ended) = writers.try_join_next() {
            ended?.context("write")?;
            bail!("a writer ended");
        }
        let (now, memory) = (written.load(Ordering::Relaxed), nodes.memory()?);
        let snapshot = nodes.client().status().await.context("ask for the status")?.snapshot_index;
        let rate = (now - before) as f64 / every.as_secs_f64();
        let mib: Vec<String> = memory.iter().map(|bytes| (bytes >> 20).to_string()).collect();
        let seconds = began.elapsed().as_secs();
        println!("{seconds:7}  {rate:8.0}  {snapshot:11}  {}", mib.join("  "));
        before = now;
        rows.push(memory);
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = writers.join_next().await {
        ended?.context("write")?;
    }
    let (Some(early), Some(late)) = (rows.get(rows.len() / 3), rows.last()) else {
        bail!("there was no time for a line");
    };
    for ((early, late), node) in early.iter().zip(late).zip(1..) {
        let (from, to) = (early >> 20, late >> 20);
        println!("node {node}: {from} MiB after a third of the time, {to} MiB at the end");
        let most = (*early as f64 * (1.0 + GROWTH_MAX)) as u64 + GROWTH_BYTES_MAX;
        ensure!(*late <= most, "the memory of node {node} is not flat");
    }
    Ok(())
}

fn key(number: u64) -> String {
    format!("key-{number:012}")
}

/// Bytes that do not compress, the same for the same number.
fn value(number: u64, bytes: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn terminate(child: &mut Child) -> anyhow::Result<ExitStatus> {
    let kill = Command::new("kill").arg(child.id().to_string()).status().context("run kill")?;
    ensure!(kill.success(), "the node has ended already");
    child.wait().context("wait for the node")
}

fn resident(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("find VmRSS")?;
    Ok(kib.parse::<u64>()? << 10)
}

fn disk_bytes(path: &Path) -> anyhow::Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        bytes += disk_bytes(&entry?.path())?;
    }
    Ok(bytes)
}
