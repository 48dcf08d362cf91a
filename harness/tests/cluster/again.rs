//! Scenarios, and runs that are repeated, compared and looked up.

use std::fs;

use crate::TestFn;
use crate::binary::{Place, Skipped};

pub(crate) const TESTS: &[(&str, TestFn)] = &[
    ("again::a_scenario_is_run_replayed_and_compared", a_scenario_is_run_replayed_and_compared),
    ("again::a_scenario_that_cannot_be_run", a_scenario_that_cannot_be_run),
];

const SCENARIO: &str = "\
format = 1

[options]
nodes = 3
time-limit = \"8s\"
keys = 1

[[step]]
at = \"2s\"
for = \"2s\"
fault = \"pause\"
variant = \"one\"
seed = \"7\"
";

fn a_scenario_is_run_replayed_and_compared() -> Result<(), Skipped> {
    let place = Place::new();
    fs::write(place.path().join("pause.toml"), SCENARIO).expect("the folder is ours");
    place.expect_run(0, &["--scenario", "pause.toml", "--rate", "100", "--seed", "1"])?;
    let run = place.only_run();
    run.assert_valid();
    let paused = run.installed("pause");
    assert_eq!(paused.len(), 1);
    let options = &run.json("run.json")["options"];
    // The command line wins over the scenario, which wins over the defaults.
    assert_eq!((&options["rate"], &options["nodes"]), (&100.0.into(), &3.into()));
    assert!(run.text("roles.jsonl").lines().count() > 5);

    let replayed = place.run(&["replay", run.path()]);
    replayed.assert_code(0);
    for line in ["verdict        the same: valid", "faults         the same: 1 pause"] {
        assert!(replayed.stdout.contains(line), "{}", replayed.stdout);
    }
    let compared = place.run(&["compare", run.path(), run.path(), "--page", "compared.html"]);
    compared.assert_code(0);
    assert!(compared.stdout.contains("throughput"), "{}", compared.stdout);
    assert!(place.path().join("compared.html").exists());
    let shrunk = place.run(&["shrink", run.path()]);
    shrunk.assert_code(254);
    assert!(shrunk.stderr.contains("there is nothing to shrink"), "{}", shrunk.stderr);
    Ok(())
}

fn a_scenario_that_cannot_be_run() -> Result<(), Skipped> {
    let place = Place::new();
    let step = "[[step]]\nat = \"3s\"\nfor = \"2s\"\nfault = \"kill\"\n";
    for (text, words) in [
        ("format = 9", "format 9 is not"),
        ("format = 1\n[options]\nkettle = 3", "--kettle"),
        (&format!("format = 1\n{step}variant = \"sideways\""), "hint: one of "),
        (&format!("format = 1\n[options]\ntime-limit = \"4s\"\n{step}"), "hint: --time-limit 5s"),
        (&format!("format = 1\n{step}{step}"), "begins while the one before it lasts"),
    ] {
        fs::write(place.path().join("x.toml"), text).expect("the folder is ours");
        let ended = place.expect_run(254, &["--scenario", "x.toml"])?;
        assert!(ended.stderr.contains(words), "{text}: {}", ended.stderr);
    }
    let absent = place.expect_run(254, &["--scenario", "absent.toml"])?;
    assert!(absent.stderr.starts_with("error: read scenario absent.toml"), "{}", absent.stderr);
    let both = place.expect_run(254, &["--scenario", "x.toml", "--faults", "kill"])?;
    assert!(both.stderr.contains("error: "), "{}", both.stderr);
    Ok(())
}
