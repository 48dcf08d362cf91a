//! Histories as lines of text, and how formats are told apart.

use std::io::Cursor;

use expect_test::{Expect, expect};

use crate::history::{EventReader, Keyed, ReadOptions, TruncatedTail};

/// The format, the notes, and events in short; or the error.
#[track_caller]
fn check(text: &str, expect: Expect) {
    let options = ReadOptions { format: None, tail: TruncatedTail::Refuse, keyed: Keyed::ByTag };
    let read = || -> Result<String, crate::history::ReadError> {
        let mut reader = EventReader::new(Box::new(Cursor::new(text)), &options)?;
        let mut lines = format!("{:?}\n", reader.format());
        for event in reader.by_ref() {
            let event = event?;
            let error = event.error.map_or(String::new(), |error| format!(" ({error})"));
            let process = serde_json::to_string(&event.process).unwrap();
            lines += &format!("{process} {:?} {} {}{error}\n", event.kind, event.f, event.value);
        }
        lines.extend(reader.notes().iter().map(|note| format!("note: {note}\n")));
        Ok(lines)
    };
    expect.assert_eq(&read().unwrap_or_else(|error| error.to_string()));
}

#[test]
fn logs_of_jepsen() {
    check(
        "INFO  jepsen.util - 4\t:invoke\t:read\tnil
INFO  jepsen.util - 4\t:ok\t:read\t3
INFO [2015-06-01 12:00:01] jepsen worker 1 - jepsen.util 1\t:invoke\t:cas\t[2 4]
WARN  jepsen.core - something else
INFO  jepsen.util - :nemesis\t:info\t:start\t\"cut\"
INFO  jepsen.util - 1\t:info\t:cas\t:timed-out
",
        expect![[r#"
            JepsenLog
            4 Invoke read null
            4 Ok read 3
            1 Invoke cas [2,4]
            "nemesis" Info start "cut"
            1 Info cas [2,4] (timed-out)
            note: 1 lines hold no event and were passed over
        "#]],
    );
    check(
        "0\t:invoke\t:read\t[1 2",
        expect!["line 1, column 21: expected the rest of the last event, got end of file"],
    );
}

#[test]
fn calls_and_returns() {
    check(
        "# @object atomic-queue\n[1] call enq(7)\n  [2] call deq\n[1] return\n  [2] return empty\n[3] call deq\n",
        expect![[r#"
            Calls
            1 Invoke enqueue 7
            2 Invoke dequeue null
            1 Ok enqueue 7
            2 Ok dequeue null
            3 Invoke dequeue null
        "#]],
    );
    check(
        "# @object atomic-stack\n[1] call add(1)\n[1] return\n[1] call remove\n[1] return 1\n",
        expect![[r#"
            Calls
            1 Invoke push 1
            1 Ok push 1
            1 Invoke pop null
            1 Ok pop 1
        "#]],
    );
    check(
        "[1] call push(a)\n[1] retrun\n",
        expect![
            "line 2, column 1: expected a line such as `[1] call enq(7)` or `[1] return 7`, got `[1] retrun`"
        ],
    );
}

#[test]
fn operations_with_times() {
    check(
        "# stack\npush 1 1 3\npop 1 3 5\npop -1 9 9\n",
        expect![[r#"
            Intervals
            1 Invoke push 1
            2 Invoke pop null
            1 Ok push 1
            2 Ok pop 1
            3 Invoke pop null
            3 Ok pop null
        "#]],
    );
    check(
        "push 1 4 3\n",
        expect!["line 1, column 1: expected a line such as `enq 7 100 250`, got `push 1 4 3`"],
    );
}

#[test]
fn transactions_by_session() {
    check(
        "w 0 1\nr 1 0\n-----\nw 0 2\n=====\nr 0 2\n",
        expect![[r#"
            Sessions
            0 Invoke txn [["w",0,1],["r",1,null]]
            1 Invoke txn [["r",0,null]]
            0 Ok txn [["w",0,1],["r",1,0]]
            1 Ok txn [["r",0,2]]
            0 Invoke txn [["w",0,2]]
            0 Ok txn [["w",0,2]]
            note: the format has no real-time order: sessions are taken as side by side
        "#]],
    );
    check(
        "w(0,1,5,1)\nr(0,1,6,2)\nw(0,2,5,3)\n",
        expect![[r#"
            Accesses
            0 Invoke txn [["w",0,1]]
            1 Invoke txn [["r",0,null]]
            0 Ok txn [["w",0,1]]
            1 Ok txn [["r",0,1]]
            0 Invoke txn [["w",0,2]]
            0 Ok txn [["w",0,2]]
            note: the format has no real-time order: sessions are taken as side by side
        "#]],
    );
}

#[test]
fn what_is_no_history_is_said() {
    check(
        "hello\n",
        expect![[r#"
            line 1: expected a history, got `hello`
            hint: FORMATS.md shows the formats; --format names one"#]],
    );
    check(
        "\n[{\"process\":0}]",
        expect![[r#"
            line 2: expected a history, got `[{"process":0}]`
            hint: one event a line is needed: jq -c '.[]' FILE"#]],
    );
    check("", expect!["Jsonl\n"]);
    check(
        "; nothing but a comment\n",
        expect![[
            r#"line 1, column 1: expected an event such as {"index":0,"time":0,"process":0,"type":"invoke","f":"read","key":1,"value":null}, got expected value"#
        ]],
    );
}

/// Found by the fuzz target of histories: what was read could be written, but not read again.
#[test]
fn times_that_are_too_large_are_written_and_read_again() {
    for text in [
        "enq 1 9999 99999999999999999\nenq 2 99999999999999999 99999999999999999\n",
        "{:index 0, :time 18446744073709551615, :process 0, :type :invoke, :f :read, :value nil}",
        "{:index 18446744073709551615, :process 0, :type :invoke, :f :read, :value nil}",
    ] {
        let options =
            ReadOptions { format: None, tail: TruncatedTail::Refuse, keyed: Keyed::ByTag };
        let read = |text: &[u8]| {
            let reader = EventReader::new(Box::new(Cursor::new(text.to_vec())), &options).unwrap();
            reader.map(Result::unwrap).collect::<Vec<_>>()
        };
        let events = read(text.as_bytes());
        let mut lines = Vec::new();
        for event in &events {
            crate::history::jsonl::write_event(&mut lines, event).unwrap();
        }
        assert_eq!(read(&lines), events, "{text}");
    }
}
