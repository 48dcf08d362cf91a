//! What this process holds and has used, as the kernel counts it.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// Resident bytes now; 0 where /proc does not say.
pub(super) fn resident() -> usize {
    // Total, resident and other sizes in pages.
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0).saturating_mul(page_size())
}

fn page_size() -> usize {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| usize::try_from(size).ok()).unwrap_or(4096)
}

/// The most bytes that were resident since the process began, or since [`forget_peak`].
pub(super) fn peak() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0).saturating_mul(1024)
}

/// Lets [`peak`] begin anew, where the kernel allows it.
pub(super) fn forget_peak() {
    // Where it is not allowed, the peak is that of all files together.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// CPU time of all threads since the process began.
pub(super) fn cpu() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return Duration::ZERO };
    [usage.user_time(), usage.system_time()]
        .into_iter()
        .map(|time| {
            let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
            Duration::from_micros(u64::try_from(micros).unwrap_or(0))
        })
        .sum()
}
