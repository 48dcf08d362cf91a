//! The `harness` binary from end to end: real clusters, short runs, judged from outside.
//!
//! ```text
//! cargo test ── this program ── harness (in a folder of its own) ── its nodes
//!                    └─ looks at exit codes, the files of the run, and /proc
//! ```
//!
//! Tests run one after the other, because each starts a cluster; what a machine cannot do is
//! skipped, and said at the end (see `common::skip`).

#[path = "../common/mod.rs"]
mod common;

mod again;
mod answers;
mod bad_input;
mod bench;
mod binary;
#[cfg(feature = "planted-bugs")]
mod bugs;
mod ended;
mod held;
mod interrupted;
mod run_folder;
mod valid_runs;

use common::suite::{self, Outcome, Test};

/// A test ends by itself, or says what the machine lacks.
pub(crate) type TestFn = fn() -> Result<(), binary::Skipped>;

const TABLES: &[&[(&str, TestFn)]] = &[
    again::TESTS,
    answers::TESTS,
    bad_input::TESTS,
    bench::TESTS,
    valid_runs::TESTS,
    interrupted::TESTS,
    ended::TESTS,
    held::TESTS,
    #[cfg(feature = "planted-bugs")]
    bugs::TESTS,
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flags: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let tests = TABLES.iter().copied().flatten().map(|&(name, test)| Test {
        name: name.to_owned(),
        run: Box::new(move || match test() {
            Ok(()) => Outcome::Passed(Vec::new()),
            Err(binary::Skipped(reason)) => Outcome::Skipped(reason),
        }),
    });
    suite::run(tests, &flags)
}
