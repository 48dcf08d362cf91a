//! What the tests see for themselves, without asking the code under test.

use std::fs;
use std::time::{Duration, Instant};

/// Generous, because the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(20);

/// Pids of the processes whose command line or environment has `token` within a word, and whose
/// command line has the word `word` (if any); zombies left out.
pub(crate) fn processes(token: &str, word: &str) -> Vec<i32> {
    let mut pids = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc is readable").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let file = |name| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let line = file("cmdline");
        let words: Vec<_> = line.split(|&byte| byte == 0).map(String::from_utf8_lossy).collect();
        let has_token = words.iter().any(|found| found.contains(token))
            || String::from_utf8_lossy(&file("environ")).contains(token);
        let has_word = word.is_empty() || words.iter().any(|found| found == word);
        if has_token && has_word && !matches!(state(pid), None | Some('Z' | 'X')) {
            pids.push(pid);
        }
    }
    pids
}

/// The state letter of a process.
pub(crate) fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// What a clock shows to this process, in nanoseconds.
pub(crate) fn time(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` can be written to.
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Waits for a condition.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
