//! Is a program of somebody else on this machine?

use std::path::Path;
use std::process::{Command, Stdio};

/// It is not, or does not run.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct NotInstalled {
    what: String,
    source: std::io::Error,
}

impl NotInstalled {
    /// What cannot be done for want of it, and why.
    pub(super) fn new(what: impl Into<String>, source: std::io::Error) -> NotInstalled {
        NotInstalled { what: what.into(), source }
    }
}

/// The first line of what a program says about its version.
pub(super) fn version_line(program: &str, arguments: &[&str]) -> Result<String, NotInstalled> {
    let output =
        Command::new(program).args(arguments).stdin(Stdio::null()).output().map_err(|source| {
            NotInstalled { what: format!("run {program} {}", arguments.join(" ")), source }
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Finds a file that a program cannot do without.
pub(super) fn installed_file(path: &'static str) -> Result<&'static Path, NotInstalled> {
    let path = Path::new(path);
    match path.metadata() {
        Ok(_) => Ok(path),
        Err(source) => Err(NotInstalled { what: format!("look for {}", path.display()), source }),
    }
}
