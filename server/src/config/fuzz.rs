//! A door for the fuzzer.

use crate::bug::Bugs;

use super::Settings;

/// Reads text as a settings file; what is in order must be the same after it was printed.
pub fn settings(text: &str) {
    let Ok(settings) = toml::from_str::<Settings>(text) else { return };
    let Ok(config) = settings.resolve(Bugs::NONE) else { return };
    if config.check().is_err() {
        return;
    }
    let printed = Settings::of(&config).to_toml();
    let again: Settings = toml::from_str(&printed).expect("what is printed can be read");
    assert_eq!(again.resolve(Bugs::NONE).expect("it could be resolved before"), config);
}
