//! A comparison as a page: each change drawn with its interval.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::bootstrap::Estimate;
use super::comparison::{Comparison, Difference, Row, Side};
use super::text::{change_words, estimate_words, side_words};
use crate::report::html::STYLE;

const OWN_STYLE: &str = include_str!("page.css");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
/// Width of the drawing of a change.
const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 22.0;

/// The text of the page.
pub fn render(comparison: &Comparison) -> String {
    let [better, worse] = [Difference::Better, Difference::Worse]
        .map(|wanted| comparison.rows.iter().filter(|row| row.difference == wanted).count());
    let headline = match (better, worse) {
        (0, 0) => "No difference seen".to_owned(),
        (better, 0) => format!("B is better in {better} of {}", comparison.rows.len()),
        (0, worse) => format!("B is worse in {worse} of {}", comparison.rows.len()),
        (better, worse) => format!("B is better in {better}, worse in {worse}"),
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (headline) ": " (comparison.a.name) " and " (comparison.b.name) }
                style { (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body {
                main {
                    header.hero {
                        p.run { "Breakwater comparison" }
                        div.verdict { h1 { (headline) } }
                        dl.sides {
                            (side("A", &comparison.a))
                            (side("B", &comparison.b))
                        }
                    }
                    @if !comparison.unlike.is_empty() {
                        section #unlike {
                            h2 { "Not alike" }
                            p { "These differ too, and may be what is seen below." }
                            ul.plain { @for line in &comparison.unlike { li { (line) } } }
                        }
                    }
                    section #measures {
                        h2 { "Measures" }
                        div.scroll tabindex="0" role="region" aria-label="measures" { (table(comparison)) }
                        p.note { (comparison.method) }
                    }
                }
                footer { "Breakwater" }
            }
        }
    }
    .into_string()
}

fn side(letter: &str, side: &Side) -> Markup {
    html! {
        div {
            dt { (letter) }
            dd {
                (side_words(side))
                details {
                    summary { "Runs" }
                    ul.plain { @for run in &side.runs { li { code { (run) } } } }
                }
            }
        }
    }
}

fn table(comparison: &Comparison) -> Markup {
    html! {
        table.numbers.measures {
            thead { tr {
                th { "Measure" } th.word { "What it says" } th.word { "Change, with its interval" }
                th { "Change" } th { "A" } th { "B" }
            } }
            tbody {
                @for row in &comparison.rows {
                    tr {
                        th scope="row" { (row.name) }
                        td class={ "word " (class(row.difference)) } {
                            span.says { (row.difference.sign()) " " (row.difference.words()) }
                        }
                        td.word { (drawing(row)) }
                        td { (two_lines(&change_words(row.unit, row.change))) }
                        td { (two_lines(&estimate_words(row.unit, row.a))) }
                        td { (two_lines(&estimate_words(row.unit, row.b))) }
                    }
                }
            }
        }
    }
}

/// The value, and below it the interval, if there is one.
fn two_lines(words: &str) -> Markup {
    match words.split_once(" (") {
        None => html! { (words) },
        Some((value, interval)) => {
            html! { (value) span.below.muted { (interval.trim_end_matches(')')) } }
        }
    }
}

fn class(difference: Difference) -> &'static str {
    match difference {
        Difference::Better => "valid",
        Difference::Worse => "invalid",
        Difference::NotSeen | Difference::NotMeasured => "",
    }
}

/// The interval on an axis with no change in the middle: factors of 4 to both sides, on a log scale;
/// or 20 points for shares. Beyond that it is cut.
fn drawing(row: &Row) -> Markup {
    let Some(Estimate { value, low, high }) = row.change else { return html! {} };
    let x = |at: f64| {
        let share = match row.unit.is_share() {
            true => at / 0.2,
            false => at.max(1e-9).log2() / 2.0,
        };
        WIDTH / 2.0 * (1.0 + share.clamp(-0.98, 0.98))
    };
    let middle = HEIGHT / 2.0;
    html! {
        svg class={ "interval " (class(row.difference)) } viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img"
            aria-label=(change_words(row.unit, row.change)) {
            line.none x1=(WIDTH / 2.0) x2=(WIDTH / 2.0) y1="0" y2=(HEIGHT) {}
            line.range x1=(x(low)) x2=(x(high)) y1=(middle) y2=(middle) {}
            circle.value cx=(x(value)) cy=(middle) r="4" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::comparison::compare_groups;
    use super::super::comparison::tests::group;
    use super::*;

    #[test]
    fn values_never_become_markup_and_nothing_is_fetched() {
        let a = group("<script>alert(1)</script>", &[10, 11], "<b>");
        let page = render(&compare_groups(&a, &group("b", &[20, 22], "250")));
        assert!(!page.contains("<script") && !page.contains("<b>"));
        assert!(page.contains("B is worse in "));
        assert!(!page.contains("http://") && !page.contains("https://"));
    }
}
