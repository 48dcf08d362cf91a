//! `index.html`: every finding with its explanation, and its control beside it.

use maud::{Markup, html};
use workloads::checker::Verdict;

use super::seen::{Seen, SeenRow, Shown, Status};
use super::table::Expected;
use crate::exit_code;
use crate::plural::counted;
use crate::report::html::{verdict_class, verdict_mark};
use crate::suite::{ending, page, report_link, sign};

/// The text of the page.
pub(super) fn render(seen: &Seen) -> String {
    page(
        "Findings",
        html! {
            (hero(seen))
            (table(seen))
            @for row in seen.rows.iter().filter(|row| row.row.expected == Expected::Invalid) {
                (finding(seen, row))
            }
        },
        &format!("Breakwater {}, seed {}", seen.version, seen.seed),
    )
}

fn hero(seen: &Seen) -> Markup {
    let count = |status| seen.rows.iter().filter(|row| row.status == status).count() as u64;
    let (verdict, headline) = match seen.exit_code() {
        exit_code::VALID => (Verdict::Valid, "As expected"),
        exit_code::UNKNOWN => (Verdict::Unknown, "Nothing could be run"),
        _ if count(Status::NotAsExpected) == 0 => (Verdict::Unknown, "Not finished"),
        _ => (Verdict::Invalid, "Not as expected"),
    };
    html! {
        header class={ "hero " (verdict_class(verdict)) } {
            p.run { "Breakwater findings" }
            div.verdict {
                (verdict_mark(verdict))
                h1 {
                    (headline)
                    span.what { (seen.started.replace('T', " ").replace('Z', " UTC")) }
                }
            }
            p.summary {
                (counted(seen.rows.len() as u64, "row")) ": "
                (count(Status::AsExpected)) " as expected, "
                (count(Status::NotAsExpected)) " not, "
                (count(Status::Skipped)) " skipped, "
                (count(Status::NotRun)) " not run."
            }
            p.note {
                "What is published or documented about systems of others, made again on this machine, and \
                 beside it what shows that it is the system or its settings, and not the harness. What a \
                 system documents is its behaviour, not a defect."
            }
        }
    }
}

