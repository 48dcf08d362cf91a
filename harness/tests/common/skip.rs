//! Tests that need what the machine lacks: named, counted, and forbidden on request.
//!
//! Each adds a line `skipped: NAME: reason` to the file named by BREAKWATER_SKIP_FILE (default: a
//! file in the folder of the test program). With BREAKWATER_NO_SKIP=1 a skip is a failure.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// Whether a skip is a failure.
pub(crate) fn is_forbidden() -> bool {
    std::env::var_os("BREAKWATER_NO_SKIP").is_some_and(|value| value == "1")
}

/// Writes the line down.
pub(crate) fn record(name: &str, reason: &str) {
    let path = std::env::var_os("BREAKWATER_SKIP_FILE").map_or_else(default_file, PathBuf::from);
    let line = format!("skipped: {name}: {reason}\n");
    let written = File::options()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
    if let Err(error) = written {
        eprintln!("cannot write {}: {error}", path.display());
    }
}

fn default_file() -> PathBuf {
    let program = std::env::current_exe().expect("a running program has a path");
    program.with_file_name("skipped-tests.txt")
}
