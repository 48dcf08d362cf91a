mod arbitrary;
mod edn;
mod texts;

use std::io::Cursor;

use expect_test::{Expect, expect};

use super::jsonl::{read_events, write_event};
use super::{Event, Outcome, TruncatedTail, notation, operations};

#[track_caller]
fn check_read(text: &str, expect: Expect) {
    let actual = match read_events(Cursor::new(text), TruncatedTail::Refuse) {
        Ok((events, _)) => format!("{} events", events.len()),
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&actual);
}

#[track_caller]
fn check_pairing(text: &str, expect: Expect) {
    let events = notation::parse(text).unwrap();
    let actual = match operations(&events) {
        Ok(operations) => operations
            .iter()
            .map(|o| {
                format!("{} {} {} -> {} {:?}\n", o.process, o.f, o.invoked, o.result, o.outcome)
            })
            .collect(),
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&actual);
}

#[test]
fn events_survive_a_round_trip() {
    let mut events = notation::parse("p0 w1 ; p1 r1 | p2 c1:2? ; p3 r_ ...").unwrap();
    events[0].key = Some("k\n\"1\"".into());
    events[1].error = Some("it broke".into());
    events[2].node = Some("n1".into());
    events[2].scheduled = Some(17);
    let mut bytes = Vec::new();
    for event in &events {
        write_event(&mut bytes, event).unwrap();
    }
    assert_eq!(read_events(Cursor::new(bytes), TruncatedTail::Refuse).unwrap(), (events, None));
}

#[test]
fn index_and_time_may_be_missing() {
    let text = r#"
        {"process":0,"type":"invoke","f":"read"}

        {"time":-1,"process":0,"type":"ok","f":"read","value":3,"error":["a",null]}
        {"process":"nemesis","type":"info","f":"start"}"#;
    let (events, _) = read_events(Cursor::new(text), TruncatedTail::Refuse).unwrap();
    let indexes: Vec<_> = events.iter().map(|event: &Event| (event.index, event.time)).collect();
    assert_eq!(indexes, [(0, 0), (1, 0), (2, 0)]);
    assert_eq!(events[1].error.as_deref(), Some(r#"["a",null]"#));
}

#[test]
fn the_greatest_index_is_no_reason_to_panic() {
    let text = format!(
        "{{\"index\":{},\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}}\n\
         {{\"process\":0,\"type\":\"ok\",\"f\":\"read\"}}\n",
        i64::MAX
    );
    let (events, _) = read_events(Cursor::new(&text), TruncatedTail::Refuse).unwrap();
    assert_eq!(events[1].index, 1 << 63);
    assert_eq!(operations(&events).unwrap().len(), 1);
    let beyond = text.replace("9223372036854775807", "18446744073709551615");
    assert!(read_events(Cursor::new(beyond), TruncatedTail::Refuse).is_err());
}

#[test]
fn malformed_lines_are_located() {
    let good = r#"{"process":0,"type":"invoke","f":"read"}"#;
    check_read(
        &format!("{good}\n{{\"process\":0,,\n"),
        expect![[
            r#"line 2, column 14: expected an event such as {"index":0,"time":0,"process":0,"type":"invoke","f":"read","key":1,"value":null}, got key must be a string"#
        ]],
    );
    check_read(
        &format!("{good}\n\n{{\"process\":1,\"type\":\"started\",\"f\":\"read\"}}\n"),
        expect![[
            r#"line 3, column 29: expected an event such as {"index":0,"time":0,"process":0,"type":"invoke","f":"read","key":1,"value":null}, got unknown variant `started`, expected one of `invoke`, `ok`, `fail`, `info`"#
        ]],
    );
    check_read(
        "{\"process\":-3,\"type\":\"ok\",\"f\":\"read\"}\n",
        expect![[
            r#"line 1, column 13: expected an event such as {"index":0,"time":0,"process":0,"type":"invoke","f":"read","key":1,"value":null}, got process must be a non-negative integer"#
        ]],
    );
    check_read(
        "{\"type\":\"ok\",\"f\":\"read\"}\n",
        expect![[
            r#"line 1, column 24: expected an event such as {"index":0,"time":0,"process":0,"type":"invoke","f":"read","key":1,"value":null}, got missing field `process`"#
        ]],
    );
    check_read(
        "read 7\n",
        expect![[
            r#"line 1, column 1: expected an event such as {"index":0,"time":0,"process":0,"type":"invoke","f":"read","key":1,"value":null}, got expected value"#
        ]],
    );
}

#[test]
fn a_truncated_last_line_is_refused_or_reported() {
    let text = "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n{\"process\":0,\"ty";
    check_read(
        text,
        expect!["line 2, column 17: expected the rest of the last event, got end of file"],
    );
    let (events, truncated) = read_events(Cursor::new(text), TruncatedTail::Tolerate).unwrap();
    assert_eq!((events.len(), truncated), (1, Some(2)));
}

#[test]
fn operations_are_paired_in_invocation_order() {
    check_pairing(
        "p0 w1 ... ; p1 r1 ; p0 ok ; p2 c1:2! ; p3 w4? ; p4 r_ ...",
        expect![[r#"
            0 write 1 -> 1 Ok
            1 read null -> 1 Ok
            2 cas [1,2] -> [1,2] Fail
            3 write 4 -> 4 Info
            4 read null -> null Info
        "#]],
    );
}

#[test]
fn impossible_pairings_are_errors() {
    check_pairing(
        "p0 w1 ... ; p0 r1",
        expect!["event 1: process 0 invokes read while its operation from event 0 is open"],
    );
    check_pairing(
        "p0 w1? ; p0 r1",
        expect!["event 2: process 0 invokes read, but it was retired by the info at event 1"],
    );
    let mut events = notation::parse("p0 w1 ; p1 r1").unwrap();
    let stray = events.remove(0);
    assert_eq!(
        operations(&events).unwrap_err().to_string(),
        "event 1: process 0 completes write (Ok) that it never invoked"
    );
    events.insert(0, stray);
    events[1].f = "read".into();
    assert_eq!(
        operations(&events).unwrap_err().to_string(),
        "event 1: process 0 completes read on key none, but event 0 invoked write on key none"
    );
    events[1].index = 0;
    assert_eq!(
        operations(&events).unwrap_err().to_string(),
        "event 0 follows event 0: indexes must ascend"
    );
}

#[test]
fn the_nemesis_is_left_out() {
    let mut events = notation::parse("p0 w1 ; p1 r1").unwrap();
    events[2].process = super::Process::Nemesis;
    events[3].process = super::Process::Nemesis;
    let operations = operations(&events).unwrap();
    assert_eq!(operations.len(), 1);
    assert_eq!(operations[0].outcome, Outcome::Ok);
}
