//! The live line: how the run goes, while it goes.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use workloads::checker::Verdict;

use crate::report::terminal::{Colour, verdict_word};
use crate::report::words;

/// Where the output is no terminal, a line this often is enough.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);

/// What the live line shows.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveNumbers {
    /// Since the run began.
    pub elapsed: Duration,
    /// When the workload will end, if it has a time limit.
    pub time_limit: Option<Duration>,
    /// Successful operations per second, lately.
    pub ops_per_second: f64,
    /// Median latency, lately.
    pub p50: Option<Duration>,
    /// 99th percentile of the latency, lately.
    pub p99: Option<Duration>,
    /// The faults in force, in words, such as `partition: majorities-ring`; empty if none.
    pub faults: Vec<String>,
    /// The verdict so far, if a checker runs along.
    pub verdict: Option<Verdict>,
}

/// How the line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveMode {
    /// Rewrites one line of a terminal.
    Rewrite(Colour),
    /// Plain lines, one every five seconds and one when the fault in force changes.
    Lines,
}

/// Renders [`LiveNumbers`] again and again.
#[derive(Debug)]
pub struct LiveLine {
    mode: LiveMode,
    shown: Option<LiveNumbers>,
}

impl LiveMode {
    /// For a stream: rewriting only on a terminal.
    pub fn for_stream(stream: &impl IsTerminal) -> LiveMode {
        if stream.is_terminal() {
            LiveMode::Rewrite(Colour::for_stream(stream))
        } else {
            LiveMode::Lines
        }
    }
}

impl LiveLine {
    /// Nothing shown yet.
    pub fn new(mode: LiveMode) -> LiveLine {
        LiveLine { mode, shown: None }
    }

    /// Shows the numbers, where it is time to. May be called as often as one likes.
    pub fn update(&mut self, out: &mut impl Write, numbers: &LiveNumbers) -> io::Result<()> {
        match self.mode {
            // Return, clear; wrapping is off while we write, so a long line is cut and not doubled.
            LiveMode::Rewrite(colour) => {
                write!(out, "\r\x1b[2K\x1b[?7l{}\x1b[?7h", line(numbers, colour))?;
            }
            LiveMode::Lines => {
                let due = self.shown.as_ref().is_none_or(|shown| {
                    numbers.elapsed >= shown.elapsed + PLAIN_INTERVAL
                        || numbers.faults != shown.faults
                        || numbers.verdict != shown.verdict
                });
                if !due {
                    return Ok(());
                }
                writeln!(out, "{}", line(numbers, Colour::Never))?;
            }
        }
        self.shown = Some(numbers.clone());
        out.flush()
    }

    /// Removes the line, so that other output can follow; the next update brings it back.
    pub fn clear(&mut self, out: &mut impl Write) -> io::Result<()> {
        if let (LiveMode::Rewrite(_), Some(_)) = (self.mode, &self.shown) {
            write!(out, "\r\x1b[2K")?;
            out.flush()?;
        }
        Ok(())
    }
}

/// `12 s of 60 s | 1,204 ops/s | p50 1.2 ms, p99 8.4 ms | fault: partition | valid so far`
fn line(numbers: &LiveNumbers, colour: Colour) -> String {
    let nanoseconds = |duration: Duration| duration.as_nanos() as u64;
    let time = match numbers.time_limit {
        Some(limit) => format!("{} s of {} s", numbers.elapsed.as_secs(), limit.as_secs()),
        None => format!("{} s", numbers.elapsed.as_secs()),
    };
    let latency = match (numbers.p50, numbers.p99) {
        (Some(p50), Some(p99)) => format!(
            "p50 {}, p99 {}",
            words::duration(nanoseconds(p50)),
            words::duration(nanoseconds(p99))
        ),
        _ => "no success lately".to_owned(),
    };
    let fault = match numbers.faults.as_slice() {
        [] => "no fault".to_owned(),
        faults => format!("fault: {}", faults.join(", ")),
    };
    let verdict = match numbers.verdict {
        None => "not judged yet".to_owned(),
        Some(verdict) => {
            format!("{} so far", colour.verdict(verdict, &verdict_word(verdict).to_lowercase()))
        }
    };
    format!(
        "{time} | {} ops/s | {latency} | {fault} | {verdict}",
        words::count(numbers.ops_per_second.max(0.0).round() as u64)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn numbers(seconds: u64, faults: &[&str]) -> LiveNumbers {
        LiveNumbers {
            elapsed: Duration::from_secs(seconds),
            time_limit: Some(Duration::from_secs(60)),
            ops_per_second: 1204.4,
            p50: Some(Duration::from_micros(1200)),
            p99: Some(Duration::from_micros(8400)),
            faults: faults.iter().map(|&fault| fault.to_owned()).collect(),
            verdict: None,
        }
    }

    #[test]
    fn plain_lines_come_every_five_seconds_and_when_the_fault_changes() {
        let mut out = Vec::new();
        let mut live = LiveLine::new(LiveMode::Lines);
        for second in 0..12 {
            let faults: &[&str] = if second >= 7 { &["pause n3"] } else { &[] };
            live.update(&mut out, &numbers(second, faults)).unwrap();
        }
        expect![[r#"
            0 s of 60 s | 1,204 ops/s | p50 1.2 ms, p99 8.4 ms | no fault | not judged yet
            5 s of 60 s | 1,204 ops/s | p50 1.2 ms, p99 8.4 ms | no fault | not judged yet
            7 s of 60 s | 1,204 ops/s | p50 1.2 ms, p99 8.4 ms | fault: pause n3 | not judged yet
        "#]]
        .assert_eq(&String::from_utf8(out).unwrap());
    }

    #[test]
    fn a_terminal_line_is_rewritten_and_can_be_cleared() {
        let mut out = Vec::new();
        let mut live = LiveLine::new(LiveMode::Rewrite(Colour::Never));
        live.update(&mut out, &numbers(1, &[])).unwrap();
        live.clear(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("\r\x1b[2K\x1b[?7l1 s of 60 s | "));
        assert!(text.ends_with("\x1b[?7h\r\x1b[2K"));
        assert!(!text.contains('\n'));
    }
}
