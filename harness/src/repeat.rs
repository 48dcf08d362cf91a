//! The command line again, for the same run or for one of several.

use std::ffi::{OsStr, OsString};

/// The arguments of this process without `--seed` and `--runs`.
pub fn arguments() -> Vec<OsString> {
    without_seed_and_runs(std::env::args_os().skip(1))
}

/// The command that repeats a run with this seed, as one types it into a shell.
pub fn command(seed: u64) -> String {
    let mut words: Vec<String> = arguments().iter().map(|argument| quoted(argument)).collect();
    words.push(format!("--seed {seed}"));
    with_arguments(&words)
}

/// The command of a run with these arguments, by this build.
pub(crate) fn with_arguments(arguments: &[String]) -> String {
    let mut words = vec!["cargo run -p harness"];
    let features = match (cfg!(feature = "planted-bugs"), cfg!(feature = "postgres")) {
        (false, false) => None,
        (true, false) => Some("--features planted-bugs"),
        (false, true) => Some("--features postgres"),
        (true, true) => Some("--features planted-bugs,postgres"),
    };
    words.extend(features);
    words.push("--");
    words.extend(arguments.iter().map(String::as_str));
    words.join(" ")
}

fn without_seed_and_runs(mut given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    while let Some(argument) = given.next() {
        let text = argument.to_string_lossy();
        if text == "--seed" || text == "--runs" {
            given.next();
        } else if !text.starts_with("--seed=") && !text.starts_with("--runs=") {
            kept.push(argument);
        }
    }
    kept
}

/// As a shell reads it back. A byte that is no text is lost, which only a path can have.
pub(crate) fn quoted(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=+@%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_and_runs_are_left_out_with_their_values() {
        let given = ["--nodes", "3", "--seed", "7", "--runs=2", "--out", "x", "--seed=9"];
        let kept = without_seed_and_runs(given.into_iter().map(OsString::from));
        assert_eq!(kept, ["--nodes", "3", "--out", "x"]);
    }

    #[test]
    fn what_a_shell_would_change_is_quoted() {
        let shell = |text: &str| quoted(OsStr::new(text));
        assert_eq!(shell("--faults=partition,kill"), "--faults=partition,kill");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("a b;$c"), "'a b;$c'");
        assert_eq!(shell("it's"), r"'it'\''s'");
    }
}
