//! The table: `findings.toml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Value;

use crate::suite::{Case, arguments};

/// The rows that are part of the harness.
const TABLE: &str = include_str!("findings.toml");

/// The table cannot be read. It is part of the harness, so that this is a defect of ours.
#[derive(Debug, thiserror::Error)]
#[error("findings.toml: {0}")]
pub struct TableError(String);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    row: Vec<Row>,
}

/// What must come of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Expected {
    /// A positive control: every run is valid.
    Valid,
    /// A finding: a run is invalid, in one of so many attempts.
    Invalid,
}

/// Where it is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Origin {
    /// The system's own documentation says so: no defect.
    Documented,
    /// Others found it.
    Published,
}

impl Origin {
    /// For people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Origin::Documented => "documented behaviour",
            Origin::Published => "published finding",
        }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// Unique; what `--only` takes.
    pub(super) name: String,
    pub(super) system: String,
    pub(super) workload: String,
    /// As on the command line.
    pub(super) faults: String,
    /// As on the command line.
    #[serde(default)]
    pub(super) settings: String,
    /// Further options of the run, by their long names.
    #[serde(default)]
    pub(super) options: BTreeMap<String, Value>,
    pub(super) expected: Expected,
    /// The check that must be invalid; of a finding only.
    #[serde(default)]
    pub(super) check: String,
    /// One of these it must find, by their names; whatever it finds, if empty.
    #[serde(default)]
    pub(super) anomalies: Vec<String>,
    /// What must be seen, in a sentence.
    pub(super) what: String,
    /// Of a finding only.
    pub(super) origin: Option<Origin>,
    /// A web address; of a finding only.
    #[serde(default)]
    pub(super) source: String,
    /// The row that shows that it is the system or its settings; of a finding only.
    #[serde(default)]
    pub(super) control: String,
    /// Runs of a finding until it must have been seen.
    #[serde(default = "one")]
    pub(super) attempts: u32,
    /// How often it was seen when the row was written, such as `2 of 3`.
    #[serde(default)]
    pub(super) rate: String,
    /// How long a run takes, roughly.
    pub(super) takes: String,
}

fn one() -> u32 {
    1
}

/// All rows, in the order of the file.
///
/// # Errors
/// The table contradicts itself.
pub(super) fn rows() -> Result<Vec<Row>, TableError> {
    parse(TABLE)
}

fn parse(text: &str) -> Result<Vec<Row>, TableError> {
    let file: File = toml::from_str(text).map_err(|error| TableError(error.to_string()))?;
    for (position, row) in file.row.iter().enumerate() {
        let wrong = |what: &str| Err(TableError(format!("the row {}: {what}", row.name)));
        if file.row[..position].iter().any(|other| other.name == row.name) {
            return wrong("is there twice");
        }
        if row.expected == Expected::Valid {
            continue;
        }
        let control = file.row.iter().find(|other| other.name == row.control);
        if !control.is_some_and(|control| control.expected == Expected::Valid) {
            return wrong("a finding needs the name of a control");
        }
        if row.check.is_empty() || row.origin.is_none() || !row.source.starts_with("https://") {
            return wrong("a finding needs a check, an origin and a source");
        }
    }
    Ok(file.row)
}

impl Row {
    /// The run, as suites have it.
    ///
    /// # Errors
    /// An option that cannot be one.
    pub(super) fn case(&self) -> Result<Case, TableError> {
        let mut own = vec![format!("--system={}", self.system)];
        if !self.settings.is_empty() {
            own.push(format!("--settings={}", self.settings));
        }
        let options = arguments(&self.options);
        own.extend(options.map_err(|reason| TableError(format!("{}: {reason}", self.name)))?);
        let case = Case::new(&self.workload, &self.faults, &own, own.clone(), 1);
        Ok(Case { id: self.name.clone(), ..case })
    }

    /// What a user would type.
    ///
    /// # Errors
    /// An option that cannot be one.
    pub(super) fn command(&self) -> Result<String, TableError> {
        let case = self.case()?;
        let mut words = vec![format!("--workload={}", self.workload)];
        words.extend(case.faults_argument());
        let words = case.arguments[..1].iter().chain(&words).chain(&case.arguments[1..]);
        let words: Vec<String> = words.map(|word| word.replacen('=', " ", 1)).collect();
        Ok(format!("harness {}", words.join(" ")))
    }

    /// Does `--only` mean it? By its name or its system.
    pub(super) fn is_meant(&self, only: &[String]) -> bool {
        only.is_empty() || only.iter().any(|name| *name == self.name || *name == self.system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use crate::nemesis::fault::parse_faults;
    use clap::Parser;

    const DOCUMENT: &str = include_str!("../../FINDINGS.md");

    /// A row as the document has it.
    fn line(row: &Row) -> String {
        let (expected, source) = match (row.expected, row.origin) {
            (Expected::Invalid, Some(origin)) => (
                format!("invalid ({})", row.check),
                format!("[{}]({})", origin.words(), row.source),
            ),
            _ => ("valid".to_owned(), String::new()),
        };
        let command = row.command().unwrap();
        let (what, rate) = (&row.what, &row.rate);
        format!("| `{}` | {what} | {expected} | {source} | {rate} | `{command}` |", row.name)
    }

    #[test]
    fn the_document_has_every_row() {
        let missing: Vec<String> = rows()
            .unwrap()
            .iter()
            .map(line)
            .filter(|line| !DOCUMENT.lines().any(|it| it == line))
            .collect();
        assert!(missing.is_empty(), "FINDINGS.md lacks\n{}", missing.join("\n"));
    }

    #[test]
    fn every_row_is_a_run_that_can_be_asked_for() {
        for row in rows().unwrap() {
            let command = row.command().unwrap();
            let cli = Cli::try_parse_from(command.split(' '));
            let args = cli.unwrap_or_else(|error| panic!("{}: {error}", row.name)).run;
            assert_eq!((&args.system, &args.workload), (&row.system, &row.workload));
            assert!(workloads::registry::workload(&row.workload).is_some(), "{}", row.name);
            parse_faults(&row.faults).unwrap_or_else(|error| panic!("{}: {error}", row.name));
        }
    }

    #[test]
    fn a_finding_needs_a_control_and_a_source() {
        let finding = "[[row]]\nname = 'f'\nsystem = 's'\nworkload = 'set'\nfaults = 'kill'\n\
                       expected = 'invalid'\nwhat = 'lost'\ntakes = '1s'\n";
        let control = "[[row]]\nname = 'c'\nsystem = 's'\nworkload = 'set'\nfaults = 'kill'\n\
                       expected = 'valid'\nwhat = 'kept'\ntakes = '1s'\n";
        let refused = |text: String| parse(&text).unwrap_err().to_string();
        assert!(refused(finding.to_owned()).contains("f: a finding needs the name of a control"));
        let with_control = format!("{finding}control = 'c'\n{control}");
        assert!(refused(with_control).contains("needs a check"));
        let whole = format!(
            "{finding}control = 'c'\ncheck = 'set-full'\norigin = 'published'\n\
             source = 'https://example.org'\noptions = {{ nodes = 3 }}\n{control}"
        );
        let rows = parse(&whole).unwrap();
        assert_eq!(
            rows[0].command().unwrap(),
            "harness --system s --workload set --faults kill --nodes 3"
        );
        assert!(rows[0].is_meant(&["s".to_owned()]) && !rows[0].is_meant(&["c".to_owned()]));
        assert!(refused(format!("{control}{control}")).contains("c: is there twice"));
    }
}
