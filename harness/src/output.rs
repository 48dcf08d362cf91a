//! Text for the user. A reader that went away (`harness list faults | head -1`) is no failure.

use std::io::{ErrorKind, Write};

/// Results, to stdout.
pub fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            note(&format!("error: write to stdout: {error}"));
        }
        Ok(()) | Err(_) => {}
    }
}

/// A line that is no result, to stderr.
pub fn note(line: &str) {
    // There is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// An error with its causes, each told once: some messages hold their cause already.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Told {
        text: &'static str,
        source: std::io::Error,
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = |text| Told { text, source: std::io::Error::other("no space left") };
        assert_eq!(chain(&error("write x")), "write x: no space left");
        assert_eq!(
            chain(&error("write x: no space left\nhint: y")),
            "write x: no space left\nhint: y"
        );
    }
}
