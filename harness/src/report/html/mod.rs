//! `report.html`: one file that works offline, on paper, on a phone and without JavaScript.
//!
//! ```text
//! page ── head, verdict, the order of the sections
//!  ├─ facts, tables, evidence     words and numbers
//!  ├─ counterexample, anomaly     what broke, explained and drawn (lanes)
//!  ├─ charts ── plot              throughput and latency, faults shaded
//!  │   ├─ roles                   who led when, on the same axis
//!  │   └─ percentiles             the whole distribution of latency
//!  ├─ logs                        what nodes logged, on the same axis
//!  ├─ timeline                    operations per process around what matters
//!  └─ all_operations              every operation, packed for the script
//! check_page ── counterexample, anomaly    the same about one judged history, without a run
//! ```
//!
//! Invariants: everything is escaped by `maud`; values get into the page only as text or
//! attributes, never into the script or the style. Drawings are SVG made here; the script
//! adds zoom, hover, copy, and the drawing of all operations. The page forbids itself to fetch anything (content security policy).

mod all_operations;
mod anomaly;
mod charts;
mod check_page;
mod counterexample;
mod evidence;
mod facts;
mod lanes;
mod logs;
mod operation_table;
mod page;
mod percentiles;
mod plot;
mod roles;
mod tables;
#[cfg(test)]
mod tests;
mod timeline;

use workloads::history::Event;

use crate::nemesis::record::FaultRecord;
use crate::report::node_log::LogLine;
use crate::report::results::{Results, RunFacts, RunInfo};

pub(crate) use check_page::{CheckPage, render_check};
pub use page::render;
pub(crate) use page::{STYLE, verdict_class, verdict_mark};

/// What the page is made from.
#[derive(Debug, Clone, Copy)]
pub struct ReportInput<'a> {
    /// What was asked and where it ran.
    pub run: &'a RunInfo,
    /// What the runner saw.
    pub facts: &'a RunFacts,
    /// What the analysis found.
    pub results: &'a Results,
    /// The history.
    pub events: &'a [Event],
    /// The faults.
    pub faults: &'a [FaultRecord],
    /// Paths of node logs, relative to the page.
    pub logs: &'a [String],
    /// Their lines, by time.
    pub lines: &'a [LogLine],
}
