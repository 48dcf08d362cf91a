//! What processes have used, from /proc.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// What a process has used since it started.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ProcessUsage {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// The same by the names of its threads; those that have ended are missing.
    pub(crate) threads: BTreeMap<String, ThreadUsage>,
}

/// What the threads of one name have used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ThreadUsage {
    /// Time on a core.
    pub(crate) cpu: Duration,
    /// How often they were taken from a core, mostly because they had to wait.
    pub(crate) switches: u64,
}

/// What a process has used so far; nothing if it is gone.
pub(crate) fn of_process(pid: i32) -> ProcessUsage {
    let cpu = time_of_process(pid);
    let mut threads: BTreeMap<String, ThreadUsage> = BTreeMap::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return ProcessUsage { cpu, threads };
    };
    for task in tasks.flatten() {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let usage = threads.entry(read("comm").trim().to_owned()).or_default();
        // The first number is the time on a core, in nanoseconds.
        let nanos = read("schedstat").split(' ').next().and_then(|it| it.parse().ok());
        usage.cpu += Duration::from_nanos(nanos.unwrap_or(0));
        usage.switches += switches_of_status(&read("status"));
    }
    ProcessUsage { cpu, threads }
}

/// User and system time of a process so far, in whole ticks of the kernel; none if it is gone.
pub(crate) fn time_of_process(pid: i32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    cpu_of_stat(&stat, ticks_per_second()).unwrap_or_default()
}

/// User and system time of this process.
pub(crate) fn of_self() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Duration::ZERO };
    [usage.user_time(), usage.system_time()]
        .iter()
        .map(|time| {
            Duration::from_secs(time.tv_sec() as u64) + Duration::from_micros(time.tv_usec() as u64)
        })
        .sum()
}

impl ProcessUsage {
    /// What was used from `before` to this.
    pub(crate) fn since(&self, before: &ProcessUsage) -> ProcessUsage {
        let threads = self.threads.iter().map(|(name, now)| {
            let then = before.threads.get(name).copied().unwrap_or_default();
            let usage = ThreadUsage {
                cpu: now.cpu.saturating_sub(then.cpu),
                switches: now.switches.saturating_sub(then.switches),
            };
            (name.clone(), usage)
        });
        ProcessUsage { cpu: self.cpu.saturating_sub(before.cpu), threads: threads.collect() }
    }
}

fn ticks_per_second() -> u64 {
    let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK);
    ticks.ok().flatten().and_then(|it| u64::try_from(it).ok()).filter(|&it| it > 0).unwrap_or(100)
}

/// `utime` and `stime` of a line of `/proc/PID/stat`; the name before them may hold anything.
fn cpu_of_stat(line: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, after_name) = line.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_secs(ticks()? + ticks()?) / u32::try_from(ticks_per_second).ok()?)
}

/// Voluntary and other context switches of `/proc/PID/task/TID/status`.
fn switches_of_status(text: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once("_ctxt_switches:"))
        .filter_map(|(_, number)| number.trim().parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let line = "17 (a) b (c) S 1 17 17 0 -1 4194560 900 0 0 0 250 50 7 7 20 0 9 0 1 2 3";
        assert_eq!(cpu_of_stat(line, 100), Some(Duration::from_secs(3)));
        assert_eq!(cpu_of_stat("17 (cut", 100), None);
    }

    #[test]
    fn switches_of_both_kinds_count() {
        let status = "Name:\tcore\nvoluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n";
        assert_eq!(switches_of_status(status), 42);
    }

    #[test]
    fn work_of_this_process_shows() {
        let own = std::process::id() as i32;
        let (before, before_self) = (of_process(own), of_self());
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        let mut used = ProcessUsage::default();
        while used.cpu < Duration::from_millis(50) && std::time::Instant::now() < deadline {
            used = of_process(own).since(&before);
        }
        assert!(used.cpu >= Duration::from_millis(50), "{used:?}");
        assert!(of_self() - before_self >= Duration::from_millis(30));
        assert!(!used.threads.is_empty());
    }

    #[test]
    fn a_process_that_is_gone_has_used_nothing() {
        assert_eq!(of_process(i32::MAX), ProcessUsage::default());
    }
}
