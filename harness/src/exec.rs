//! `exec`: a command inside the namespaces of a run whose nodes live.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use nix::sched::{CloneFlags, setns};

use crate::node_process::own_binary;
use crate::running;

/// The environment variable that tells `server ctl` where the nodes are.
const ENDPOINTS: &str = "BREAKWATER_ENDPOINTS";

/// Runs a command where it reaches the nodes of the run in `folder`, and returns its exit code.
///
/// Must be called while the process has one thread: a process with several cannot enter a user
/// namespace.
pub fn exec(folder: &Path, command: &[OsString]) -> anyhow::Result<i32> {
    let Some((program, arguments)) = command.split_first() else { bail!("there is no command") };
    let record = running::find(folder)?;
    // The path of this very binary must be found before /proc is another one.
    let program = resolve(program);
    if record.namespaces {
        enter(record.pid).context(
            "enter the namespaces of the run\nhint: only the user who started it can do that, and root",
        )?;
    }
    let endpoints: Vec<String> = record.nodes.into_values().collect();
    let mut command = Command::new(&program.path);
    if let Some(name) = program.name {
        command.arg0(name);
    }
    let status = command
        .args(arguments)
        .env(ENDPOINTS, endpoints.join(","))
        .status()
        .with_context(|| format!("run {}", program.path.display()))?;
    use std::os::unix::process::ExitStatusExt;
    Ok(status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(1))
}

/// What to execute.
struct Program {
    path: PathBuf,
    /// What it is told that it is called.
    name: Option<&'static str>,
}

/// `server` is this very binary under another name, unless a path says otherwise.
fn resolve(program: &OsString) -> Program {
    if cfg!(feature = "store") && program == "server" {
        return Program { path: own_binary(), name: Some("server") };
    }
    Program { path: program.into(), name: None }
}

/// Joins the namespaces of a process. Children are then born in its pid namespace.
fn enter(pid: i32) -> anyhow::Result<()> {
    // The user namespace comes first: it gives the right to join the others, and joining the one
    // that we are in already is refused.
    let own = |name: &str| std::fs::read_link(format!("/proc/self/ns/{name}"));
    let mut namespaces = Vec::new();
    for name in ["user", "net", "uts", "ipc", "pid", "mnt"] {
        let path = format!("/proc/{pid}/ns/{name}");
        let theirs = std::fs::read_link(&path).with_context(|| format!("read {path}"))?;
        if theirs != own(name).context("read own namespaces")? {
            namespaces.push((name, File::open(&path).with_context(|| format!("open {path}"))?));
        }
    }
    let here = std::env::current_dir().context("find the current directory")?;
    for (name, namespace) in namespaces {
        setns(namespace, CloneFlags::empty()).with_context(|| format!("join namespace {name}"))?;
    }
    // Joining a mount namespace leads to its root.
    std::env::set_current_dir(&here).context("go back to the current directory")
}
