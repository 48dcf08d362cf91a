//! Ctrl-C: the first ends the run well, the second at once.

use std::os::unix::process::CommandExt;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::TestFn;
use crate::binary::{Place, Skipped};

pub(crate) const TESTS: &[(&str, TestFn)] = &[
    ("interrupted::the_first_heals_saves_and_judges", the_first_heals_saves_and_judges),
    ("interrupted::the_second_ends_at_once_namespaces", || second("namespaces")),
    ("interrupted::the_second_ends_at_once_loopback", || second("loopback")),
    ("interrupted::nohup_survives_its_terminal", nohup_survives_its_terminal),
    ("interrupted::no_further_run_is_started", no_further_run_is_started),
];

/// Longer than the gap within which a repeated signal is taken for an echo.
const SECOND_THOUGHTS: Duration = Duration::from_millis(200);

fn the_first_heals_saves_and_judges() -> Result<(), Skipped> {
    let place = Place::new();
    let arguments =
        ["--nodes", "3", "--interval", "20s", "--time-limit", "60s", "--platform", "namespaces"];
    let mut running = place.start(&arguments).await_operations()?;
    running.await_stderr("fault: partition");
    running.interrupt();
    let ended = running.wait();
    let run = place.only_run();
    let results = run.json("results.json");
    let code = results["exit_code"].as_i64().expect("a number");
    // Unknown if nothing succeeded in the short time under the fault.
    assert!([0, 2].contains(&code), "{:#}", results["checks"]);
    ended.assert_code(i32::try_from(code).expect("an exit code"));
    assert_eq!(results["facts"]["interrupted"], true);
    assert_eq!(results["recovery"]["outcome"], "recovered");
    assert_eq!(run.installed("partition").len(), 1, "healed, with evidence");
    let summary = results["summary"].as_str().expect("the summary is text");
    assert!(summary.contains("the run was stopped early"), "{summary}");
    place.expect_run(0, &["check", run.path()])?;
    place.assert_nothing_runs();
    Ok(())
}

/// Nodes that hang keep the first from ending well.
fn second(platform: &str) -> Result<(), Skipped> {
    let place = Place::new();
    let arguments =
        ["--nodes", "3", "--faults", "none", "--time-limit", "60s", "--platform", platform];
    let mut running = place.start(&arguments).await_operations()?;
    let nodes = place.nodes();
    assert!(nodes.len() >= 3, "{nodes:?}");
    for &node in &nodes {
        kill(Pid::from_raw(node), Signal::SIGSTOP).expect("it runs");
    }
    running.interrupt();
    running.await_stderr("again to exit at once");
    std::thread::park_timeout(SECOND_THOUGHTS);
    running.interrupt();
    running.wait().assert_code(130);
    place.assert_nothing_runs();
    Ok(())
}

fn nohup_survives_its_terminal() -> Result<(), Skipped> {
    let place = Place::new();
    let arguments = ["--nodes", "3", "--faults", "none", "--time-limit", "5s"];
    let mut command = place.command(&arguments);
    // SAFETY: signal is async-signal-safe, and SIG_IGN runs no code.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGHUP, libc::SIG_IGN);
            Ok(())
        });
    }
    let running = place.start_command(command).await_operations()?;
    killpg(running.pid(), Signal::SIGHUP).expect("it runs");
    running.wait().assert_code(0);
    assert_eq!(place.only_run().json("results.json")["facts"]["interrupted"], false);
    Ok(())
}

fn no_further_run_is_started() -> Result<(), Skipped> {
    let place = Place::new();
    let arguments = ["--runs", "3", "--nodes", "3", "--faults", "none", "--time-limit", "60s"];
    let running = place.start(&arguments).await_operations()?;
    running.interrupt();
    let ended = running.wait();
    ended.assert_code(0);
    assert!(
        ended.stdout.ends_with(
            "1 run: 1 valid, 0 invalid, 0 unknown, 0 not recovered, 0 harness failures\n"
        ),
        "{}",
        ended.stdout
    );
    assert_eq!(place.only_run().json("results.json")["facts"]["interrupted"], true);
    place.assert_nothing_runs();
    Ok(())
}
