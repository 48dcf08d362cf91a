//! Every operation of the run, to scroll, zoom and search: drawn by the script on a canvas.
//!
//! A million operations would be too many elements, so that they are packed: each is a few numbers of
//! seven bits a byte (LEB128), and all of them one base64 text in a `template`, which the page never renders.
//!
//! ```text
//! per operation: start since the one before, length + 1 (0: never ended), both in µs; lane; process; node + 1;
//! 4 * function + outcome; key + 1; argument; result
//! a value: 0 nothing, 1 the argument again, or 2 * zigzag + 2 of an integer, or 2 * position + 3 in the texts
//! ```

use std::collections::HashMap;

use maud::{Markup, html};
use serde_json::json;
use workloads::history::{EventKind, Value};

use crate::latency::base64_encode;
use crate::report::html::ReportInput;
use crate::report::html::plot::{FaultStrip, fault_title};
use crate::report::html::timeline::lanes;
use crate::report::operations::{TimedOperation, pair};
use crate::report::words;

/// More are cut off at the end of the run.
const OPERATIONS_MAX: usize = 1_000_000;
/// Characters of a value.
const VALUE_MAX: usize = 40;
/// Lanes; what has none is left out.
const LANES_MAX: usize = 256;

/// The section; empty without operations.
pub(crate) fn section(input: &ReportInput<'_>) -> Markup {
    let mut operations = pair(input.events);
    let all = operations.len();
    operations.truncate(OPERATIONS_MAX);
    if operations.is_empty() {
        return html! {};
    }
    let packed = pack(&operations);
    let faults: Vec<serde_json::Value> = FaultStrip::new(&input.results.fault_windows)
        .placed
        .iter()
        .map(|placed| {
            let window = &placed.window;
            json!({
                "from": window.start / 1000,
                "to": window.end / 1000,
                "row": placed.row,
                "colour": placed.colour,
                "label": format!("{} {}", window.kind, window.index),
                "title": fault_title(window),
            })
        })
        .collect();
    let meta = json!({
        "count": packed.drawn,
        "lanes": packed.lanes,
        "functions": packed.functions.names,
        "nodes": packed.nodes.names,
        "keys": packed.keys.names,
        "texts": packed.texts.names,
        "faults": faults,
        "end": input.facts.end / 1000,
    });
    html! {
        section #all-operations hidden {
            h2 { "All operations" }
            p {
                (words::counted(packed.drawn as u64, "operation")) " of all processes, one lane for each client: where one never learned an outcome, another process follows it."
                @if packed.drawn < all {
                    " The history has " (words::count(all as u64)) ", of which these are the first that have a lane."
                }
            }
            form.controls #all-search role="search" {
                label { "Find " input type="search" #all-query placeholder="key=7, process=3, f=read, or a value"; }
                button type="submit" { "Find" }
                button type="button" data-all="previous" { "← Previous" }
                button type="button" data-all="next" { "Next →" }
                span.muted #all-found aria-live="polite" {}
            }
            div.controls {
                button type="button" data-all="in" { "Zoom in" }
                button type="button" data-all="out" { "Zoom out" }
                button type="button" data-all="earlier" { "← Earlier" }
                button type="button" data-all="later" { "Later →" }
                button type="button" data-all="reset" { "Whole run" }
                span.muted.mouse { "drag moves, Ctrl and wheel zooms; keys: arrows, + and -, 0" }
            }
            canvas #all-canvas tabindex="0" role="img" aria-label="all operations over time, one lane a process" {}
            p.detail #all-detail aria-live="polite" { "Point at an operation for its details." }
            p.legend {
                span.key.ok { "Ok (whole height)" } span.key.fail { "Fail (lower half)" }
                span.key.info { "Info (upper half)" } span.key.marked { "Found" }
            }
            template #all-data data-meta=(meta) { (packed.bytes) }
        }
    }
}

/// Names by position, each once.
#[derive(Default)]
struct Names {
    names: Vec<String>,
    positions: HashMap<String, u64>,
}

impl Names {
    fn position(&mut self, name: String) -> u64 {
        if let Some(&known) = self.positions.get(&name) {
            return known;
        }
        let position = self.names.len() as u64;
        self.names.push(name.clone());
        self.positions.insert(name, position);
        position
    }
}

