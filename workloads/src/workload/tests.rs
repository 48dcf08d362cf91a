//! What each workload takes for right and for wrong, with linearizable and with local reads.

use crate::checker::script::judged_with;
use crate::checker::{CheckOptions, Verdict, checker};
use crate::registry::{WORKLOADS, workload};

use super::{Expectation, Workload};

/// The worst verdict on a history in the notation of `checker::script`.
fn verdict(workload: &Workload, expectations: &[Expectation], text: &str) -> Verdict {
    let options = CheckOptions { total: workload.total, ..CheckOptions::default() };
    let verdicts = expectations.iter().map(|expected| {
        let checker = checker(expected.model, Some(expected.property)).unwrap();
        judged_with(checker.check, &options, text).verdict
    });
    verdicts.max().unwrap()
}

/// A history, and what it is with linearizable and with local reads.
struct Case {
    workload: &'static str,
    history: &'static str,
    linearizable: Verdict,
    local: Verdict,
}

const fn right(workload: &'static str, history: &'static str) -> Case {
    Case { workload, history, linearizable: Verdict::Valid, local: Verdict::Valid }
}

const fn wrong(workload: &'static str, history: &'static str) -> Case {
    Case { workload, history, linearizable: Verdict::Invalid, local: Verdict::Invalid }
}

/// Wrong, unless reads may be old.
const fn stale(workload: &'static str, history: &'static str) -> Case {
    Case { workload, history, linearizable: Verdict::Invalid, local: Verdict::Valid }
}

