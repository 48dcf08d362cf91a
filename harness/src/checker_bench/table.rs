//! The numbers for people.

use std::fmt::Write;

use serde::Serialize;
use workloads::checker::Verdict;

use super::case::Measured;
use super::grid::Case;
use super::porcupine::Answer;
use crate::plural::count;

/// A case with what it took.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) case: Case,
    /// What was measured.
    pub(super) measured: Option<Measured>,
    /// Why nothing was.
    pub(super) failure: Option<String>,
    /// What porcupine says of the same history.
    pub(super) porcupine: Option<Answer>,
    /// On the last of cases that differ in size only: the exponent of the time's growth.
    pub(super) growth: Option<f64>,
}

impl Row {
    /// A case without its growth.
    pub(super) fn new(
        case: Case,
        measured: Result<Measured, String>,
        porcupine: Option<Answer>,
    ) -> Row {
        let failure = measured.as_ref().err().cloned();
        Row { case, measured: measured.ok(), failure, porcupine, growth: None }
    }

    /// The verdict that the construction makes certain.
    pub(super) fn expected(&self) -> Verdict {
        if self.case.violation.is_some() { Verdict::Invalid } else { Verdict::Valid }
    }

    /// What the checker said.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.measured.as_ref()?.verdict
    }

    /// Whether it is unknown and may be so: registers do not tell the order of their versions, so
    /// that not everything that is wrong can be proved.
    pub(super) fn is_open(&self) -> bool {
        self.case.model == "rw-register"
            && self.case.violation.is_some()
            && self.verdict() == Some(Verdict::Unknown)
    }

    /// Whether it said the opposite.
    pub(super) fn is_wrong(&self) -> bool {
        self.verdict().is_some_and(|it| it != Verdict::Unknown && it != self.expected())
    }
}

fn head() -> String {
    format!(
        "{:<15} {:<28} {:<22} {:>12} {:>7} {:>5} {:>4} {:>9} {:>7} {:>7} {:>8} {:>8} {:>7}",
        "model",
        "property",
        "history",
        "operations",
        "clients",
        "crash",
        "keys",
        "verdict",
        "CPU s",
        "us/op",
        "history",
        "peak",
        "growth"
    )
}

/// One line, while the rest goes on.
pub(super) fn line(row: &Row) -> String {
    let case = &row.case;
    let mut text = format!(
        "{:<15} {:<28} {:<22} {:>12} {:>7} {:>4}% {:>4}",
        case.model,
        case.property,
        case.violation.as_deref().unwrap_or("valid"),
        count(case.operations as u64),
        case.concurrency,
        case.crash_rate * 100.0,
        case.keys,
    );
    // Writing to a string cannot fail.
    let _ = match &row.measured {
        None => write!(text, "  {}", row.failure.as_deref().unwrap_or("not measured")),
        Some(measured) => write_measured(&mut text, row, measured),
    };
    text
}

fn write_measured(text: &mut String, row: &Row, measured: &Measured) -> std::fmt::Result {
    let verdict = match measured.verdict {
        None => "-",
        Some(Verdict::Valid) => "valid",
        Some(Verdict::Invalid) => "invalid",
        Some(Verdict::Unknown) => "unknown",
    };
    write!(
        text,
        " {verdict:>9} {:>7.3} {:>7.2} {:>5} MB {:>5} MB {:>7}",
        measured.cpu_seconds,
        measured.cpu_seconds * 1e6 / measured.operations.max(1) as f64,
        measured.history_bytes >> 20,
        measured.peak_bytes >> 20,
        row.growth.map_or("-".to_owned(), |it| format!("{it:.2}")),
    )?;
    match row.porcupine {
        None => {}
        Some(Answer::GaveUp) => write!(text, "  porcupine gave up")?,
        Some(Answer::Judged { verdict, .. }) if Some(verdict) != measured.verdict => {
            write!(text, "  porcupine says the opposite")?;
        }
        Some(Answer::Judged { cpu_seconds, .. }) => {
            let ratio = cpu_seconds / measured.cpu_seconds.max(1e-6);
            write!(text, "  porcupine {ratio:.1} times as long")?;
        }
    }
    if row.is_wrong() {
        write!(text, "  WRONG: {}", measured.summary)?;
    } else if measured.verdict.is_none() || measured.verdict == Some(Verdict::Unknown) {
        write!(text, "  {}", measured.summary)?;
    }
    Ok(())
}

