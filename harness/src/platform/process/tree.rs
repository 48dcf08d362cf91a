//! The processes of a node, read from /proc: the stub's descendants. A process whose parent ends is
//! handed to the stub (pid 1 of its namespace, or a subreaper), so none escapes by daemonising.

use std::collections::BTreeMap;
use std::fs;
use std::io;

/// State letters of /proc: `R`, `S`, `D`, `T`, `Z`, ...
type State = u8;

/// Every process below `root`, without `root`, with its parent.
pub(crate) fn descendants(root: i32) -> io::Result<BTreeMap<i32, i32>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that ended since the directory was read is not an error.
        if let Some((_, parent)) = read_stat(&format!("/proc/{pid}/stat")) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeMap::new();
    let mut frontier = vec![root];
    while let Some(parent) = frontier.pop() {
        for &child in children.get(&parent).into_iter().flatten() {
            if found.insert(child, parent).is_none() {
                frontier.push(child);
            }
        }
    }
    Ok(found)
}

/// The state of every thread of a process; empty if it is gone.
fn thread_states(pid: i32) -> Vec<State> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    tasks
        .flatten()
        .filter_map(|task| read_stat(&format!("{}/stat", task.path().display())))
        .map(|(state, _)| state)
        .collect()
}

/// The state of a process; none if it is gone.
pub(crate) fn state(pid: i32) -> Option<u8> {
    read_stat(&format!("/proc/{pid}/stat")).map(|(state, _)| state)
}

/// Whether every thread of every process is stopped, or no longer runs at all.
///
/// A parent in vfork(2) waits for its child in state `D`, where no stop can show; while the child
/// is stopped it cannot run either.
pub(crate) fn all_stopped(processes: &BTreeMap<i32, i32>) -> bool {
    let is_stopped = |pid| thread_states(pid).iter().all(|state| is_halted(*state));
    let waits_for_stopped_child = |pid| {
        thread_states(pid).iter().all(|&state| is_halted(state) || state == b'D')
            && processes.iter().any(|(&child, &parent)| parent == pid && is_stopped(child))
    };
    processes.keys().all(|&pid| is_stopped(pid) || waits_for_stopped_child(pid))
}

/// Whether no thread of any process is stopped.
pub(crate) fn none_stopped(processes: &BTreeMap<i32, i32>) -> bool {
    processes
        .keys()
        .all(|&pid| !thread_states(pid).iter().any(|state| matches!(state, b'T' | b't')))
}

fn is_halted(state: State) -> bool {
    matches!(state, b'T' | b't' | b'Z' | b'X')
}

/// The pid that a process has in its own, innermost, pid namespace.
pub(crate) fn innermost_pid(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().last()?.parse().ok()
}

fn read_stat(path: &str) -> Option<(State, i32)> {
    parse_stat(&fs::read(path).ok()?)
}

/// State and parent. The name before them may hold spaces and parentheses.
fn parse_stat(stat: &[u8]) -> Option<(State, i32)> {
    let name_end = stat.iter().rposition(|&byte| byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    let mut fields = rest.split_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    Some((state, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_is_skipped() {
        assert_eq!(parse_stat(b"12 (a) b (c)) S 7 12 12 0"), Some((b'S', 7)));
        assert_eq!(parse_stat(b"12 (a"), None);
    }

    #[test]
    fn this_process_is_below_its_parent_and_runs() {
        let own = std::process::id().cast_signed();
        let parent = nix::unistd::getppid().as_raw();
        let family = descendants(parent).expect("/proc is readable");
        assert_eq!(family.get(&own), Some(&parent));
        let alone = BTreeMap::from([(own, parent)]);
        assert!(!all_stopped(&alone) && none_stopped(&alone));
    }
}
