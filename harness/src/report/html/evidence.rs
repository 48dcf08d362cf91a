//! JSON in words: evidence, host facts and options, whose keys are not known here.

use maud::{Markup, html};
use serde_json::Value;

use crate::report::words;

/// More is cut off: it is in `schedule.jsonl`.
const CHARACTERS_MAX: usize = 2_000;

/// A sentence in which words between backticks are code.
pub(crate) fn prose(text: &str) -> Markup {
    html! {
        @for (position, part) in text.split('`').enumerate() {
            @if position % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// What probes saw: the sentences that the nemesis wrote (any `summary`), the rest folded away.
pub(crate) fn evidence(value: &Value) -> Markup {
    let mut sentences = Vec::new();
    collect_summaries(value, &mut sentences);
    match (sentences.as_slice(), value) {
        (_, value) if is_empty(value) => html! { span.muted { "none" } },
        ([], value) => inline(value),
        (sentences, value) => html! {
            (sentences.join("; "))
            @if has_more(value) {
                details { summary { "Details" } (table(value)) }
            }
        },
    }
}

/// Whether there is nothing to tell.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn collect_summaries<'a>(value: &'a Value, sentences: &mut Vec<&'a str>) {
    let Value::Object(fields) = value else { return };
    for (key, value) in fields {
        match value {
            Value::String(text) if key == "summary" => sentences.push(text),
            nested => collect_summaries(nested, sentences),
        }
    }
}

fn has_more(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| fields.keys().any(|key| key != "summary"))
}

/// `cores 4, kernel 6.12.0`
pub(crate) fn inline(value: &Value) -> Markup {
    html! { (words::shorten(&inline_text(value), CHARACTERS_MAX)) }
}

fn inline_text(value: &Value) -> String {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value {
                Value::Object(_) => format!("{}: {}", key_text(key), inline_text(value)),
                value => format!("{} {}", key_text(key), value_text(key, value)),
            })
            .collect::<Vec<_>>()
            .join(", "),
        Value::Array(items) => items.iter().map(inline_text).collect::<Vec<_>>().join(" "),
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), words::count),
    }
}

/// One row a key.
pub(crate) fn table(value: &Value) -> Markup {
    let Value::Object(fields) = value else { return inline(value) };
    html! {
        dl.values {
            @for (key, value) in fields {
                @if key != "summary" {
                    div { dt { (key_text(key)) } dd { (words::shorten(&value_text(key, value), CHARACTERS_MAX)) } }
                }
            }
        }
    }
}

/// The value with the unit that its key ends in.
fn value_text(key: &str, value: &Value) -> String {
    match (value.as_u64(), value.is_number(), unit(key)) {
        (Some(ns), _, Some("ns")) => words::duration(ns),
        (_, true, Some("us")) => format!("{} µs", inline_text(value)),
        (_, true, Some(unit)) => format!("{} {unit}", inline_text(value)),
        _ => inline_text(value),
    }
}

fn unit(key: &str) -> Option<&'static str> {
    ["ns", "us", "ms", "s"].into_iter().find(|unit| key.ends_with(&format!("_{unit}")))
}

fn key_text(key: &str) -> String {
    let key = match unit(key) {
        Some(unit) => &key[..key.len() - unit.len() - 1],
        None => key,
    };
    key.replace(['_', '-'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::json;

    #[track_caller]
    fn check(value: Value, expect: Expect) {
        expect.assert_eq(&evidence(&value).into_string());
    }

    #[test]
    fn sentences_of_the_nemesis_come_first() {
        check(
            json!({"install": {"summary": "12 links cut"}, "heal": {"summary": "60 of 60 arrived"}}),
            expect![[
                r#"12 links cut; 60 of 60 arrived<details><summary>Details</summary><dl class="values"><div><dt>install</dt><dd>summary 12 links cut</dd></div><div><dt>heal</dt><dd>summary 60 of 60 arrived</dd></div></dl></details>"#
            ]],
        );
        check(json!({"summary": "pid 7 gone"}), expect!["pid 7 gone"]);
    }

    #[test]
    fn unknown_keys_are_words_with_units() {
        check(
            json!({"stopped_after_ms": 3, "resumed": true, "gap_ns": 1500, "pids": [1, 2]}),
            expect!["stopped after 3 ms, resumed yes, gap 1.5 µs, pids 1 2"],
        );
        check(json!({}), expect![[r#"<span class="muted">none</span>"#]]);
    }

    #[test]
    fn values_are_escaped() {
        check(json!({"state": "<b>"}), expect!["state &lt;b&gt;"]);
    }
}
