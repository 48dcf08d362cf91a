//! Is a program of somebody else on this machine?

use std::process::{Command, Stdio};

/// It is not, or does not run.
#[derive(Debug, thiserror::Error)]
#[error("run {command}: {source}")]
pub struct NotInstalled {
    command: String,
    source: std::io::Error,
}

/// The first line of what a program says about its version.
pub(super) fn version_line(program: &str, arguments: &[&str]) -> Result<String, NotInstalled> {
    let output =
        Command::new(program).args(arguments).stdin(Stdio::null()).output().map_err(|source| {
            NotInstalled { command: format!("{program} {}", arguments.join(" ")), source }
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
