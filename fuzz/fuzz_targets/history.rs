//! Histories in every format: they are read or refused, and what is written is read again.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use workloads::history::edn::EdnWriter;
use workloads::history::jsonl::write_event;
use workloads::history::{
    Event, EventReader, FORMATS, Format, Keyed, Pairing, ProcessReuse, ReadOptions, TruncatedTail,
};

/// Everything, to the end or to the first error.
fn read(bytes: &[u8], options: &ReadOptions) -> (Vec<Event>, bool) {
    let Ok(mut reader) = EventReader::new(Box::new(Cursor::new(bytes)), options) else {
        return (Vec::new(), false);
    };
    let mut events = Vec::new();
    for event in &mut reader {
        match event {
            Ok(event) => events.push(event),
            Err(_) => return (events, false),
        }
    }
    let _ = reader.notes();
    (events, true)
}

fuzz_target!(|bytes: &[u8]| {
    let formats = FORMATS.iter().map(|(_, format, _)| Some(*format)).chain([None]);
    for format in formats {
        for (tail, keyed) in
            [(TruncatedTail::Refuse, Keyed::ByTag), (TruncatedTail::Tolerate, Keyed::Pairs)]
        {
            let (events, whole) = read(bytes, &ReadOptions { format, tail, keyed });
            for reuse in [ProcessReuse::Refuse, ProcessReuse::Rename] {
                let mut pairing = Pairing::new(reuse);
                let _ = events.iter().try_for_each(|event| pairing.push(event).map(|_| ()));
            }
            if !whole {
                continue;
            }
            let (mut json, mut edn) = (Vec::new(), Vec::new());
            let mut writer = EdnWriter::new();
            for event in &events {
                write_event(&mut json, event).expect("a vector takes everything");
                writer.write(&mut edn, event).expect("a vector takes everything");
            }
            let strict = |format| ReadOptions {
                format: Some(format),
                tail: TruncatedTail::Refuse,
                keyed: Keyed::ByTag,
            };
            assert_eq!(read(&json, &strict(Format::Jsonl)), (events, true));
        }
    }
});
