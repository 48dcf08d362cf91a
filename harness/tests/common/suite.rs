//! Runs tests one after the other, with the flags of `cargo test` that matter.

use std::process::exit;
use std::time::Instant;

use super::skip;

/// A test.
pub(crate) struct Test {
    /// `file::behaviour`, or whatever filters may find it by.
    pub(crate) name: String,
    /// What it does. A panic is a failure.
    pub(crate) run: Box<dyn Fn() -> Outcome>,
}

/// How a test ended.
pub(crate) enum Outcome {
    /// With measurements, a line each.
    Passed(Vec<String>),
    /// This machine lacks what it needs.
    Skipped(String),
    /// Why.
    Failed(String),
}

/// Runs every test whose name holds one of the filters. Does not return.
pub(crate) fn run(tests: impl Iterator<Item = Test>, flags: &[&str]) -> ! {
    let filters: Vec<&str> = flags.iter().copied().filter(|flag| !flag.starts_with("--")).collect();
    let exact = flags.contains(&"--exact");
    let list = flags.contains(&"--list");
    let (mut passed, mut skipped, mut failed) = (0, Vec::new(), Vec::new());
    for Test { name, run } in tests {
        let wanted = |filter: &&str| if exact { name == *filter } else { name.contains(filter) };
        if !filters.is_empty() && !filters.iter().any(wanted) {
            continue;
        }
        if list {
            say(&format!("{name}: test"));
            continue;
        }
        let start = Instant::now();
        // The panic's message is on stderr by then.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
            .unwrap_or_else(|_| Outcome::Failed("it panicked".to_owned()));
        match outcome {
            Outcome::Passed(measurements) => {
                passed += 1;
                for line in measurements {
                    say(&format!("    {line}"));
                }
                say(&format!("test {name} ... ok ({} ms)", start.elapsed().as_millis()));
            }
            Outcome::Skipped(reason) => {
                skip::record(&name, &reason);
                say(&format!("test {name} ... skipped: {reason}"));
                if skip::is_forbidden() {
                    failed.push(name.clone());
                }
                skipped.push(format!("skipped: {name}: {reason}"));
            }
            Outcome::Failed(why) => {
                say(&format!("test {name} ... FAILED\n{why}"));
                failed.push(name);
            }
        }
    }
    if !list {
        let counts = format!("{passed} passed, {} skipped, {} failed", skipped.len(), failed.len());
        let failed = failed.iter().map(|name| format!("failed: {name}"));
        let lines: Vec<String> = skipped.into_iter().chain(failed.clone()).collect();
        say(&format!("\n{}{counts}", lines.iter().map(|l| format!("{l}\n")).collect::<String>()));
        exit(if failed.len() == 0 { 0 } else { 101 })
    }
    exit(0)
}

#[expect(clippy::print_stdout, reason = "a test runner reports on stdout")]
fn say(line: &str) {
    println!("{line}");
}
