//! What a suite consists of: a TOML file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Value;

use super::record::Case;

/// Suites that are part of the harness, by name.
pub(super) const BUILT_IN: [(&str, &str); 2] =
    [("smoke", include_str!("smoke.toml")), ("nightly", include_str!("nightly.toml"))];

/// Most runs of one round: more is a mistake in the file.
const CASES_MAX: usize = 10_000;

/// A suite file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// There is no such suite.
    #[error("unknown suite {name:?}\nhint: smoke, nightly, or a TOML file")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("read {path}: {source}")]
    Read {
        /// Which one.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no suite.
    #[error("{path}: {reason}")]
    Malformed {
        /// Which one.
        path: String,
        /// With line and column.
        reason: String,
    },
}

/// A suite.
#[derive(Debug)]
pub(super) struct Suite {
    /// The name of the folder of its results.
    pub(super) name: String,
    pub(super) about: String,
    /// How often an invalid run is made again with the same inputs.
    pub(super) reruns: u32,
    /// Every case, in the order of the file.
    pub(super) cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    about: String,
    #[serde(default = "default_reruns")]
    reruns: u32,
    #[serde(default)]
    options: BTreeMap<String, Value>,
    matrix: Vec<Matrix>,
}

/// Every workload under every entry of faults with every set of options.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Matrix {
    workloads: Vec<String>,
    faults: Vec<String>,
    #[serde(default = "default_seeds")]
    seeds: u32,
    #[serde(default = "default_options")]
    options: Vec<BTreeMap<String, Value>>,
}

fn default_reruns() -> u32 {
    2
}

fn default_seeds() -> u32 {
    1
}

fn default_options() -> Vec<BTreeMap<String, Value>> {
    vec![BTreeMap::new()]
}

/// A built-in suite by its name, or one from a file.
pub(super) fn load(name: &str) -> Result<Suite, DefinitionError> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        return parse(name, name, text);
    }
    let path = Path::new(name);
    if path.extension().is_none() && !path.exists() {
        return Err(DefinitionError::Unknown { name: name.to_owned() });
    }
    let text = std::fs::read_to_string(path)
        .map_err(|source| DefinitionError::Read { path: name.to_owned(), source })?;
    let stem = path.file_stem().map_or("suite".into(), |stem| stem.to_string_lossy());
    parse(&stem, name, &text)
}

fn parse(name: &str, path: &str, text: &str) -> Result<Suite, DefinitionError> {
    let malformed = |reason: String| DefinitionError::Malformed { path: path.to_owned(), reason };
    let file: File = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let mut cases: Vec<Case> = Vec::new();
    for matrix in &file.matrix {
        for workload in &matrix.workloads {
            for faults in &matrix.faults {
                for own in &matrix.options {
                    let mut options = file.options.clone();
                    options.extend(own.clone());
                    let arguments = arguments(&options).map_err(malformed)?;
                    let own = self::arguments(own).map_err(malformed)?;
                    let case = Case::new(workload, faults, &own, arguments, matrix.seeds);
                    if cases.iter().any(|other| other.id == case.id) {
                        return Err(malformed(format!("the case {} is there twice", case.id)));
                    }
                    cases.push(case);
                }
            }
        }
    }
    if cases.is_empty() || cases.len() > CASES_MAX {
        return Err(malformed(format!("expected 1 to {CASES_MAX} cases, got {}", cases.len())));
    }
    Ok(Suite { name: name.to_owned(), about: file.about, reruns: file.reruns, cases })
}

/// Options as they are written on the command line. `true` is a flag, `false` none.
pub(crate) fn arguments(options: &BTreeMap<String, Value>) -> Result<Vec<String>, String> {
    let mut arguments = Vec::new();
    for (name, value) in options {
        let text = match value {
            Value::Boolean(false) => continue,
            Value::Boolean(true) => {
                arguments.push(format!("--{name}"));
                continue;
            }
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                return Err(format!("option {name}: expected a string, number or truth value"));
            }
        };
        arguments.push(format!("--{name}={text}"));
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use crate::options::RunOptions;
    use clap::Parser;

    #[test]
    fn a_matrix_is_multiplied_out() {
        let text = r#"
            [options]
            nodes = 3
            [[matrix]]
            workloads = ["register", "set"]
            faults = ["kill", "partition,pause"]
            options = [{}, { shards = 2, keep-quorum = true, hold = false }]
            seeds = 4
        "#;
        let suite = parse("try", "try.toml", text).unwrap();
        let ids: Vec<&str> = suite.cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids.len(), 8);
        assert_eq!(ids[0], "register kill");
        assert_eq!(ids[3], "register partition,pause --keep-quorum --shards=2");
        let last = &suite.cases[7];
        assert_eq!(last.arguments, ["--keep-quorum", "--nodes=3", "--shards=2"]);
        assert_eq!((last.seeds, suite.reruns), (4, 2));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        let refused = |text: &str| parse("try", "try.toml", text).unwrap_err().to_string();
        assert!(refused("matrix = []").contains("expected 1 to"), "{}", refused("matrix = []"));
        assert!(refused("[[matrix]]\nworkload = []").contains("line 2"));
        let twice = "[[matrix]]\nworkloads = ['a', 'a']\nfaults = ['kill']";
        assert!(refused(twice).contains("a kill is there twice"));
        assert!(load("nosuch").unwrap_err().to_string().contains("unknown suite"));
        assert!(load("nosuch.toml").unwrap_err().to_string().starts_with("read nosuch.toml"));
    }

    #[cfg(feature = "store")]
    #[test]
    fn every_case_of_the_built_in_suites_is_a_run_that_can_be_made() {
        for (name, _) in BUILT_IN {
            for case in load(name).unwrap().cases {
                let words = ["harness".to_owned(), format!("--workload={}", case.workload)];
                let words = words.into_iter().chain([format!("--faults={}", case.faults)]);
                let cli = Cli::try_parse_from(words.chain(case.arguments.clone()));
                let args = cli.unwrap_or_else(|error| panic!("{}: {error}", case.id)).run;
                if let Err(error) = RunOptions::resolve(args) {
                    panic!("{}: {}", case.id, error.0);
                }
            }
        }
    }
}
