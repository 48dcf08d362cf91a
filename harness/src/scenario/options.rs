//! Options of a run as they stand in a scenario: by their long names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Options that say where a run is written and how it is told, not what happens in it; and those that the
/// steps take the place of.
const NOT_KEPT: [&str; 8] =
    ["faults", "hold", "json", "keep-data", "out", "quiet", "runs", "scenario"];

/// Values by long name, without dashes in front.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Options {
    values: BTreeMap<String, toml::Value>,
}

impl Options {
    /// The value of an option as text, if it is set.
    pub fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).and_then(text)
    }

    /// Its value as a number, if it is one.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.parse().ok()
    }

    /// Sets it.
    pub fn set(&mut self, name: &str, value: impl Into<toml::Value>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// Leaves it to its default.
    pub fn unset(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// As on a command line: `--nodes=3`, `--keep-quorum`.
    ///
    /// Returns the name of the first option that cannot stand on one.
    pub fn arguments(&self) -> Result<Vec<String>, String> {
        let mut arguments = Vec::new();
        for (name, value) in &self.values {
            match value {
                _ if NOT_KEPT.contains(&name.as_str()) => return Err(name.clone()),
                toml::Value::Boolean(true) => arguments.push(format!("--{name}")),
                toml::Value::Boolean(false) => {}
                other => match text(other) {
                    Some(text) => arguments.push(format!("--{name}={text}")),
                    None => return Err(name.clone()),
                },
            }
        }
        Ok(arguments)
    }
}

fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(set) => Some(set.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

/// What matters of the options of a run, from its `run.json`.
pub fn of_run(options: &serde_json::Value, seed: u64) -> Options {
    let mut kept = Options::default();
    for (name, value) in options.as_object().into_iter().flatten() {
        let name = name.replace('_', "-");
        if NOT_KEPT.contains(&name.as_str()) {
            continue;
        }
        match value {
            serde_json::Value::Bool(true) => kept.set(&name, true),
            serde_json::Value::String(text) => kept.set(&name, text.clone()),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => kept.set(&name, whole),
                (None, Some(number)) => kept.set(&name, number),
                (None, None) => {}
            },
            serde_json::Value::Bool(false)
            | serde_json::Value::Null
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => {}
        }
    }
    // Text, because an integer of TOML has one bit too few.
    kept.set("seed", seed.to_string());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_run_become_its_command_line_again() {
        let options = serde_json::json!({
            "workload": "set", "faults": "all", "nodes": 3, "rate": 250.5, "keep_quorum": true,
            "hold": true, "bug": null, "time_limit": "1m 30s", "out": "x", "keep_data": false,
        });
        let kept = of_run(&options, u64::MAX);
        assert_eq!(
            kept.arguments().unwrap(),
            [
                "--keep-quorum",
                "--nodes=3",
                "--rate=250.5",
                "--seed=18446744073709551615",
                "--time-limit=1m 30s",
                "--workload=set",
            ]
        );
        assert_eq!(kept.number("nodes"), Some(3.0));
    }

    #[test]
    fn an_option_that_is_none_of_a_scenario_is_named() {
        let mut options = Options::default();
        options.set("out", "elsewhere");
        assert_eq!(options.arguments(), Err("out".to_owned()));
    }
}
