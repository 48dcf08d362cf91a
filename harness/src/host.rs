//! Facts about the machine and this build, for `run.json`.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

/// Package version and git commit, such as `0.0.0 (git 1a2b3c4)`.
pub fn version() -> String {
    format!("{} ({})", env!("CARGO_PKG_VERSION"), env!("BREAKWATER_COMMIT"))
}

/// Cores, kernel, and what an fsync costs where the run writes.
pub fn facts(folder: &Path) -> Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "cores": cores,
        "kernel": kernel.trim(),
        "load_average": load.split(' ').next().unwrap_or_default(),
        "fsync_median_us": fsync_median_us(folder),
    })
}

/// Appends and syncs a few times; none if the folder cannot be written.
fn fsync_median_us(folder: &Path) -> Option<u64> {
    const ROUNDS: usize = 9;
    let path = folder.join(".fsync-probe");
    let mut file = std::fs::File::create(&path).ok()?;
    let mut times = [0; ROUNDS];
    for time in &mut times {
        let began = Instant::now();
        let done = file.write_all(&[0; 256]).and_then(|()| file.sync_data());
        *time = began.elapsed().as_micros() as u64;
        done.ok()?;
    }
    std::fs::remove_file(&path).ok()?;
    times.sort_unstable();
    Some(times[ROUNDS / 2])
}
