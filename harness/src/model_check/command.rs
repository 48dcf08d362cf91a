//! The command `harness model-check --depth N --states N`.

use std::io::{self, Write};

use server::bug::Bugs;

use super::check::{Limits, model_check};
use super::scope::SCOPES;

/// What the command is told.
#[derive(Debug, Clone)]
pub struct ModelCheckCommand {
    /// Limits of each exploration.
    pub limits: Limits,
    /// The defect planted in every node, if any.
    pub bugs: Bugs,
}

/// Explores every scope, and writes what was found. Returns the exit code: 0 valid, 1 invalid, 2 if
/// an exploration did not meet what it is for and so proves little.
pub fn model_check_command(command: &ModelCheckCommand, out: &mut impl Write) -> io::Result<i32> {
    let mut code = 0;
    for scope in SCOPES {
        writeln!(out, "scope:     {}: {}", scope.name, scope.about)?;
        let report = model_check(&(scope.options)(command.bugs), command.limits);
        writeln!(out, "{report}")?;
        let missed = scope.meets.iter().any(|name| !report.covered.contains(name));
        code = match (report.findings.is_empty(), missed) {
            (false, _) => 1,
            (true, true) if code == 0 => 2,
            (true, _) => code,
        };
    }
    Ok(code)
}