const CASES: &[Case] = &[
    right("register", "0 @x write 1 ; 1 @x read -> 1 ; 1 @x cas [1,2] ; 0 @x read -> 2"),
    stale("register", "0 @x write 1 ; 0 @x write 2 ; 1 @x read -> 1"),
    wrong("register", "0 @x write 1 ; 0 @x cas [1,2] ; 1 @x cas [1,3]"),
    right("cas-register", "0 @x write 1 ; 1 @x cas [1,2] ; 0 @x write 1 ; 1 @x cas [1,2]"),
    stale("cas-register", "0 @x write 1 ; 0 @x write 2 ; 1 @x read -> 1"),
    wrong("cas-register", "0 @x cas [0,2]"),
    right("multi-register", r#"0 @x txn [["w",0,1],["w",1,2]] ; 1 @x txn [["r",1,2],["r",0,1]]"#),
    stale("multi-register", r#"0 @x txn [["w",0,1]] ; 1 @x txn [["r",0,null]]"#),
    wrong(
        "multi-register",
        r#"0 @x txn [["w",0,1],["w",1,2]] ; 1 @x txn [["r",0,1],["r",1,null]]"#,
    ),
    right("kv", "0 @x write 1 ; 0 @x delete ; 1 @x read -> null ; 1 @x write 2"),
    stale("kv", "0 @x write 1 ; 0 @x delete ; 1 @x read -> 1"),
    wrong("kv", "0 @x write 1 ; 0 @x delete ; 1 @x cas [1,2]"),
    right(
        "kv-append",
        r#"0 @x write "1," ; 0 @x append "2," ; 1 @x scan -> "1,2," ; 0 @x delete ; 1 @x append "3," ; 0 @x read -> "3,""#,
    ),
    stale("kv-append", r#"0 @x write "1," ; 0 @x delete ; 1 @x scan -> "1,""#),
    wrong("kv-append", r#"0 @x append "1," ; 0 @x append "2," ; 1 @x read -> "2,""#),
    right("mixed-sizes", "0 @x write 1 ; 1 @x read -> 1"),
    wrong("mixed-sizes", r#"0 @x write 1 ; 1 @x read -> "damaged""#),
    right("hot-key", r#"0 @hot-0 write 1 ; 1 @hot-0 read -> 1"#),
    stale("hot-key", "0 @hot-0 write 1 ; 1 @hot-0 read -> null"),
    wrong("hot-key", "0 @hot-0 write 1 ; 1 @hot-0 read -> 7"),
    right("set", "0 @x add 1 ; 1 @x read -> [1]"),
    stale("set", "0 @x add 1 ; 1 @x read -> []"),
    wrong("set", "0 @x add 1 ; 1 @x add 2 ; 0 @x read -> [2] ; 0 @x read -> [1]"),
    right("set-full", "0 @x add 1 ; 1 @x read -> [1]"),
    stale("set-full", "0 @x add 1 ; 1 @x read -> []"),
    wrong("set-full", "0 @x add 1 ; 1 @x add 2 ; 0 @x read -> [2] ; 0 @x read -> [1]"),
    right("lock-set", "0 @x add 1 ; 1 @x read -> [1]"),
    stale("lock-set", "0 @x add 1 ; 1 @x read -> []"),
    wrong("lock-set", "0 @x add 1 ; 1 @x add 2 ; 0 @x read -> [2] ; 0 @x read -> [1]"),
    right("append", r#"0 txn [["append",1,1]] ; 1 txn [["r",1,null]] -> [["r",1,[1]]]"#),
    stale("append", r#"0 txn [["append",1,1]] ; 1 txn [["r",1,null]] ; 1 txn [["r",1,[1]]]"#),
    wrong(
        "append",
        r#"0 txn [["append",1,1]] ; 1 txn [["append",1,2],["r",1,[2]]] ; 0 txn [["r",1,[1,2]]]"#,
    ),
    right("wr", r#"0 txn [["w",1,1]] ; 1 txn [["r",1,1]]"#),
    stale("wr", r#"0 txn [["w",1,1]] ; 1 txn [["r",1,null]] ; 1 txn [["r",1,1]]"#),
    wrong("wr", r#"0 txn [["w",1,1],["w",1,2]] ; 1 txn [["r",1,1]]"#),
    right("long-fork", r#"0 txn [["w",0,1]] ; 1 txn [["r",0,1],["r",1,null]] ; 0 txn [["w",1,1]]"#),
    stale("long-fork", r#"0 txn [["w",0,1]] ; 1 txn [["r",0,null],["r",1,null]]"#),
    wrong(
        "long-fork",
        r#"0 txn [["w",0,1]] | 1 txn [["w",1,1]] | 2 txn [["r",0,1],["r",1,null]] | 3 txn [["r",0,null],["r",1,1]]"#,
    ),
    right("counter", "0 @x add 2 ; 1 @x read -> 2"),
    stale("counter", "0 @x add 2 ; 1 @x read -> 0"),
    wrong("counter", "0 @x add 2 ; 1 @x read -> 3"),
    right("queue", "0 @x enqueue 1 ; 1 @x dequeue -> 1 ; 1 @x dequeue -> null"),
    wrong("queue", "0 @x enqueue 1 ; 1 @x dequeue -> 1 ; 0 @x dequeue -> 1"),
    right(
        "log",
        r#"0 send [["send",0,1]] -> [["send",0,[0,1]]] ; 1 poll [["poll",{"0":[]}]] -> [["poll",{"0":[[0,1]]}]]"#,
    ),
    stale("log", r#"0 send [["send",0,1]] -> [["send",0,[0,1]]] ; 1 poll [["poll",{"0":[]}]]"#),
    wrong(
        "log",
        r#"0 send [["send",0,1]] -> [["send",0,[0,1]]] ; 1 poll [["poll",{"0":[]}]] -> [["poll",{"0":[[0,2]]}]]"#,
    ),
    right(
        "lock",
        r#"0 @x acquire -> {"token":1,"lease-ms":700} ; 0 @x use {"token":1} ; 0 @x release ; 1 @x acquire -> {"token":2,"lease-ms":700}"#,
    ),
    wrong(
        "lock",
        r#"0 @x acquire -> {"token":1,"lease-ms":700} ; 1 @x acquire -> {"token":2,"lease-ms":700}"#,
    ),
    wrong(
        "lock",
        r#"0 @x acquire -> {"token":1,"lease-ms":1} ; 1 @x acquire -> {"token":2,"lease-ms":1} ; 1 @x use {"token":2} ; 0 @x use {"token":1}"#,
    ),
    right(
        "lease",
        r#"0 @x acquire -> {"token":1,"lease-ms":700,"lease":5} ; 0 @x acquire {"lease":5} -> {"lease-ms":700,"lease":5} ; 0 @x release"#,
    ),
    wrong(
        "lease",
        r#"0 @x acquire -> {"token":1,"lease-ms":3,"lease":5} ; 0 @x acquire {"lease":5} -> {"lease-ms":9,"lease":5} ; 1 @x acquire -> {"token":9,"lease-ms":3}"#,
    ),
    right("unique-ids", "0 generate -> 1 ; 1 generate -> 2"),
    wrong("unique-ids", "0 generate -> 1 ; 1 generate -> 1"),
    right(
        "watch",
        r#"0 put ["a",1] -> {"revision":1} ; 1 watch {"prefix":"a","from":1} -> [{"events":[{"revision":1,"key":"a","value":1,"prev":null,"create":true}],"progress":1}]"#,
    ),
    wrong(
        "watch",
        r#"0 put ["a",1] -> {"revision":1} ; 1 watch {"prefix":"a","from":1} -> [{"events":[],"progress":1}]"#,
    ),
    right(
        "monotonic",
        r#"0 @x add -> [1,10] ; 1 @x read "rows" -> [[1,10]] ; 1 @x read "greatest" -> 1"#,
    ),
    stale("monotonic", r#"0 @x add -> [1,10] ; 1 @x read "rows" -> []"#),
    wrong("monotonic", r#"0 @x read "greatest" -> 2 ; 0 @x read "greatest" -> 1"#),
    right("sequential", "0 @x write 3 ; 1 @x read 3 -> [null,1,0]"),
    wrong("sequential", "0 @x write 3 ; 1 @x read 3 -> [2,null,0]"),
    right("session", "0 @x write 1 ; 0 @x read -> 1"),
    stale("session", "0 @x write 1 ; 0 @x read -> null"),
    wrong("session", "0 @x write 1 ; 1 @x read -> 1 ; 1 @x read -> null"),
];

#[test]
fn histories_are_judged_as_the_workload_says() {
    for case in CASES {
        let workload = workload(case.workload).expect("a case names a workload");
        let judged = |expectations| verdict(workload, expectations, case.history);
        let verdicts = (judged(workload.expectations), judged(workload.local_expectations));
        let expected = (case.linearizable, case.local);
        assert_eq!(verdicts, expected, "{}: {}", case.workload, case.history);
    }
}

/// What a bank reads is longer than a line; its checker has tests of its own.
#[test]
fn every_workload_has_a_right_and_a_wrong_history() {
    for listed in WORKLOADS.iter().filter(|listed| listed.name != "bank") {
        let verdicts = CASES.iter().filter(|case| case.workload == listed.name);
        let verdicts: Vec<Verdict> = verdicts.map(|case| case.linearizable).collect();
        for verdict in [Verdict::Valid, Verdict::Invalid] {
            assert!(verdicts.contains(&verdict), "{} has no {verdict:?} history", listed.name);
        }
    }
}
