//! Settings of a system under test that a user may choose: `--settings isolation=repeatable-read`.

use std::collections::BTreeMap;

/// One setting that a system has.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name, in lower case.
    pub name: &'static str,
    /// What it decides, in one sentence.
    pub about: &'static str,
    /// What it may be; the first is the default.
    pub values: &'static [&'static str],
}

/// What cannot be set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not of the form `NAME=VALUE`.
    #[error("{0:?} is no setting\nhint: NAME=VALUE, several by comma")]
    Form(String),
    /// No setting of this system.
    #[error("the system has no setting {name:?}\nhint: {known}")]
    Name {
        /// As given.
        name: String,
        /// What it has.
        known: String,
    },
    /// No value of this setting.
    #[error("{name} cannot be {value:?}\nhint: {known}")]
    Value {
        /// The setting.
        name: &'static str,
        /// As given.
        value: String,
        /// What it may be.
        known: String,
    },
}

/// The settings of one run: all that the system has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<&'static str, &'static str>);

impl Settings {
    /// What a user wrote, completed by the defaults.
    pub fn parse(text: &str, declared: &'static [Setting]) -> Result<Settings, SettingsError> {
        let mut settings: BTreeMap<_, _> =
            declared.iter().map(|it| (it.name, it.values[0])).collect();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) =
                part.split_once('=').ok_or_else(|| SettingsError::Form(part.to_owned()))?;
            let setting = declared.iter().find(|it| it.name == name).ok_or_else(|| {
                let names: Vec<_> = declared.iter().map(|it| it.name).collect();
                let known = match names.is_empty() {
                    true => "it has none".to_owned(),
                    false => format!("it has {}", names.join(", ")),
                };
                SettingsError::Name { name: name.to_owned(), known }
            })?;
            let value = setting.values.iter().find(|&&it| it == value).ok_or_else(|| {
                let (value, known) = (value.to_owned(), setting.values.join(", "));
                SettingsError::Value { name: setting.name, value, known }
            })?;
            settings.insert(setting.name, value);
        }
        Ok(Settings(settings))
    }

    /// The value of a setting that the system declares; empty for any other.
    pub fn get(&self, name: &str) -> &'static str {
        self.0.get(name).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECLARED: &[Setting] = &[
        Setting { name: "isolation", about: "", values: &["serializable", "read-committed"] },
        Setting { name: "synchronous", about: "", values: &["off", "on"] },
    ];

    #[test]
    fn what_is_not_given_is_the_default() {
        let settings = Settings::parse("synchronous=on", DECLARED).unwrap();
        assert_eq!(settings.get("isolation"), "serializable");
        assert_eq!(settings.get("synchronous"), "on");
    }

    #[test]
    fn what_is_not_declared_is_refused_with_what_is() {
        let refused = |text| Settings::parse(text, DECLARED).unwrap_err().to_string();
        assert!(refused("level=high").ends_with("hint: it has isolation, synchronous"));
        assert!(refused("synchronous=maybe").ends_with("hint: off, on"));
        assert!(refused("on").ends_with("hint: NAME=VALUE, several by comma"));
        let none = Settings::parse("a=b", &[]).unwrap_err().to_string();
        assert!(none.ends_with("hint: it has none"));
    }
}