fn table(seen: &Seen) -> Markup {
    html! {
        section #rows {
            h2 { "All rows" }
            div.scroll tabindex="0" role="region" aria-label="all rows" {
                table {
                    thead { tr {
                        th { "row" } th { "system" } th { "workload" } th { "faults" } th { "settings" }
                        th { "expected" } th { "seen" }
                    } }
                    tbody {
                        @for row in &seen.rows {
                            tr {
                                th scope="row" {
                                    @match row.row.expected {
                                        Expected::Invalid => a href={ "#" (row.row.name) } { (row.row.name) },
                                        Expected::Valid => (row.row.name),
                                    }
                                }
                                td { (row.row.system) } td { (row.row.workload) }
                                td { (row.row.faults.replace(',', ", ")) }
                                td { (row.row.settings.replace(',', ", ")) }
                                td { (expected(row)) }
                                (outcome(row))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn expected(row: &SeenRow) -> &'static str {
    match row.row.expected {
        Expected::Valid => "valid",
        Expected::Invalid => "invalid",
    }
}

/// Green where it is as expected, whatever was expected.
fn outcome(row: &SeenRow) -> Markup {
    let verdict = match row.status {
        Status::AsExpected => Verdict::Valid,
        Status::NotAsExpected => Verdict::Invalid,
        Status::Skipped | Status::NotRun => Verdict::Unknown,
    };
    html! {
        td class=(verdict_class(verdict)) {
            span.cell-verdict {
                (sign(verdict)) " "
                @match row.status {
                    Status::AsExpected => "as expected",
                    Status::NotAsExpected => "not as expected",
                    Status::Skipped => "skipped",
                    Status::NotRun => "not run",
                }
            }
            @if let Some(reason) = &row.reason { span.small { (reason) } }
            @for run in &row.runs {
                span.small {
                    @match &run.folder {
                        Some(folder) => a href=(report_link(folder)) { (ending(run.exit_code).1) },
                        None => (ending(run.exit_code).1),
                    }
                    ", seed " (run.seed) ", " (format!("{:.0} s", run.seconds))
                }
            }
        }
    }
}

/// A finding, and its control.
fn finding(seen: &Seen, row: &SeenRow) -> Markup {
    let control = seen.rows.iter().find(|other| other.row.name == row.row.control);
    let tone = match row.status {
        Status::NotAsExpected => Verdict::Invalid,
        Status::AsExpected => Verdict::Valid,
        Status::Skipped | Status::NotRun => Verdict::Unknown,
    };
    html! {
        section #(row.row.name) {
            h2 { (row.row.name) }
            article class={ "failure " (verdict_class(tone)) } {
                h3 { (row.row.what) }
                @if let Some(origin) = row.row.origin {
                    p { (origin.words()) ": " a href=(row.row.source) rel="noreferrer" { (row.row.source) } }
                }
                p.command { code { (row.command) } }
                p { (times(row)) @if !row.row.rate.is_empty() { " When it was written down: " (row.row.rate) "." } }
                @if let Some(shown) = &row.shown { (explained(row, shown)) }
            }
            @if let Some(control) = control { (beside(control)) }
            @else { p.note { "Its control, " (row.row.control) ", was not asked for." } }
        }
    }
}

fn explained(row: &SeenRow, shown: &Shown) -> Markup {
    let folder = row.runs.get(shown.run).and_then(|run| run.folder.as_deref());
    html! {
        p { strong { (row.row.check) ": " (shown.summary) } }
        @if !shown.operations.is_empty() {
            ul.plain { @for operation in &shown.operations { li { (operation) } } }
        }
        ol.explanation { @for step in &shown.explanation { li { (step) } } }
        @if let Some(folder) = folder { p { a href=(report_link(folder)) { "Report" } } }
    }
}

fn beside(control: &SeenRow) -> Markup {
    html! {
        p {
            strong { "Beside it, " (control.row.name) ": " }
            (control.row.what) " " (times(control))
        }
        p.command { code { (control.command) } }
    }
}

fn times(row: &SeenRow) -> String {
    match row.status {
        Status::Skipped => row.reason.clone().unwrap_or_default(),
        Status::NotRun => "Not run.".to_owned(),
        Status::AsExpected | Status::NotAsExpected => {
            let runs = counted(row.runs.len() as u64, "run");
            format!(
                "{} in {} of {runs}.",
                crate::report::words::sentence(expected(row)),
                row.hits()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::rows;
    use super::*;

    #[test]
    fn the_page_has_findings_with_source_explanation_and_control() {
        let rows: Vec<SeenRow> = rows()
            .unwrap()
            .into_iter()
            .map(|row| SeenRow::new(row, "harness --system <x>".to_owned()))
            .collect();
        let mut seen = Seen::new("2026-11-22T02:00:00Z".to_owned(), 7, rows);
        let row = seen.rows.iter_mut().find(|row| row.row.expected == Expected::Invalid).unwrap();
        let (name, source, control) =
            (row.row.name.clone(), row.row.source.clone(), row.row.control.clone());
        row.status = Status::AsExpected;
        row.shown = Some(Shown {
            run: 0,
            summary: "found 7 lost-element".to_owned(),
            operations: vec!["A: add 1 (process 3 on n1)".to_owned()],
            explanation: vec!["A added <1>.".to_owned()],
        });
        let page = render(&seen);
        for part in [
            format!("id=\"{name}\""),
            format!("href=\"{source}\""),
            format!("Beside it, {control}: "),
            "A added &lt;1&gt;.".to_owned(),
            "found 7 lost-element".to_owned(),
            "harness --system &lt;x&gt;".to_owned(),
            "Not finished".to_owned(),
        ] {
            assert!(page.contains(&part), "{part} is not in {page}");
        }
    }
}
