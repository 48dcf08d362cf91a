//! Key facts of the run, the command that repeats it, and what lies beside the page.

use maud::{Markup, html};
use serde_json::Value;

use crate::report::html::{ReportInput, evidence};
use crate::report::words;
use crate::system::is_without;

pub(crate) fn key_facts(input: &ReportInput<'_>) -> Markup {
    let (run, facts) = (input.run, input.facts);
    let duration = words::duration(facts.end.saturating_sub(facts.workload_start));
    html! {
        section #facts {
            h2 { "The run" }
            dl.facts {
                (fact("Workload", html! { (run.workload) }))
                (fact("Faults", html! { (run.faults.join(", ")) }))
                (fact("System", html! { (run.system) ", " (words::counted(u64::from(run.nodes), "node")) }))
                @if !run.unusual_settings().is_empty() {
                    (fact("Settings", html! { @for setting in run.unusual_settings() { code { (setting) } " " } }))
                }
                (fact("Duration", html! { (duration) }))
                (fact("Seed", html! { code { (run.seed) } }))
                (fact("World", html! { (run.world) }))
                (fact("Started", html! { (run.started.replace('T', " ").replace('Z', " UTC")) }))
                @if let Some(bug) = &run.bug {
                    (fact("Planted bug", html! { strong { (bug) } }))
                }
                div.broad {
                    dt { "Platform" }
                    dd {
                        (run.platform)
                        @if !run.platform_notes.is_empty() {
                            ul.notes { @for note in &run.platform_notes { li { (note) } } }
                        }
                    }
                }
                @if !evidence::is_empty(&run.host) {
                    div.broad { dt { "Host" } dd { (evidence::inline(&run.host)) } }
                }
                div.broad {
                    dt { "Repeat it" }
                    dd.command { code #command { (words_apart(&run.command)) } button.copy type="button" data-copy="command" hidden { "Copy" } }
                }
            }
            @if !evidence::is_empty(&run.options) {
                details {
                    summary { "All effective options" }
                    (evidence::table(&options_of(&run.system, &run.options)))
                }
            }
        }
    }
}

/// The options without those that say nothing about the system.
fn options_of(system: &str, options: &Value) -> Value {
    let mut options = options.clone();
    if let Value::Object(fields) = &mut options {
        fields.retain(|name, _| !is_without(system, name));
    }
    options
}

/// A command that breaks between its words only; what is copied stays the same.
fn words_apart(command: &str) -> Markup {
    html! {
        @for (position, word) in command.split(' ').enumerate() {
            @if position > 0 { " " }
            span { (word) }
        }
    }
}

fn fact(name: &str, value: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

pub(crate) fn files(input: &ReportInput<'_>) -> Markup {
    const BESIDE: [(&str, &str); 7] = [
        ("run.json", "what was asked and where it ran"),
        ("results.json", "verdicts, counts, histograms"),
        ("history.jsonl", "every event"),
        ("schedule.jsonl", "every fault, as it happened"),
        ("scenario.toml", "every fault, as it was planned; --scenario repeats it"),
        ("roles.jsonl", "who led when"),
        ("junit.xml", "the same for CI"),
    ];
    html! {
        section #files {
            h2 { "Files of the run" }
            p.note { "Links work as long as this page lies in the folder of its run." }
            ul.files {
                @for (name, what) in BESIDE {
                    li { a href=(name) { (name) } " " span.muted { (what) } }
                }
                @for log in input.logs {
                    li { a href=(relative(log)) { (log) } " " span.muted { "node log" } }
                }
            }
        }
    }
}

/// A relative link whatever the path says: a colon in the first part would be read as a scheme.
fn relative(path: &str) -> String {
    format!("./{}", path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_store_has_is_not_told_of_others() {
        let options = serde_json::json!({ "nodes": 3, "fsync": "always", "shards": 1 });
        let names = |system| {
            let shown = options_of(system, &options);
            shown.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(names("store"), ["nodes", "fsync", "shards"]);
        assert_eq!(names("postgres"), ["nodes", "fsync"]);
        assert_eq!(names("etcd"), ["nodes"]);
    }
}
