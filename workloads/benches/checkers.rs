//! How long reading and judging take, for changes of the code to be compared: `cargo bench -p workloads`.
//!
//! `harness bench --checkers` measures larger histories, memory and growth.

use std::io::Cursor;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use workloads::checker::linearizable::Unlimited;
use workloads::checker::online::Online;
use workloads::checker::{CheckOptions, checker};
use workloads::history::edn::EdnWriter;
use workloads::history::jsonl::write_event;
use workloads::history::{
    Event, EventReader, Keyed, Operation, Pairing, ProcessReuse, ReadOptions, TruncatedTail, Value,
};
use workloads::synthetic::{SyntheticOptions, generate, synthetic, to_events};

const OPERATIONS: usize = 20_000;

fn main() {
    divan::main();
}

/// A history of ten clients, on ten keys.
fn history(model: &str, violation: Option<&str>) -> Vec<Operation> {
    let options = SyntheticOptions {
        operations: OPERATIONS,
        concurrency: 10,
        crash_rate: 0.01,
        keys: 10,
        at: 0.5,
        seed: 1,
    };
    let model = synthetic(model).expect("the model is in the table");
    let violation = violation.map(|it| model.violation(it).expect("the violation is in the table"));
    generate(model, violation, &options).expect("so many operations have a place for it").0
}

mod read {
    use super::*;

    const MODELS: [&str; 3] = ["register", "rw-register", "list-append"];

    /// Reads a text and pairs its events.
    fn read(bencher: Bencher<'_, '_>, text: Vec<u8>) {
        let options =
            ReadOptions { format: None, tail: TruncatedTail::Refuse, keyed: Keyed::ByTag };
        bencher.counter(BytesCount::new(text.len())).bench(|| {
            let source = Box::new(Cursor::new(&text));
            let mut pairing = Pairing::new(ProcessReuse::Refuse);
            for event in EventReader::new(source, &options).expect("the format is seen") {
                let event = event.expect("it was just written");
                pairing.push(&event).expect("it is a history");
            }
            pairing.finish()
        });
    }

    #[divan::bench(args = MODELS)]
    fn json_lines(bencher: Bencher<'_, '_>, model: &str) {
        let mut text = Vec::new();
        for event in to_events(&history(model, None)) {
            write_event(&mut text, &event).expect("a vector takes everything");
        }
        read(bencher, text);
    }

    #[divan::bench(args = MODELS)]
    fn edn(bencher: Bencher<'_, '_>, model: &str) {
        let (mut text, mut writer) = (Vec::new(), EdnWriter::new());
        for event in to_events(&history(model, None)) {
            writer.write(&mut text, &event).expect("a vector takes everything");
        }
        read(bencher, text);
    }
}

mod judge {
    use super::*;

    /// Judges a history by the first property of its model.
    fn judge(bencher: Bencher<'_, '_>, model: &str, violation: Option<&str>) {
        let operations = history(model, violation);
        let info = checker(model, None).expect("the model has a checker");
        let options = CheckOptions::default();
        bencher
            .counter(ItemsCount::new(operations.len()))
            .bench(|| (info.check)(black_box(&operations), &options, &Unlimited));
    }

    #[divan::bench(args = ["register", "set", "set-full", "queue", "stack", "list-append", "rw-register"])]
    fn valid(bencher: Bencher<'_, '_>, model: &str) {
        judge(bencher, model, None);
    }

    #[divan::bench(args = [
        ("register", "stale-read"),
        ("set", "lost-add"),
        ("queue", "fifo-swap"),
        ("stack", "lifo-swap"),
        ("list-append", "stale-read"),
    ])]
    fn invalid(bencher: Bencher<'_, '_>, (model, violation): (&str, &str)) {
        judge(bencher, model, Some(violation));
    }
}

/// Events of a run, judged as they come.
#[divan::bench(args = [5, 100])]
fn online(bencher: Bencher<'_, '_>, concurrency: usize) {
    let options = SyntheticOptions {
        operations: OPERATIONS,
        concurrency,
        crash_rate: 0.01,
        keys: 10,
        at: 0.5,
        seed: 1,
    };
    let model = synthetic("register").expect("the model is in the table");
    let history = generate(model, None, &options).expect("nothing is planted").0;
    let events: Vec<Event> = to_events(&history);
    bencher.counter(ItemsCount::new(events.len())).bench(|| {
        let mut judge = Online::new(Value::Null);
        for event in &events {
            assert_eq!(judge.push(event), None, "the history is valid");
        }
        judge
    });
}
