//! `index.html`: a night at a glance.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use workloads::checker::Verdict;

use super::coverage;
use super::record::{Case, Record, RunRecord, ending};
use crate::exit_code;
use crate::report::html::{STYLE, verdict_class, verdict_mark};
use crate::report::terminal::verdict_word;
use crate::report::words;

const OWN_STYLE: &str = include_str!("index.css");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
/// Nights in the trend.
const TREND_NIGHTS: usize = 14;

/// The page of all nights, newest first, with the names of their folders.
pub(super) fn render_nights(suite: &str, nights: &[(String, Record)]) -> String {
    page(
        &format!("Suite {suite}"),
        html! {
            section #nights {
                h2 { "Suite " (suite) }
                (nights_table(nights.iter().map(|(name, night)| (night, Some(format!("{name}/index.html"))))))
            }
        },
        "Breakwater",
    )
}

/// A page without scripts.
pub(crate) fn page(title: &str, body: Markup, footer: &str) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body {
                main { (body) }
                footer { (footer) }
            }
        }
    }
    .into_string()
}

/// The text of the page. `earlier` are other nights, newest first, with the names of their folders.
pub(super) fn render(record: &Record, earlier: &[(String, Record)]) -> String {
    let (verdict, _) = ending(record.exit_code());
    let title = format!(
        "{}: {} of {}",
        verdict_word(verdict),
        record.suite,
        &record.started[..10.min(record.started.len())]
    );
    page(
        &title,
        html! {
            (hero(record))
            (failures(record))
            (matrix(record))
            (coverage::section(record))
            (not_run(record))
            (trend(record, earlier))
            (all_runs(record))
        },
        &format!("Breakwater {}, suite seed {}", record.version, record.seed),
    )
}

fn hero(record: &Record) -> Markup {
    let (verdict, word) = ending(record.exit_code());
    let [valid, invalid, other] = record.counts();
    let operations: u64 = record.runs.iter().map(|run| run.operations).sum();
    let faults: u64 = record.runs.iter().map(|run| run.faults_installed).sum();
    let time: f64 = record.runs.iter().map(|run| run.seconds).sum();
    html! {
        header class={ "hero " (verdict_class(verdict)) } {
            p.run { "Breakwater suite " (record.suite) }
            div.verdict {
                (verdict_mark(verdict))
                h1 {
                    (words::sentence(word))
                    span.what { (record.started.replace('T', " ").replace('Z', " UTC")) }
                }
            }
            p.summary {
                (words::counted((valid + invalid + other) as u64, "run")) ": "
                (valid) " valid, " (invalid) " invalid, " (other) " neither. "
                (words::counted(operations, "operation")) " under "
                (words::counted(faults, "fault")) " that were seen to act, in "
                (words::duration((time * 1e9) as u64)) "."
            }
            p.note { (record.about) }
            @if record.finished.is_none() {
                p.badges { span.badge.bad { "not finished" } }
            }
        }
    }
}

fn failures(record: &Record) -> Markup {
    let failed: Vec<&RunRecord> =
        record.runs.iter().filter(|run| !run.repetition && run.exit_code != 0).collect();
    html! {
        @if !failed.is_empty() {
            section #failures {
                h2 { "What was not valid" }
                @for run in failed {
                    article class={ "failure " (verdict_class(ending(run.exit_code).0)) } {
                        h3 { span.word { (ending(run.exit_code).1) } ": " (run.case) ", seed " (run.seed) }
                        p { (run.summary) }
                        @if run.exit_code == exit_code::INVALID {
                            @let (again, times) = record.repetitions(run);
                            p { "With the same inputs again: invalid " (again) " of " (times) " times." }
                        }
                        p.command { code { (run.command) } }
                        @if let Some(folder) = &run.folder {
                            p { a href=(report_link(folder)) { "Report" } }
                        }
                    }
                }
            }
        }
    }
}