#[derive(Default)]
struct Packed {
    bytes: String,
    drawn: usize,
    lanes: usize,
    functions: Names,
    nodes: Names,
    keys: Names,
    texts: Names,
}

fn pack(operations: &[TimedOperation<'_>]) -> Packed {
    let lanes = lanes(operations, LANES_MAX);
    let mut packed =
        Packed { lanes: lanes.values().max().map_or(0, |last| last + 1), ..Packed::default() };
    let mut bytes = Vec::with_capacity(operations.len() * 14);
    let mut before = 0;
    for operation in operations {
        let Some(&lane) = lanes.get(&operation.process) else { continue };
        packed.drawn += 1;
        let start = operation.invocation.time / 1000;
        number(&mut bytes, start.saturating_sub(before));
        before = before.max(start);
        number(&mut bytes, operation.end().map_or(0, |end| (end / 1000).saturating_sub(start) + 1));
        number(&mut bytes, lane as u64);
        number(&mut bytes, operation.process);
        let node = operation.node().map_or(0, |node| packed.nodes.position(node.to_owned()) + 1);
        number(&mut bytes, node);
        let outcome = match (operation.completion.is_some(), operation.outcome()) {
            (false, _) => 3,
            (true, EventKind::Ok) => 0,
            (true, EventKind::Fail) => 1,
            (true, EventKind::Info | EventKind::Invoke) => 2,
        };
        let function = packed.functions.position(operation.invocation.f.to_string());
        number(&mut bytes, 4 * function + outcome);
        let key = operation.invocation.key.as_ref();
        let key = key.map_or(0, |key| packed.keys.position(short(key)) + 1);
        number(&mut bytes, key);
        let argument = &operation.invocation.value;
        value(&mut bytes, argument, &mut packed.texts);
        match operation.completion.map(|completion| &completion.value) {
            Some(result) if result == argument && *result != Value::Null => number(&mut bytes, 1),
            Some(result) => value(&mut bytes, result, &mut packed.texts),
            None => number(&mut bytes, 0),
        }
    }
    packed.bytes = base64_encode(&bytes);
    packed
}

fn value(bytes: &mut Vec<u8>, value: &Value, texts: &mut Names) {
    // A double holds integers of 53 bits exactly.
    const INTEGER_MAX: i64 = 1 << 50;
    match value {
        Value::Null => number(bytes, 0),
        Value::Int(integer) if (-INTEGER_MAX..INTEGER_MAX).contains(integer) => {
            let zigzag = (integer << 1 ^ integer >> 63).cast_unsigned();
            number(bytes, 2 * zigzag + 2);
        }
        other => number(bytes, 2 * texts.position(short(other)) + 3),
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Text(text) => words::shorten(text, VALUE_MAX),
        other => words::shorten(&other.to_string(), VALUE_MAX),
    }
}

fn number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::base64_decode;
    use crate::report::fixtures::{self, Op};

    fn numbers(text: &str) -> Vec<u64> {
        let mut numbers = Vec::new();
        let (mut number, mut shift) = (0, 0);
        for byte in base64_decode(text).unwrap() {
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                numbers.push(number);
                (number, shift) = (0, 0);
            }
        }
        numbers
    }

    #[test]
    fn each_operation_is_nine_numbers() {
        let op = |process, start, outcome| Op { process, f: "read", start, latency: 20, outcome };
        let events = fixtures::history(&[op(0, 1000, EventKind::Ok), op(5, 1010, EventKind::Fail)]);
        let packed = pack(&pair(&events));
        assert_eq!((packed.drawn, packed.lanes), (2, 2));
        assert_eq!(packed.functions.names, ["read"]);
        // The result is 7, in zigzag 14.
        let first = [1_000_000, 20_001, 0, 0, 1, 0, 0, 0, 30];
        let second = [10_000, 20_001, 1, 5, 1, 1, 0, 0, 30];
        assert_eq!(numbers(&packed.bytes), [first, second].concat());
    }

    #[test]
    fn a_number_takes_as_many_bytes_as_it_needs() {
        let mut bytes = Vec::new();
        number(&mut bytes, 127);
        number(&mut bytes, 128);
        assert_eq!(bytes, [127, 0x80, 1]);
    }
}
