//! Whatever the bytes are: readers give events or an error, and what is written is read again.

use std::io::{BufReader, Cursor};

use proptest::prelude::*;

use crate::history::edn::EdnWriter;
use crate::history::jsonl::write_event;
use crate::history::{
    Event, EventKind, EventReader, FORMATS, Float, Keyed, Pairing, Process, ProcessReuse,
    ReadOptions, TruncatedTail, Value,
};

/// Texts of each format, to be damaged.
const TEXTS: &[&str] = &[
    "{\"index\":0,\"time\":1,\"process\":0,\"type\":\"invoke\",\"f\":\"cas\",\"key\":\"k\",\"value\":[1,{\"a\":2.5}]}\n",
    "[{:process 0, :type :ok, :f :txn, :value [[:r 1 #{2 3}] [:append \\a \"x\\u00e9\"]]}\n;c\n#a.B{:type :info}]",
    "INFO  jepsen.util - 4\t:invoke\t:cas\t[1 2]\nINFO  jepsen.util - 4\t:info\t:cas\t:timed-out\n",
    "# @object q\n[1] call enq(7)\n[1] return 7\n",
    "# queue\nenq 7 100 250\ndeq 7 300 400\n",
    "w 0 1\n-----\nr 0 1\n=====\n",
    "w(0,1,2,3)\nr(0,1,2,4)\n",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|it| Value::Float(Float(f64::from(it) / 4.0))),
        ".*".prop_map(Value::from),
        prop_oneof!["r", "append"].prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".*".prop_map(Value::from), inner), 0..3)
                .prop_map(|entries| Value::Map(entries.into())),
        ]
    })
}

fn event() -> impl Strategy<Value = Event> {
    let process = prop_oneof![any::<u64>().prop_map(Process::Client), Just(Process::Nemesis)];
    let kind = prop_oneof![
        Just(EventKind::Invoke),
        Just(EventKind::Ok),
        Just(EventKind::Fail),
        Just(EventKind::Info)
    ];
    let key = value().prop_map(|key| if key.is_null() { 0.into() } else { key });
    (process, kind, "[a-z-]{1,30}|.+", key, value(), prop::option::of(".*"), 0..i64::MAX as u64)
        .prop_map(|(process, kind, f, key, value, error, time)| Event {
            index: 0,
            time,
            scheduled: None,
            process,
            kind,
            f: f.into(),
            key: (process != Process::Nemesis).then_some(key),
            value,
            error: error.map(Into::into),
            node: None,
        })
}

/// Reads and pairs all there is, to the end or to the first error.
fn read(bytes: &[u8], options: &ReadOptions, buffer: usize) -> Vec<Event> {
    let source = BufReader::with_capacity(buffer, Cursor::new(bytes.to_vec()));
    let Ok(reader) = EventReader::new(Box::new(source), options) else { return Vec::new() };
    let events: Vec<Event> = reader.map_while(Result::ok).collect();
    for reuse in [ProcessReuse::Refuse, ProcessReuse::Rename] {
        let mut pairing = Pairing::new(reuse);
        let _ = events.iter().try_for_each(|event| pairing.push(event).map(|_| ()));
    }
    events
}

fn all_options() -> impl Iterator<Item = ReadOptions> {
    let formats = FORMATS.iter().map(|(_, format, _)| Some(*format)).chain([None]);
    formats.flat_map(|format| {
        [(TruncatedTail::Refuse, Keyed::ByTag), (TruncatedTail::Tolerate, Keyed::Pairs)]
            .map(|(tail, keyed)| ReadOptions { format, tail, keyed })
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for options in all_options() {
            read(&bytes, &options, 7);
        }
    }

    #[test]
    fn damaged_histories_never_panic(
        text in 0..TEXTS.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_usize), 1..6),
    ) {
        let mut bytes = TEXTS[text].as_bytes().to_vec();
        for (place, byte, how) in damage {
            if bytes.is_empty() {
                break;
            }
            let place = place.index(bytes.len());
            match how {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 => { bytes.remove(place); }
                _ => bytes.truncate(place),
            }
        }
        for options in all_options() {
            read(&bytes, &options, 16);
        }
    }

    #[test]
    fn events_survive_json_and_edn(mut events in prop::collection::vec(event(), 0..12)) {
        for (index, event) in (0..).zip(&mut events) {
            event.index = index;
        }
        let (mut json, mut edn) = (Vec::new(), Vec::new());
        let mut writer = EdnWriter::new();
        for event in &events {
            write_event(&mut json, event).unwrap();
            writer.write(&mut edn, event).unwrap();
        }
        let tail = TruncatedTail::Refuse;
        let as_json = ReadOptions { format: None, tail, keyed: Keyed::ByTag };
        prop_assert_eq!(&read(&json, &as_json, 64), &events);
        let as_edn = ReadOptions { format: None, tail, keyed: Keyed::Pairs };
        prop_assert_eq!(&read(&edn, &as_edn, 64), &events, "{}", String::from_utf8_lossy(&edn));
    }
}
