//! One judged history on a page of its own: the verdict, what broke, and what else is known.

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use workloads::checker::Check;
use workloads::history::{Operation, Outcome};

use crate::report::html::page::{POLICY, STYLE, verdict_class, verdict_mark};
use crate::report::html::{anomaly, counterexample, evidence};
use crate::report::terminal::verdict_word;
use crate::report::words;

/// What the page is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckPage<'a> {
    /// The history, as the user named it.
    pub(crate) file: &'a str,
    /// The model, as on the command line.
    pub(crate) model: &'a str,
    /// The property, as on the command line.
    pub(crate) property: &'a str,
    /// What the property asks, in a sentence.
    pub(crate) about: &'a str,
    /// The operations of the history.
    pub(crate) operations: &'a [Operation],
    /// What a person should know about what was read, a sentence each.
    pub(crate) notes: &'a [String],
    /// What was found.
    pub(crate) check: &'a Check,
}

/// The text of the page.
pub(crate) fn render_check(page: &CheckPage<'_>) -> String {
    let check = page.check;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (verdict_word(check.verdict)) ": " (page.file) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (hero(page))
                    (counterexample::section(check, None))
                    (anomaly::section(check))
                    (facts(page))
                }
                footer { "Breakwater " (crate::host::version()) }
            }
        }
    }
    .into_string()
}

fn hero(page: &CheckPage<'_>) -> Markup {
    let check = page.check;
    html! {
        header class={ "hero " (verdict_class(check.verdict)) } {
            p.run { "Breakwater check of " (page.file) }
            div.verdict {
                (verdict_mark(check.verdict))
                h1 {
                    (verdict_word(check.verdict))
                    span.what {
                        "model " (page.model) ", property " (page.property)
                    }
                }
            }
            p.summary {
                (evidence::prose(&words::sentence(&check.summary))) "."
            }
            p { "Asked for: " (page.about) }
            @if let Some(reason) = &check.reason {
                p { (evidence::prose(&words::sentence(reason))) "." }
            }
        }
    }
}

fn facts(page: &CheckPage<'_>) -> Markup {
    let check = page.check;
    let ended = |outcome| page.operations.iter().filter(|it| it.outcome == outcome).count() as u64;
    let processes: BTreeSet<u64> = page.operations.iter().map(|it| it.process).collect();
    let processes = processes.len();
    html! {
        section #facts {
            h2 { "The history" }
            dl.facts {
                div { dt { "Operations" } dd {
                    (words::count(page.operations.len() as u64)) " of "
                    (words::counted(processes as u64, "process"))
                } }
                div { dt { "How they ended" } dd {
                    (words::count(ended(Outcome::Ok))) " acknowledged, "
                    (words::count(ended(Outcome::Fail))) " failed, "
                    (words::count(ended(Outcome::Info))) " of unknown outcome"
                } }
                @if let Some(keys) = &check.partitions {
                    div { dt { "Keys" } dd {
                        (keys.valid) " valid, " (keys.unknown) " unknown, " (keys.invalid) " invalid"
                    } }
                }
                @for measurement in &check.measurements {
                    div {
                        dt { (words::sentence(&measurement.name)) }
                        dd { (measurement.value) }
                    }
                }
            }
            @for note in page.notes { p.note { (words::sentence(note)) "." } }
        }
    }
}

#[cfg(test)]
mod tests {
    use workloads::checker::Verdict;

    use super::*;
    use crate::report::fixtures;

    fn page(check: &Check) -> String {
        render_check(&CheckPage {
            file: "a<b>.jsonl",
            model: "register",
            property: "linearizable",
            about: "Each key is one register.",
            operations: &[],
            notes: &["one line is cut short".to_owned()],
            check,
        })
    }

    #[test]
    fn the_explanation_comes_before_the_drawing() {
        let page = page(&fixtures::invalid_check());
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
        assert!(at("a&lt;b&gt;.jsonl") < at("A wrote 1 and ended before C began."));
        assert!(at("A wrote 1 and ended before C began.") < at("<svg class=\"chart lanes wide\""));
        assert!(!page.contains("Faults around it"), "nothing is known of faults");
    }

    #[test]
    fn a_valid_history_has_a_page_too() {
        let page = page(&fixtures::valid_check());
        assert!(page.contains("<title>Valid: "));
        assert!(!page.contains("What broke"));
    }

    #[test]
    fn an_unknown_verdict_says_why() {
        let check = Check {
            reason: Some("time budget of 60 s".to_owned()),
            ..Check::new("linearizable", Verdict::Unknown, "not decided".to_owned())
        };
        assert!(page(&check).contains("Time budget of 60 s."));
    }
}
