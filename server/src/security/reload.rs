//! Files that are read again when they change, so that keys can be replaced while a server runs.

use std::fmt::Display;
use std::path::Path;
use std::sync::Weak;
use std::time::{Duration, SystemTime};

/// How often it is looked whether files have changed.
const INTERVAL: Duration = Duration::from_millis(500);

/// Something that was read from files.
pub trait Reload: Send + Sync + 'static {
    /// Why files cannot be used.
    type Error: Display;

    /// What it is, such as `tokens`.
    const WHAT: &'static str;

    /// From where it was read.
    fn paths(&self) -> Vec<&Path>;

    /// Reads it again. After an error it is as it was.
    fn reload(&self) -> Result<(), Self::Error>;
}

/// Reads it again whenever a file changes, for as long as someone else holds it. Files that belong
/// together may be replaced one after the other: what does not fit is passed over until the next change.
pub async fn follow_files<T: Reload>(files: Weak<T>) {
    let mut seen = match files.upgrade() {
        Some(files) => stamps(&*files),
        None => return,
    };
    let mut interval = tokio::time::interval(INTERVAL);
    loop {
        interval.tick().await;
        let Some(files) = files.upgrade() else { return };
        let now = stamps(&*files);
        if now == seen {
            continue;
        }
        seen = now;
        match files.reload() {
            Ok(()) => tracing::info!(paths = ?files.paths(), "{} read again", T::WHAT),
            Err(error) => tracing::warn!("the {} stay as they were: {error}", T::WHAT),
        }
    }
}

/// What changes when a file does.
fn stamps(files: &impl Reload) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |path: &Path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.paths().into_iter().map(stamp).collect()
}
