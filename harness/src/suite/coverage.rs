//! What met what in all runs of a suite: which fault, which operation, where.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use super::record::Record;
use crate::report::coverage::Place;
use crate::report::words;

/// How often they met, in flight when the fault began and started while it lasted.
type Met = BTreeMap<(String, String), BTreeMap<Place, (u64, u64)>>;

/// A row for each fault and function; empty if no run says what it covered.
pub(super) fn section(record: &Record) -> Markup {
    let met = met(record);
    if met.is_empty() {
        return html! {};
    }
    let places: BTreeSet<Place> = met.values().flat_map(|places| places.keys().copied()).collect();
    let never: Vec<String> = met
        .iter()
        .flat_map(|((fault, f), places)| {
            let absent = places.iter().filter(|(_, (in_flight, started))| in_flight + started == 0);
            absent.map(move |(place, _)| format!("{fault} x {f} {}", place.words()))
        })
        .collect();
    html! {
        section #coverage {
            h2 { "What met what" }
            @if never.is_empty() {
                p { "Every fault met every operation in every place." }
            } @else {
                details {
                    summary { "Never exercised: " (never.len()) }
                    ul.plain { @for line in &never { li { "✕ " (line) } } }
                }
            }
            div.scroll tabindex="0" role="region" aria-label="what met what" { table.numbers {
                thead { tr {
                    th { "fault" } th.word { "operation" }
                    @for place in &places { th { (place.words()) } }
                } }
                tbody {
                    @for ((fault, f), of_places) in &met {
                        tr {
                            th scope="row" { (fault) }
                            td.word { (f) }
                            @for place in &places { td { (count(of_places.get(place))) } }
                        }
                    }
                }
            } }
            p.note {
                "Operations in flight when a fault came into force, and those started while it lasted."
            }
        }
    }
}

fn count(met: Option<&(u64, u64)>) -> String {
    match met {
        None => String::new(),
        Some((0, 0)) => "✕ never".to_owned(),
        Some((in_flight, started)) => {
            format!("{} + {}", words::count(*in_flight), words::count(*started))
        }
    }
}

fn met(record: &Record) -> Met {
    let mut met = Met::new();
    for cell in record.runs.iter().flat_map(|run| &run.coverage) {
        let places = met.entry((cell.fault.clone(), cell.f.clone())).or_default();
        let (in_flight, started) = places.entry(cell.place).or_default();
        *in_flight += cell.in_flight;
        *started += cell.started;
    }
    met
}

#[cfg(test)]
mod tests {
    use super::super::record::fixtures::{case, record, run};
    use super::*;
    use crate::report::coverage::CoverageCell;

    #[test]
    fn what_never_met_in_any_run_is_said() {
        let kill = case("register", "kill");
        let cell = |place, in_flight| CoverageCell {
            fault: "kill".to_owned(),
            f: "write".to_owned(),
            place,
            in_flight,
            started: 0,
            ok: 0,
        };
        let mut runs = vec![run(&kill, 1, 0), run(&kill, 2, 0)];
        runs[0].coverage = vec![cell(Place::Leader, 0), cell(Place::Follower, 0)];
        runs[1].coverage = vec![cell(Place::Leader, 3), cell(Place::Follower, 0)];
        let page = section(&record(vec![kill], runs)).into_string();
        assert!(page.contains("Never exercised: 1"), "{page}");
        assert!(page.contains("kill x write on a follower, hit"), "{page}");
        assert!(page.contains("3 + 0"), "{page}");
    }
}
