//! The file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::options::Options;
use super::step::Step;
use crate::report::files::{self, WriteError};

/// Version of the file.
const FORMAT: u32 = 1;
/// Steps of a scenario.
const STEPS_MAX: usize = 10_000;

/// Faults, and the options that they need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    format: u32,
    /// What it is for, in a sentence or two.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Options of the run.
    #[serde(default)]
    pub options: Options,
    /// The faults, in any order.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
}

/// A scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It cannot be read.
    #[error("read scenario {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not written as one.
    #[error(
        "{}: {source}hint: format = 1, a table [options] with long names of options, and for each fault a \
         [[step]] with at = \"3s\", for = \"5s\", fault = \"partition\"", path.display()
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// It is of another version.
    #[error("{}: format {found} is not the one that this build reads, {FORMAT}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It has too many steps.
    #[error("{}: more than {STEPS_MAX} steps", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// An option that has no place in it.
    #[error("{}: the option {name:?} has no place in a scenario", path.display())]
    Option {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
    },
}

impl Scenario {
    /// A scenario of these steps.
    pub fn new(about: String, options: Options, steps: Vec<Step>) -> Scenario {
        Scenario { format: FORMAT, about, options, steps }
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Scenario, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        let path = path.to_owned();
        let mut scenario: Scenario = match toml::from_str(&text) {
            Ok(scenario) => scenario,
            Err(source) => return Err(ScenarioError::Syntax { path, source: Box::new(source) }),
        };
        if scenario.format != FORMAT {
            return Err(ScenarioError::Format { path, found: scenario.format });
        }
        if scenario.steps.len() > STEPS_MAX {
            return Err(ScenarioError::TooLong { path });
        }
        if let Err(name) = scenario.options.arguments() {
            return Err(ScenarioError::Option { path, name });
        }
        scenario.steps.sort_by_key(|step| step.at);
        Ok(scenario)
    }

    /// Writes it.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        files::write_atomically(path, self.text().as_bytes())
    }

    /// As it is written.
    pub fn text(&self) -> String {
        toml::to_string(self).expect("names and plain values always have a TOML form")
    }

    /// The kinds of fault in it, each once, in the order of their names.
    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = self.steps.iter().map(|step| step.fault.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::super::step::StepSeed;
    use super::*;

    pub(crate) fn step(at: u64, fault: &str) -> Step {
        Step {
            at: Duration::from_secs(at),
            length: Duration::from_secs(4),
            fault: fault.to_owned(),
            variant: None,
            seed: Some(StepSeed(u64::MAX)),
        }
    }

    fn written(text: &str) -> Result<Scenario, ScenarioError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        std::fs::write(&path, text).unwrap();
        Scenario::read(&path)
    }

    #[test]
    fn a_scenario_survives_writing() {
        let mut options = Options::default();
        options.set("nodes", 3);
        let steps = vec![step(3, "kill"), step(12, "pause")];
        let scenario = Scenario::new("Why.".to_owned(), options, steps);
        assert_eq!(written(&scenario.text()).unwrap(), scenario);
        assert_eq!(scenario.kinds(), ["kill", "pause"]);
    }

    #[test]
    fn steps_are_put_in_order_and_what_may_be_left_out_may() {
        let scenario = written(
            "format = 1\n\
             [[step]]\nat = \"9s\"\nfor = \"1500ms\"\nfault = \"kill\"\n\
             [[step]]\nat = \"3s\"\nfor = \"5s\"\nfault = \"partition\"\nvariant = \"leader\"\n",
        )
        .unwrap();
        assert_eq!(scenario.steps[0].variant.as_deref(), Some("leader"));
        assert_eq!(scenario.steps[1].end(), Duration::from_millis(10_500));
    }

    #[test]
    fn what_cannot_be_used_is_said_with_the_place() {
        for (text, part) in [
            ("format = 2", "format 2 is not"),
            ("format = 1\n[options]\nout = \"x\"", "\"out\" has no place"),
            (
                "format = 1\n[[step]]\nat = \"soon\"\nfor = \"1s\"\nfault = \"kill\"",
                "hint: a duration",
            ),
            (
                "format = 1\n[[step]]\nat = \"1s\"\nfor = \"1s\"\nfault = \"kill\"\nnode = 1",
                "unknown field",
            ),
        ] {
            let error = written(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
