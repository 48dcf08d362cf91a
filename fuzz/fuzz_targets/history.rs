//! Histories as JSON lines, and their pairing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workloads::history::jsonl::{TruncatedTail, read_events, write_event};
use workloads::history::operations;

fuzz_target!(|bytes: &[u8]| {
    let _ = read_events(bytes, TruncatedTail::Refuse);
    let Ok((events, _)) = read_events(bytes, TruncatedTail::Tolerate) else { return };
    let mut written = Vec::new();
    for event in &events {
        write_event(&mut written, event).expect("a vector takes everything");
    }
    let (again, truncated) =
        read_events(&written[..], TruncatedTail::Refuse).expect("what is written can be read");
    assert_eq!((again, truncated), (events.clone(), None));
    let _ = operations(&events);
});