/// Rows are workloads with their variants, columns are faults.
fn matrix(record: &Record) -> Markup {
    let mut columns: Vec<&str> = Vec::new();
    let mut rows: Vec<(&str, &str)> = Vec::new();
    for case in &record.cases {
        if !columns.contains(&case.faults.as_str()) {
            columns.push(&case.faults);
        }
        let row = (case.workload.as_str(), case.variant.as_str());
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    html! {
        section #matrix {
            h2 { "Matrix" }
            div.scroll tabindex="0" role="region" aria-label="matrix of workloads and faults" {
                table.matrix {
                    thead { tr {
                        th { "workload" }
                        @for faults in &columns { th scope="col" { (faults.replace(',', ", ")) } }
                    } }
                    tbody {
                        @for (workload, variant) in rows {
                            tr {
                                th scope="row" {
                                    (workload)
                                    @if !variant.is_empty() { span.variant { (variant) } }
                                }
                                @for faults in &columns {
                                    @let case = record.cases.iter().find(|case| {
                                        case.workload == workload && case.variant == variant
                                            && case.faults == *faults
                                    });
                                    (cell(record, case))
                                }
                            }
                        }
                    }
                }
            }
            p.note {
                "A cell: the worst verdict, how many seeds were run, the share of time in which the \
                 system served, the 99th percentile of latency, and the longest time from a heal until \
                 every node had served again."
            }
        }
    }
}

fn cell(record: &Record, case: Option<&Case>) -> Markup {
    let Some(case) = case else { return html! { td.none {} } };
    let runs: Vec<&RunRecord> = record.runs_of(&case.id).collect();
    if runs.is_empty() {
        return html! { td.none { "not run" } };
    }
    let worst = exit_code::worst(runs.iter().map(|run| run.exit_code));
    let (verdict, word) = ending(worst);
    let shown =
        runs.iter().rev().find(|run| run.exit_code == worst).and_then(|it| it.folder.as_deref());
    let seeds = runs.iter().filter(|run| !run.repetition).count();
    let served: Vec<f64> = runs.iter().filter_map(|run| run.availability).collect();
    let p99 = runs.iter().filter_map(|run| run.p99).max();
    let recovery = runs.iter().filter_map(|run| run.recovery).max();
    html! {
        td class=(verdict_class(verdict)) {
            span.cell-verdict {
                (sign(verdict)) " "
                @match shown {
                    Some(folder) => a href=(report_link(folder)) { (word) },
                    None => (word),
                }
            }
            span.small { (words::counted(seeds as u64, "seed")) }
            @if !served.is_empty() {
                span.small {
                    "served " (format!("{:.1} %", 100.0 * served.iter().sum::<f64>() / served.len() as f64))
                }
            }
            @if let Some(p99) = p99 { span.small { "p99 " (words::duration(p99)) } }
            @if let Some(recovery) = recovery { span.small { "back in " (words::duration(recovery)) } }
        }
    }
}

/// A sign of its own for each verdict, for those who see no colours.
pub(crate) fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => "✓",
        Verdict::Unknown => "?",
        Verdict::Invalid => "✕",
    }
}

fn not_run(record: &Record) -> Markup {
    let missing = record.not_run();
    html! {
        @if !missing.is_empty() {
            section #not-run {
                h2 { "Not run for want of time " span.muted { (missing.len()) " of " (record.cases.len()) } }
                ul.plain { @for case in missing { li { (case.id) } } }
            }
        }
    }
}

fn trend(record: &Record, earlier: &[(String, Record)]) -> Markup {
    let others = earlier
        .iter()
        .take(TREND_NIGHTS)
        .map(|(name, night)| (night, Some(format!("../{name}/index.html"))));
    html! {
        @if !earlier.is_empty() {
            section #nights {
                h2 { "Other times" }
                (nights_table(std::iter::once((record, None)).chain(others)))
            }
        }
    }
}

