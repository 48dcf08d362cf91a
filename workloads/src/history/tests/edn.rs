//! EDN in all the forms that Jepsen's tools write.

use std::io::Cursor;

use expect_test::{Expect, expect};

use crate::history::edn::{EdnReader, EdnWriter, value_of_text};
use crate::history::{
    Event, EventReader, Keyed, ReadError, ReadOptions, TruncatedTail, Value, notation,
};

fn read(text: &str, keyed: Keyed) -> Result<Vec<Event>, ReadError> {
    let options = ReadOptions { format: None, tail: TruncatedTail::Refuse, keyed };
    EventReader::new(Box::new(Cursor::new(text)), &options)?.collect()
}

/// Events as lines of JSON, or the error.
#[track_caller]
fn check(text: &str, expect: Expect) {
    let actual = match read(text, Keyed::ByTag) {
        Ok(events) => events.iter().map(|it| serde_json::to_string(it).unwrap() + "\n").collect(),
        Err(error) => error.to_string(),
    };
    expect.assert_eq(&actual);
}

#[track_caller]
fn check_value(text: &str, json: &str) {
    assert_eq!(value_of_text(text.as_bytes(), 1, 1).unwrap().to_string(), json, "{text}");
}

#[test]
fn one_history_in_all_its_forms() {
    let a = ":type :invoke, :process 3, :f :read, :value nil";
    let b = ":type :ok :process 3 :f :read :value 7";
    let expected = read(&format!("{{{a}}}\n{{{b}}}\n"), Keyed::ByTag).unwrap();
    assert_eq!(expected.len(), 2);
    for text in [
        format!("[{{{a}}} {{{b}}}]"),
        format!("({{{a}}}\n ; a comment\n {{{b}}})\n"),
        format!("; a comment\n\n#jepsen.history.Op{{{a}}}\n#jepsen.history.Op{{{b}}}"),
        format!("[#jepsen.history.Op {{{a}}},\n#_{{:left out}} {{{b}}}]"),
        format!("{{{}}}{{{b}}}", a.replace(", ", "\n  ")),
        format!("[{{{a}}}]\n{{{b}}}"),
    ] {
        assert_eq!(read(&text, Keyed::ByTag).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_jepsen_leaves_out_or_adds_is_understood() {
    check(
        "{:index 5, :time -1, :type :info, :process :nemesis, :f :start-partition, :value [:isolated {\"n1\" #{\"n2\"}}]}
         {:type :log, :value \"a note\"}
         {:type :invoke, :process 0, :f :add, :value 3, :op-index 1, :exception {:via [#error{}]}}
         {:type :info, :process 0, :f :add, :value 3, :error [:timeout \"1 s\"], :node \"n1\"}
         {:index 9 :type :invoke :value [[:append 253 1] [:r 255 nil]]}",
        expect![[r#"
            {"index":5,"time":0,"process":"nemesis","type":"info","f":"start-partition","value":["isolated",{"n1":["n2"]}]}
            {"index":6,"time":0,"process":0,"type":"invoke","f":"add","value":3}
            {"index":7,"time":0,"process":0,"type":"info","f":"add","value":3,"error":"[\"timeout\",\"1 s\"]","node":"n1"}
            {"index":9,"time":0,"process":0,"type":"invoke","f":"txn","value":[["append",253,1],["r",255,null]]}
        "#]],
    );
}

#[test]
fn keys_come_from_tags_or_from_all_pairs() {
    let text = "{:type :invoke, :process 0, :f :cas, :value #jepsen.independent.Tuple [1 [2 3]]}
                {:type :ok, :process 0, :f :cas, :value #jepsen.independent.Tuple{:key 1, :value [2 3]}}";
    let tagged = read(text, Keyed::ByTag).unwrap();
    assert_eq!(tagged[0].key, Some(1.into()));
    assert_eq!(tagged[0].value, [2, 3].into());
    assert_eq!((&tagged[1].key, &tagged[1].value), (&tagged[0].key, &tagged[0].value));
    assert_eq!(read(text, Keyed::Pairs).unwrap(), tagged);
    let plain = "{:type :invoke, :process 0, :f :cas, :value [1 [2 3]]}
                 {:type :info, :process :nemesis, :f :stop, :value nil}";
    assert_eq!(read(plain, Keyed::ByTag).unwrap()[0].key, None);
    assert_eq!(read(plain, Keyed::Pairs).unwrap()[0], tagged[0]);
    let error = read("{:type :invoke, :process 0, :f :read, :value 4}", Keyed::Pairs).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 1, column 1: expected a value that is a pair of a key and a value, got 4"
    );
}

#[test]
fn a_key_beside_the_value_is_that_of_porcupine() {
    check(
        r#"{:process 1, :type :invoke, :f :get, :key "9", :value nil}
           {:process 0, :type :ok, :f :put, :key "1", :value "x 0 10 y"}"#,
        expect![[r#"
            {"index":0,"time":0,"process":1,"type":"invoke","f":"read","key":"9","value":null}
            {"index":1,"time":0,"process":0,"type":"ok","f":"write","key":"1","value":"x 0 10 y"}
        "#]],
    );
}

#[test]
fn values_keep_what_they_are() {
    for (text, json) in [
        ("nil", "null"),
        ("true", "true"),
        ("-17", "-17"),
        ("+5", "5"),
        ("18446744073709551615", "18446744073709551615"),
        ("7N", "7"),
        ("123456789012345678901234567890N", r#""123456789012345678901234567890""#),
        ("2/3", r#""2/3""#),
        ("1.5M", "1.5"),
        ("1e3", "1000.0"),
        ("0xff", "255"),
        ("##Inf", r###""##Inf""###),
        (":a/b", r#""a/b""#),
        ("::a", r#""a""#),
        ("sym-bol!", r#""sym-bol!""#),
        ("-", r#""-""#),
        (r"\a", r#""a""#),
        (r"\newline", r#""\n""#),
        (r"\u0041", r#""A""#),
        (r"[\( \)]", r#"["(",")"]"#),
        (r#""a\"\\\n\u00e9\101""#, "\"a\\\"\\\\\\n\u{e9}A\""),
        ("#{3 1 2}", "[1,2,3]"),
        ("(1, 2 ,3)", "[1,2,3]"),
        ("{1 2, :b [nil]}", r#"{"1":2,"b":[null]}"#),
        (r#"#inst "2020-01-01""#, r#""2020-01-01""#),
        (r##"#"a+""##, r#""a+""#),
        ("[1 #_2 #_ #_ 3 4 5 ; six\n]", "[1,5]"),
        ("^{:m 1} [1]", "[1]"),
        ("'(1 'a)", r#"[1,"a"]"#),
    ] {
        check_value(text, json);
    }
    assert_eq!(value_of_text(b"7", 1, 1).unwrap(), Value::from(7));
}

#[test]
fn malformed_events_are_located() {
    check(
        "{:type :invoke, :process 0, :f :read}\n  {:type :started}\n",
        expect![
            "line 2, column 3: expected an event such as {:index 0, :time 0, :process 0, :type :invoke, :f :read, :value nil}, got the type :started"
        ],
    );
    check(
        "[{:type :invoke, :process -4}]",
        expect!["line 1, column 27: expected a process such as 0 or :nemesis, got -4"],
    );
    check(
        "{:type :ok, :f :read, :value [1 2}}",
        expect!["line 1, column 34: expected a value, got `}}`"],
    );
    check(
        "{:type :ok :f}",
        expect!["line 1, column 14: expected a value for the last key of the map, got `}`"],
    );
    check(
        "{:type :ok, :value 12ab}",
        expect!["line 1, column 24: expected a value, got the number `12ab`"],
    );
    check(
        "[{:type :ok}\n 17]",
        expect![
            "line 2, column 2: expected an event such as {:index 0, :time 0, :process 0, :type :invoke, :f :read, :value nil}, got `17]`"
        ],
    );
    check(
        "{:type :ok, :value \"a\\q\"}",
        expect![[r"line 1, column 24: expected an escape such as \n or \u0041, got `\q`"]],
    );
    check(
        "[{:type :ok}\n",
        expect!["line 2, column 1: expected the rest of the last event, got end of file"],
    );
}

#[test]
fn depth_is_limited() {
    let deep = format!("{{:type :ok, :value {}", "[".repeat(100_000));
    let error = read(&deep, Keyed::ByTag).unwrap_err().to_string();
    assert!(error.contains("expected at most 128 forms inside of each other"), "{error}");
    let discards = format!("{{:type :ok, :value {}", "#_".repeat(100_000));
    assert!(read(&discards, Keyed::ByTag).is_err());
}

#[test]
fn a_truncated_event_is_left_out_where_that_is_allowed() {
    let text = "[{:type :invoke, :process 0, :f :read}\n {:type :ok, :proc";
    let mut reader = EdnReader::new(Box::new(Cursor::new(text)), TruncatedTail::Tolerate);
    assert_eq!(reader.by_ref().map(Result::unwrap).count(), 1);
    assert_eq!(reader.truncated_line(), Some(2));
}

#[test]
fn what_is_written_is_read_again() {
    let mut events = notation::parse("p0 w1 ; p1 r1 | p2 c1:2? ; p3 r_ ...").unwrap();
    for event in &mut events {
        event.key = Some("k 1".into());
    }
    events[1].error = Some("it \"broke\"\n".into());
    events[2].node = Some("n1".into());
    let mut writer = EdnWriter::new();
    let mut bytes = Vec::new();
    for event in &events {
        // A completion may leave the key of its invocation out.
        let key = event.key.clone().filter(|_| event.kind == crate::history::EventKind::Invoke);
        writer.write(&mut bytes, &Event { key, ..event.clone() }).unwrap();
    }
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(read(&text, Keyed::Pairs).unwrap(), events, "{text}");
}
