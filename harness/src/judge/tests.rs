//! The document that tells what workloads expect, against the tables.

use workloads::registry::WORKLOADS;
use workloads::workload::Expectation;

const DOCUMENT: &str = include_str!("../../WORKLOADS.md");

/// As a cell of the document has them: `` `set` linearizable<br>`set-full` set-full ``.
fn cell(expectations: &[Expectation]) -> String {
    let each = |it: &Expectation| format!("`{}` {}", it.model, it.property);
    expectations.iter().map(each).collect::<Vec<_>>().join("<br>")
}

/// The cells of each row of the table, without the two that are its head.
fn rows() -> Vec<Vec<&'static str>> {
    let lines = DOCUMENT.lines().filter(|line| line.starts_with('|'));
    lines.skip(2).map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn every_workload_has_a_row_with_what_it_expects() {
    let rows = rows();
    assert_eq!(rows.len(), WORKLOADS.len(), "a row for each workload");
    for (row, workload) in rows.iter().zip(WORKLOADS) {
        let expected = [
            format!("`{}`", workload.name),
            cell(workload.expectations),
            cell(workload.local_expectations),
        ];
        assert_eq!(row[..3], expected);
    }
}

#[test]
fn every_workload_names_a_defect_that_exists_and_the_command_that_shows_it() {
    for (row, workload) in rows().iter().zip(WORKLOADS) {
        let [.., bug, command] = row[..] else { panic!("{row:?} has no defect") };
        let bug = bug.trim_matches('`');
        assert!(server::bug::Bug::from_name(bug).is_some(), "{}: {bug}", workload.name);
        let wanted = format!("`harness --workload {} --bug {bug} ", workload.name);
        assert!(command.starts_with(&wanted), "{command}");
    }
}