/// The whole table.
pub(super) fn table(rows: &[Row], missing: &[String], porcupine: Option<&str>) -> String {
    let mut text = format!("{}\n", head());
    for row in rows {
        text.push_str(&line(row));
        text.push('\n');
    }
    let wrong = rows.iter().filter(|it| it.is_wrong()).count();
    let right = rows.iter().filter(|it| it.verdict() == Some(it.expected())).count();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "\n{right} of {} verdicts as constructed, {wrong} wrong, {} without one",
        rows.len(),
        rows.len() - right - wrong
    );
    if let Some(highest) = rows.iter().filter_map(|it| it.growth).max_by(f64::total_cmp) {
        let _ = writeln!(text, "the time grows with the size to the power of {highest:.2} at most");
    }
    if !missing.is_empty() {
        let _ = writeln!(text, "no checker of: {}", missing.join(", "));
    }
    let _ = match porcupine {
        Some(path) => writeln!(text, "porcupine: {path}"),
        None => {
            writeln!(
                text,
                "porcupine: no program of this name on the PATH, nothing to compare\n\
                 hint: workloads/PERFORMANCE.md says how to build it"
            )
        }
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(violation: Option<&str>, verdict: Verdict) -> Row {
        let case = Case {
            model: "queue".to_owned(),
            property: "linearizable".to_owned(),
            violation: violation.map(str::to_owned),
            operations: 10_000,
            concurrency: 10,
            crash_rate: 0.01,
            keys: 1,
            seed: 1,
        };
        let measured = Measured {
            verdict: Some(verdict),
            summary: "no order".to_owned(),
            operations: 10_000,
            cpu_seconds: 0.25,
            history_bytes: 3 << 20,
            peak_bytes: 5 << 20,
        };
        Row::new(case, Ok(measured), None)
    }

    #[test]
    fn a_line_ends_with_what_porcupine_says() {
        let with = |answer| line(&Row { porcupine: Some(answer), ..row(None, Verdict::Valid) });
        let judged = |verdict| Answer::Judged { verdict, cpu_seconds: 5.0 };
        assert!(with(judged(Verdict::Valid)).ends_with("porcupine 20.0 times as long"));
        assert!(with(judged(Verdict::Invalid)).ends_with("porcupine says the opposite"));
        assert!(with(Answer::GaveUp).ends_with("porcupine gave up"));
    }

    #[test]
    fn a_wrong_verdict_is_said_aloud() {
        assert!(!line(&row(Some("fifo-swap"), Verdict::Invalid)).contains("WRONG"));
        assert!(line(&row(Some("fifo-swap"), Verdict::Valid)).contains("WRONG"));
        assert!(line(&row(None, Verdict::Invalid)).contains("WRONG"));
    }

    #[test]
    fn columns_are_in_line() {
        let (head, line) = (head(), line(&row(None, Verdict::Valid)));
        for (title, cell) in [
            (" operations", " 10,000"),
            (" clients", " 10"),
            (" crash", " 1%"),
            (" verdict", "    valid"),
            (" CPU s", " 0.250"),
            (" us/op", " 25.00"),
            (" peak", " 5 MB"),
        ] {
            let end = |text: &str, part: &str| text.rfind(part).map(|at| at + part.len());
            let from = line.find(" 10,000").unwrap_or(0);
            let cell_end = end(&line[..], cell).filter(|&it| it >= from);
            assert_eq!(end(&head, title), cell_end, "{title}: {line}");
        }
        assert_eq!(head.len(), line.len());
    }

    #[test]
    fn the_table_says_what_is_missing() {
        let rows = [row(None, Verdict::Valid), row(Some("fifo-swap"), Verdict::Unknown)];
        let text = table(&rows, &["stack linearizable".to_owned()], None);
        assert!(text.contains("1 of 2 verdicts as constructed, 0 wrong, 1 without one"), "{text}");
        assert!(text.contains("no checker of: stack linearizable"), "{text}");
        assert!(text.contains("porcupine: no program of this name"), "{text}");
    }
}
