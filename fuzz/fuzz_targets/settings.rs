//! Settings files: read, resolved, checked, and printed as they are in force.

#![no_main]

use libfuzzer_sys::fuzz_target;
use server::bug::Bugs;
use server::Settings;

fuzz_target!(|text: &str| {
    let Ok(settings) = toml::from_str::<Settings>(text) else { return };
    let Ok(config) = settings.resolve(Bugs::NONE) else { return };
    if config.check().is_err() {
        return;
    }
    let printed = Settings::of(&config).to_toml();
    let again: Settings = toml::from_str(&printed).expect("what is printed can be read");
    assert_eq!(again.resolve(Bugs::NONE).expect("it could be resolved before"), config);
});
