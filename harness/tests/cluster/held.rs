//! Runs whose nodes are kept, and commands beside them.

use crate::TestFn;
use crate::binary::{Place, Skipped};

pub(crate) const TESTS: &[(&str, TestFn)] = &[
    ("held::commands_reach_the_nodes_namespaces", || commands_reach_the_nodes("namespaces")),
    ("held::commands_reach_the_nodes_loopback", || commands_reach_the_nodes("loopback")),
];

fn commands_reach_the_nodes(platform: &str) -> Result<(), Skipped> {
    let place = Place::new();
    let arguments = [
        "--nodes",
        "3",
        "--faults",
        "none",
        "--time-limit",
        "3s",
        "--hold",
        "--platform",
        platform,
    ];
    let mut running = place.start(&arguments).await_operations()?;
    running.await_stderr("the nodes are kept until Ctrl-C");
    let run = place.only_run();
    let ctl = |arguments: &[&str]| {
        let exec = ["exec", run.path(), "--", "server", "ctl"];
        place.expect_run(0, &[&exec, arguments].concat())
    };
    ctl(&["put", "by hand", "seen"])?;
    let got = ctl(&["get", "by hand"])?;
    assert!(got.stdout.contains("seen"), "{}", got.stdout);
    let environment = place.expect_run(0, &["exec", run.path(), "--", "env"])?;
    assert!(environment.stdout.contains("BREAKWATER_ENDPOINTS="), "{}", environment.stdout);
    place.expect_run(7, &["exec", run.path(), "--", "sh", "-c", "exit 7"])?;

    running.interrupt();
    running.wait().assert_code(0);
    let late = place.expect_run(254, &["exec", run.path(), "--", "true"])?;
    assert!(late.stderr.contains("is not running\nhint: "), "{}", late.stderr);
    place.assert_nothing_runs();
    Ok(())
}
