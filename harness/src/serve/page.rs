//! The list of runs as a page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::listing::{Ended, Listed, PAGE, choices};
use super::query::{self, Query};
use crate::plural::counted;
use crate::report::html::{STYLE, verdict_class};
use crate::report::words;
use crate::suite::{ending, sign};

const OWN_STYLE: &str = include_str!("page.css");

/// The runs that are wanted, of all.
pub(super) fn list(all: &[Listed], query: &Query) -> String {
    let wanted: Vec<&Listed> = all.iter().filter(|run| run.is_wanted(query)).collect();
    let first = query.one("from").parse().unwrap_or(0_usize).min(wanted.len());
    let shown = &wanted[first..(first + PAGE).min(wanted.len())];
    page(
        "Runs",
        html! {
            header.hero { p.run { "Breakwater" } div.verdict { h1 { "Runs" } } }
            section #find {
                form action="/" method="get" role="search" {
                    label { "Search" input type="search" name="q" value=(query.one("q")) placeholder="kill stale"; }
                    @for (name, values) in choices(all) {
                        label {
                            (words::sentence(name))
                            select name=(name) {
                                option value="" { "any" }
                                @for value in values {
                                    option value=(value) selected[query.one(name) == value] { (value) }
                                }
                            }
                        }
                    }
                    button type="submit" { "Show" }
                }
            }
            section #runs {
                h2 { (counted(wanted.len() as u64, "run")) @if wanted.len() < all.len() { span.muted { " of " (all.len()) } } }
                @if shown.is_empty() { p { "No run here is like that." } }
                @else {
                    form action="/compare" method="get" {
                        div.scroll tabindex="0" role="region" aria-label="runs" { (table(shown)) }
                        p.compare {
                            button type="submit" { "Compare B to A" }
                            span.muted { "Tick the runs of each side; several on a side say more than one." }
                        }
                    }
                    (pages(query, first, wanted.len()))
                }
            }
        },
    )
}

fn table(runs: &[&Listed]) -> Markup {
    html! {
        table {
            thead { tr {
                th { "A" } th { "B" } th { "Run" } th { "Verdict" } th { "Served" } th { "p99" }
                th { "Recovery" } th { "What was found" }
            } }
            tbody {
                @for run in runs {
                    @let ended = run.ended.as_ref();
                    tr {
                        @for side in ["a", "b"] {
                            td { input type="checkbox" name=(side) value=(run.path)
                                aria-label={ "side " (side.to_uppercase()) ": " (run.path) }; }
                        }
                        td {
                            a href={ "/files/" (query::path(&run.path)) "/" } { (run.workload) " under " (run.faults) }
                            span.variant {
                                (run.started.replace('T', " ").replace('Z', " UTC")) ", seed " (run.seed)
                                @if !run.bug.is_empty() { ", planted bug " (run.bug) }
                            }
                        }
                        (verdict(run))
                        td { @if let Some(share) = ended.and_then(|it| it.availability) { (format!("{:.1} %", share * 100.0)) } }
                        td { @if let Some(p99) = ended.and_then(|it| it.p99) { (words::duration(p99)) } }
                        td { @if let Some(time) = ended.and_then(|it| it.recovery) { (words::duration(time)) } }
                        td.found { (ended.map_or("", |it| it.summary.as_str())) }
                    }
                }
            }
        }
    }
}

fn verdict(run: &Listed) -> Markup {
    match &run.ended {
        None => html! { td { (run.word()) } },
        Some(Ended { exit_code, .. }) => {
            let (verdict, word) = ending(*exit_code);
            html! { td class=(verdict_class(verdict)) { span.tag { (sign(verdict)) " " (word) } } }
        }
    }
}

fn pages(query: &Query, first: usize, all: usize) -> Markup {
    let link = |from: usize| {
        let kept = ["q", "workload", "fault", "verdict"]
            .map(|name| format!("{name}={}", query::path(query.one(name))))
            .join("&");
        format!("/?{kept}&from={from}")
    };
    html! {
        @if all > PAGE {
            nav.pages aria-label="pages" {
                @if first > 0 { a href=(link(first.saturating_sub(PAGE))) { "← Newer" } }
                span.muted { (first + 1) " to " ((first + PAGE).min(all)) " of " (all) }
                @if first + PAGE < all { a href=(link(first + PAGE)) { "Older →" } }
            }
        }
    }
}

/// What is in a folder.
pub(super) fn folder(path: &str, names: &[String]) -> String {
    page(
        path,
        html! {
            section {
                h2 { (path) }
                p { a href="/" { "All runs" } }
                ul.plain { @for name in names { li { a href={ "./" (query::path(name)) } { (name) } } } }
            }
        },
    )
}

/// Why something cannot be shown.
pub(super) fn problem(title: &str, what: &str) -> String {
    let body = html! { section { h2 { (title) } p { (what) } p { a href="/" { "All runs" } } } };
    page(title, body)
}

fn page(title: &str, body: Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " - Breakwater" }
                style { (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body { main { (body) } footer { "Breakwater" } }
        }
    }
    .into_string()
}

#[cfg(test)]
mod tests {
    use super::super::listing::tests::listed;
    use super::*;

    #[test]
    fn values_never_become_markup() {
        let mut run = listed("x\"><script>/1", 1);
        run.faults = "<img src=x>".to_owned();
        let page = list(&[run], &Query::parse("q=%22%3E%3Cscript%3E"));
        assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
        assert!(!folder("<script>", &["<b>".to_owned()]).contains("<script>"));
    }

    #[test]
    fn a_long_list_has_pages_that_keep_the_search() {
        let runs: Vec<Listed> = (0..250).map(|it| listed(&format!("r/{it}"), 0)).collect();
        let page = list(&runs, &Query::parse("q=stale&from=100"));
        assert!(page.contains("101 to 200 of 250"), "{page}");
        assert!(page.contains("/?q=stale&amp;workload=&amp;fault=&amp;verdict=&amp;from=200"));
    }
}
