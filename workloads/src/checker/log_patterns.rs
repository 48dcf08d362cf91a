//! Lines of a system's logs that must not be there.
//!
//! Pure, as all checkers: lines come in, findings go out. Who reads the files is the harness.

use regex::{RegexSet, RegexSetBuilder};

/// Patterns that hardly any system means well, for those who have no better ones.
pub const SUSPICIOUS: &[&str] = &[
    r"\bpanicked at\b",
    r"^panic: ",
    r"(?i)\bassertion\b.*\bfailed\b",
    r"(?i)\bsegmentation fault\b|\bSIGSEGV\b|\bSIGABRT\b",
    r"(?i)\bdata (corruption|loss)\b",
    r"(AddressSanitizer|ThreadSanitizer|MemorySanitizer|UndefinedBehaviorSanitizer):",
    r"(?i)\bout of memory\b",
];

/// Findings that are kept; further ones are only counted.
const FINDINGS_MAX: usize = 64;
/// Characters of a line that are kept.
const LINE_CHARS: usize = 400;
/// Memory that all patterns together may take.
const PATTERN_BYTES_MAX: usize = 4 << 20;

/// Patterns that are no regular expressions, or too large.
#[derive(Debug, thiserror::Error)]
#[error("compile the patterns for logs: {source}\nhint: the syntax is that of Rust's regex crate")]
pub struct PatternError {
    #[source]
    source: regex::Error,
}

/// Patterns to look for.
#[derive(Debug)]
pub struct LogPatterns {
    set: RegexSet,
}

/// One line that must not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFinding {
    /// Whose log, such as a node and a file.
    pub source: String,
    /// Number of the line, from 1.
    pub line: u64,
    /// The pattern that it matches; the first, if it matches several.
    pub pattern: String,
    /// The line, cut if it is long.
    pub text: String,
}

/// What was found in all logs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFindings {
    /// Lines that match some pattern.
    pub count: u64,
    /// The first of them.
    pub findings: Vec<LogFinding>,
}

impl LogPatterns {
    /// Patterns in the syntax of the `regex` crate, such as `(?i)panic`.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, PatternError> {
        RegexSetBuilder::new(patterns)
            .size_limit(PATTERN_BYTES_MAX)
            .build()
            .map(|set| Self { set })
            .map_err(|source| PatternError { source })
    }

    /// Looks through the lines of one log, and adds to `findings`.
    pub fn search<'l>(
        &self,
        source: &str,
        lines: impl IntoIterator<Item = &'l str>,
        findings: &mut LogFindings,
    ) {
        for (number, line) in (1_u64..).zip(lines) {
            let Some(pattern) = self.set.matches(line).iter().next() else { continue };
            findings.count += 1;
            if findings.findings.len() < FINDINGS_MAX {
                findings.findings.push(LogFinding {
                    source: source.to_owned(),
                    line: number,
                    pattern: self.set.patterns()[pattern].clone(),
                    text: line.chars().take(LINE_CHARS).collect(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(patterns: &[&str], log: &str) -> LogFindings {
        let mut findings = LogFindings::default();
        let patterns = LogPatterns::new(patterns.iter().copied()).unwrap();
        patterns.search("n1/server.log", log.lines(), &mut findings);
        findings
    }

    #[test]
    fn a_line_is_told_with_its_place_and_pattern() {
        let findings = found(&["^ERROR", "disk"], "fine\nERROR disk full\nfine");
        assert_eq!(findings.count, 1);
        assert_eq!(
            findings.findings,
            [LogFinding {
                source: "n1/server.log".to_owned(),
                line: 2,
                pattern: "^ERROR".to_owned(),
                text: "ERROR disk full".to_owned(),
            }]
        );
    }

    #[test]
    fn suspicious_lines_and_their_look_alikes() {
        for line in [
            "thread 'main' panicked at src/x.rs:3:5:",
            "panic: runtime error: index out of range",
            "x.c:7: assertion `a > b` failed.",
            "Segmentation fault (core dumped)",
            "found DATA CORRUPTION in block 7",
            "==1==ERROR: AddressSanitizer: heap-use-after-free",
        ] {
            assert_eq!(found(SUSPICIOUS, line).count, 1, "{line}");
        }
        for line in ["panic-free since 2020", "checking for data races", "0 assertions ran"] {
            assert_eq!(found(SUSPICIOUS, line).count, 0, "{line}");
        }
    }

    #[test]
    fn many_lines_are_counted_and_long_ones_cut() {
        let log = format!("x{}\n", "y".repeat(1000)).repeat(100);
        let findings = found(&["^x"], &log);
        assert_eq!((findings.count, findings.findings.len()), (100, FINDINGS_MAX));
        assert_eq!(findings.findings[0].text.len(), LINE_CHARS);
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        let error = LogPatterns::new(["("]).unwrap_err();
        assert!(error.to_string().contains("hint:"));
    }
}
