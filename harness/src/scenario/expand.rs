//! The options of a scenario on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use super::file::{Scenario, ScenarioError};

/// The command line with the options of the scenario that it names put in front of all others, so
/// that those win. Without a scenario: as it is.
pub fn expand(given: Vec<OsString>) -> Result<Vec<OsString>, ScenarioError> {
    let Some(path) = scenario_of(&given) else { return Ok(given) };
    let scenario = Scenario::read(&path)?;
    let arguments =
        scenario.options.arguments().map_err(|name| ScenarioError::Option { path, name })?;
    let mut given = given.into_iter();
    let name = given.next();
    Ok(name.into_iter().chain(arguments.into_iter().map(OsString::from)).chain(given).collect())
}

/// The file of `--scenario`, if this is the command line of a run.
fn scenario_of(given: &[OsString]) -> Option<PathBuf> {
    let words: Vec<String> = given.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    // A subcommand comes first, and has no scenario.
    if !words.get(1)?.starts_with('-') {
        return None;
    }
    let last =
        words.iter().rposition(|word| word == "--scenario" || word.starts_with("--scenario="))?;
    match words[last].strip_prefix("--scenario=") {
        Some(path) => Some(path.into()),
        None => Some(given.get(last + 1)?.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn options_of_the_scenario_come_first_so_that_the_command_line_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        std::fs::write(&path, "format = 1\n[options]\nnodes = 3\n").unwrap();
        let path = path.to_str().unwrap();
        let given = words(&["harness", "--nodes", "5", "--scenario", path]);
        let expanded = expand(given).unwrap();
        assert_eq!(expanded, words(&["harness", "--nodes=3", "--nodes", "5", "--scenario", path]));
    }

    #[test]
    fn without_a_scenario_nothing_changes() {
        for given in [words(&["harness"]), words(&["harness", "suite", "x", "--scenario", "y"])] {
            assert_eq!(expand(given.clone()).unwrap(), given);
        }
        assert!(expand(words(&["harness", "--scenario=/absent"])).is_err());
    }
}
