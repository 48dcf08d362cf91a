//! A comparison as a table in a terminal.

use super::bootstrap::Estimate;
use super::comparison::{Comparison, Row, Side, verdicts};
use super::measure::Unit;
use crate::plural::counted;

/// The whole text, with a line feed at the end.
pub(super) fn render(comparison: &Comparison) -> String {
    let mut text = String::new();
    for (letter, side) in [("A", &comparison.a), ("B", &comparison.b)] {
        text.push_str(&format!("{letter}  {}\n", side_words(side)));
    }
    if !comparison.unlike.is_empty() {
        text.push_str("\nnot alike, so that this may be what is seen below:\n");
        for line in &comparison.unlike {
            text.push_str(&format!("   {line}\n"));
        }
    }
    text.push('\n');
    let heading = ["", "A", "B", "change", ""].map(str::to_owned);
    let rows: Vec<[String; 5]> =
        std::iter::once(heading).chain(comparison.rows.iter().map(cells)).collect();
    let widths: Vec<usize> = (0..5)
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for [name, a, b, change, difference] in &rows {
        let [n, w, x, y] = [widths[0], widths[1], widths[2], widths[3]];
        let line = format!("{name:n$}  {a:>w$}  {b:>x$}  {change:>y$}  {difference}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&format!("\n{}\n", comparison.method));
    text
}

pub(super) fn side_words(side: &Side) -> String {
    format!(
        "{}: {} ({}), {}",
        side.name,
        counted(side.runs.len() as u64, "run"),
        verdicts(side),
        counted(side.operations, "operation")
    )
}

fn cells(row: &Row) -> [String; 5] {
    [
        row.name.clone(),
        estimate_words(row.unit, row.a),
        estimate_words(row.unit, row.b),
        change_words(row.unit, row.change),
        format!("{} {}", row.difference.sign(), row.difference.words()),
    ]
}

/// `1.24 ms (1.20 to 1.31 ms)`
pub(super) fn estimate_words(unit: Unit, estimate: Option<Estimate>) -> String {
    match estimate {
        None => "too few".to_owned(),
        Some(Estimate { value, low, high }) if low == high => unit.text(value),
        Some(Estimate { value, low, high }) => {
            format!("{} ({} to {})", unit.text(value), unit.text(low), unit.text(high))
        }
    }
}

/// `x 1.31 (1.22 to 1.40)`, or `+0.40 points (-0.10 to +0.90)` of shares.
pub(super) fn change_words(unit: Unit, change: Option<Estimate>) -> String {
    match change {
        None => "–".to_owned(),
        Some(Estimate { value, low, high }) if unit.is_share() => {
            let [value, low, high] = [value, low, high].map(|share| share * 100.0);
            format!("{value:+.2} points ({low:+.2} to {high:+.2})")
        }
        Some(Estimate { value, low, high }) => format!("x {value:.2} ({low:.2} to {high:.2})"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::comparison::compare_groups;
    use super::super::comparison::tests::group;
    use super::*;

    #[test]
    fn a_change_is_told_with_its_uncertainty() {
        let comparison =
            compare_groups(&group("before", &[10, 10], "250"), &group("after", &[20, 20], "250"));
        let text = render(&comparison);
        assert!(text.starts_with("A  before: 2 runs (2 valid), 8,040 operations\n"), "{text}");
        let p50 = text.lines().find(|line| line.starts_with("latency p50, whole run")).unwrap();
        assert!(p50.contains("x 2.00 (") && p50.ends_with("▼ B is worse"), "{text}");
        assert!(!text.contains("not alike"));
    }
}