/// A row for each record, with a link to its page.
fn nights_table<'a>(nights: impl Iterator<Item = (&'a Record, Option<String>)>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="other times" {
            table.numbers {
                thead { tr {
                    th { "started" } th { "valid" } th { "invalid" } th { "neither" }
                    th { "not run" } th { "operations" } th { "served" } th { "longest recovery" }
                } }
                tbody { @for (night, link) in nights { (trend_row(night, link)) } }
            }
        }
    }
}

fn trend_row(record: &Record, link: Option<String>) -> Markup {
    let [valid, invalid, other] = record.counts();
    let served: Vec<f64> = record.runs.iter().filter_map(|run| run.availability).collect();
    let recovery = record.runs.iter().filter_map(|run| run.recovery).max();
    let operations: u64 = record.runs.iter().map(|run| run.operations).sum();
    let started = record.started.replace('T', " ").replace('Z', " UTC");
    html! {
        tr class=[link.is_none().then_some("total")] {
            td.word {
                @match link {
                    Some(link) => a href=(link) { (started) },
                    None => { (started) " (this)" },
                }
            }
            td { (valid) } td { (invalid) } td { (other) } td { (record.not_run().len()) }
            td { (words::count(operations)) }
            td {
                @if !served.is_empty() {
                    (format!("{:.1} %", 100.0 * served.iter().sum::<f64>() / served.len() as f64))
                }
            }
            td { @if let Some(recovery) = recovery { (words::duration(recovery)) } }
        }
    }
}

fn all_runs(record: &Record) -> Markup {
    html! {
        section #runs {
            h2 { "All runs" }
            div.scroll tabindex="0" role="region" aria-label="all runs" {
                table {
                    thead { tr {
                        th { "case" } th { "seed" } th { "verdict" } th { "operations" }
                        th { "served" } th { "p99" } th { "recovery" } th { "took" }
                    } }
                    tbody {
                        @for run in &record.runs {
                            tr {
                                th scope="row" { (run.case) @if run.repetition { span.variant { "again" } } }
                                td { (run.seed) }
                                td class=(verdict_class(ending(run.exit_code).0)) {
                                    span.cell-verdict {
                                        (sign(ending(run.exit_code).0)) " "
                                        @match &run.folder {
                                            Some(folder) => a href=(report_link(folder)) { (ending(run.exit_code).1) },
                                            None => (ending(run.exit_code).1),
                                        }
                                    }
                                }
                                td { (words::count(run.operations)) }
                                td { @if let Some(share) = run.availability { (format!("{:.1} %", share * 100.0)) } }
                                td { @if let Some(p99) = run.p99 { (words::duration(p99)) } }
                                td { @if let Some(recovery) = run.recovery { (words::duration(recovery)) } }
                                td { (words::duration((run.seconds * 1e9) as u64)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The report of a run in this folder.
pub(crate) fn report_link(folder: &str) -> String {
    format!("./{folder}/report.html")
}

#[cfg(test)]
mod tests {
    use super::super::record::fixtures::{case, record, run};
    use super::*;

    #[test]
    fn the_page_shows_what_failed_what_was_not_run_and_other_nights() {
        let cases = vec![case("register", "kill"), case("register", "pause"), case("set", "kill")];
        let mut broken = run(&cases[0], 5, exit_code::INVALID);
        broken.summary = "lost <b>7</b>".to_owned();
        let again = RunRecord { repetition: true, ..broken.clone() };
        let now = record(cases.clone(), vec![broken, again, run(&cases[1], 6, 0)]);
        let before = record(cases.clone(), vec![run(&cases[2], 1, 0)]);
        let page = render(&now, &[("2026-11-21".to_owned(), before)]);
        for part in [
            "lost &lt;b&gt;7&lt;/b&gt;",
            "invalid 1 of 1 times",
            "./runs/5/report.html",
            "Not run for want of time",
            "../2026-11-21/index.html",
            "served 97.0 %",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert!(!page.contains("<b>7"));
    }
}
