//! The harness as a node: it executes itself, so that a stale server binary can never be tested.

use std::path::PathBuf;

/// The path by which this very binary is executed again.
///
/// `/proc/self/exe` is resolved once, so that a person sees the path in `ps`; if the file was
/// replaced by a build since, the kernel's link still leads to the running one.
pub fn own_binary() -> PathBuf {
    match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        _ => PathBuf::from("/proc/self/exe"),
    }
}
