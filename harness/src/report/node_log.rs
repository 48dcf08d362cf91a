//! Lines of node logs, placed on the time axis of the run.

use std::io::{BufRead, BufReader};
use std::path::Path;

/// Lines of each node that are kept: warnings and errors first, then the others, spread over the run.
const LINES_MAX: usize = 400;
/// Lines that are read of one log.
const READ_MAX: usize = 1_000_000;
/// Characters of a line.
const TEXT_MAX: usize = 240;

/// How serious a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Anything else.
    Info,
    /// A warning.
    Warn,
    /// An error, or a panic.
    Error,
}

/// A line of a node's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The node.
    pub node: String,
    /// When, ns since the run began.
    pub time: u64,
    /// How serious.
    pub level: Level,
    /// Without the time.
    pub text: String,
}

/// The lines of the logs `nodes/<node>/log` below `folder`, by time. `began_at` is when the run began,
/// ns since 1970; lines from before it, and lines without a time, are left out.
pub(crate) fn read(folder: &Path, logs: &[String], began_at: Option<u64>) -> Vec<LogLine> {
    let Some(began_at) = began_at else { return Vec::new() };
    let mut all = Vec::new();
    for log in logs.iter().filter(|log| log.ends_with("/log")) {
        let Some(node) = log.split('/').nth(1) else { continue };
        let Ok(file) = std::fs::File::open(folder.join(log)) else { continue };
        let lines = BufReader::new(file).split(b'\n').take(READ_MAX).map_while(Result::ok);
        let lines = lines.filter_map(|line| parse(&String::from_utf8_lossy(&line), node, began_at));
        all.extend(thin(lines.collect()));
    }
    all.sort_by_key(|line| line.time);
    all
}

/// `2026-11-22T13:05:01.123456Z  INFO server::driver: leads in term 4`
fn parse(line: &str, node: &str, began_at: u64) -> Option<LogLine> {
    let (time, rest) = line.split_once(' ')?;
    let time: jiff::Timestamp = time.parse().ok()?;
    let time = u64::try_from(time.as_nanosecond()).ok()?.checked_sub(began_at)?;
    let rest = rest.trim_start();
    let level = match rest.split(' ').next() {
        Some("ERROR") => Level::Error,
        Some("WARN") => Level::Warn,
        Some(_) | None => Level::Info,
    };
    let text = super::words::shorten(rest.trim_end(), TEXT_MAX);
    Some(LogLine { node: node.to_owned(), time, level, text })
}

/// The most serious lines, and of the others every so many.
fn thin(mut lines: Vec<LogLine>) -> Vec<LogLine> {
    if lines.len() <= LINES_MAX {
        return lines;
    }
    let serious = lines.iter().filter(|line| line.level > Level::Info).count();
    let room = LINES_MAX.saturating_sub(serious);
    let others = lines.len() - serious;
    let mut seen = 0;
    lines.retain(|line| {
        if line.level > Level::Info {
            return true;
        }
        seen += 1;
        // Bresenham: exactly `room` of them, evenly.
        seen * room / others > (seen - 1) * room / others
    });
    lines.truncate(LINES_MAX);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGAN: u64 = 1_700_000_000_000_000_000;

    fn line(nanoseconds: u64, rest: &str) -> String {
        let time = jiff::Timestamp::from_nanosecond(i128::from(BEGAN + nanoseconds)).unwrap();
        format!("{time} {rest}")
    }

    #[test]
    fn lines_have_their_time_in_the_run_and_those_without_one_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("nodes/n2")).unwrap();
        let lines = [
            line(2_000, " WARN server: slow"),
            line(1_000, " INFO server: <b>leads</b>"),
            "no time here".to_owned(),
            "2001-01-01T00:00:00Z  INFO before the run".to_owned(),
        ];
        std::fs::write(folder.path().join("nodes/n2/log"), lines.join("\n")).unwrap();
        let read = read(folder.path(), &["nodes/n2/log".to_owned()], Some(BEGAN));
        let told: Vec<(u64, Level, &str)> =
            read.iter().map(|line| (line.time, line.level, line.text.as_str())).collect();
        assert_eq!(
            told,
            [
                (1_000, Level::Info, "INFO server: <b>leads</b>"),
                (2_000, Level::Warn, "WARN server: slow")
            ]
        );
        assert_eq!(read[0].node, "n2");
    }

    #[test]
    fn of_many_lines_the_serious_ones_stay() {
        let line = |number: u64| LogLine {
            node: "n1".to_owned(),
            time: number,
            level: if number.is_multiple_of(1_000) { Level::Error } else { Level::Info },
            text: String::new(),
        };
        let thinned = thin((0..10_000).map(line).collect());
        assert_eq!(thinned.len(), LINES_MAX);
        assert_eq!(thinned.iter().filter(|line| line.level == Level::Error).count(), 10);
        // To the end of the run.
        assert!(thinned.last().unwrap().time > 9_900);
    }
}
