//! `check`, `convert` and `verify` from outside: exit codes, what is printed, and what is written.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};

const STALE: &str = r#"{"process":0,"type":"invoke","f":"write","key":"x","value":1}
{"process":0,"type":"ok","f":"write","key":"x","value":1}
{"process":0,"type":"invoke","f":"write","key":"x","value":2}
{"process":0,"type":"ok","f":"write","key":"x","value":2}
{"process":1,"type":"invoke","f":"read","key":"x"}
{"process":1,"type":"ok","f":"read","key":"x","value":1}
"#;

const FINE: &str = "[{:process 0, :type :invoke, :f :write, :value 1}
 {:process 0, :type :info, :f :write, :value 1, :error :timeout}
 {:process 0, :type :invoke, :f :read, :value nil}
 {:process 0, :type :ok, :f :read, :value 1}]";

struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().expect("a folder can be made"));
        place.write("stale.jsonl", STALE);
        place.write("fine.edn", FINE);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("the folder is ours");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let output = self.command(arguments).output().expect("the binary is built");
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

#[track_caller]
fn check(place: &Place, arguments: &[&str], code: i32, stdout: Expect) {
    let ended = place.run(arguments);
    assert_eq!(ended.code, code, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
    stdout.assert_eq(&ended.stdout);
}

#[test]
fn an_invalid_history_is_explained_and_drawn() {
    check(
        &Place::new(),
        &["check", "stale.jsonl", "--model", "register"],
        1,
        expect![[r#"
        stale.jsonl: Invalid  linearizable: 1 of 1 key cannot be explained by any order; still, there is an order that keeps that of each process (sequential consistency)
          3 operations on key x that no order explains:
          1. A wrote 1 and was acknowledged at event 1.
          2. B wrote 2 and was acknowledged at event 3; it began after A was done, so 1 came before 2.
          3. C began at event 4, after B was done, and still read 1, the value before 2.
          4. Nothing wrote 1 again in between, and nobody ever saw 2: the acknowledged write by B was lost, or C's read was stale.

            A  write 1    p0 ├───────┤                                         (1) then 1
            B  write 2    p0                 ├───────┤                         (2) then 2
            C  read -> 1  p1                                 ├───────┤         ✗ cannot come next
            makes sense so far: A (then 1), B (then 2)
            ✗ C cannot come next: it read 1, but the register holds 2
    "#]],
    );
}

#[test]
fn a_page_says_why_and_shows_it() {
    let place = Place::new();
    let arguments = ["check", "stale.jsonl", "--model", "register", "--html", "page.html"];
    assert_eq!(place.run(&arguments).code, 1);
    let page = std::fs::read_to_string(place.path("page.html")).expect("it was written");
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing"));
    assert!(at("Invalid: stale.jsonl") < at("and still read 1, the value before 2"));
    assert!(at("and still read 1, the value before 2") < at("<svg class=\"chart lanes wide\""));
    let two = ["check", "stale.jsonl", "fine.edn", "--model", "register", "--html", "page.html"];
    assert!(place.run(&two).stderr.contains("hint: check one file at a time"));
}

#[test]
fn a_process_that_goes_on_after_an_info_is_taken_as_two() {
    let place = Place::new();
    let ended = place.run(&["check", "fine.edn", "--model", "cas-register"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("fine.edn: 1 process went on after an info"), "{}", ended.stderr);
}

#[test]
fn names_that_are_unknown_come_with_those_that_are_known() {
    let place = Place::new();
    for (arguments, words) in [
        (&["check", "stale.jsonl"][..], "which model?\nhint: --model, one of register"),
        (&["check", "stale.jsonl", "--model", "kettle"], "unknown model \"kettle\"\nhint: one of"),
        (
            &["check", "stale.jsonl", "--model", "register", "--property", "hot"],
            "unknown property \"hot\" of the model register\nhint: one of linearizable",
        ),
        (&["check", "stale.jsonl", "--format", "runes"], "jsonl, edn, jepsen-log"),
        (&["check", "--manifest", "gone.tsv"], "read gone.tsv"),
        (&["verify", "stale.jsonl", "stale.jsonl"], "read stale.jsonl"),
    ] {
        let ended = place.run(arguments);
        assert_eq!(ended.code, 254, "{arguments:?}");
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn evidence_is_confirmed_and_forged_evidence_refuted() {
    let place = Place::new();
    for (file, code, sample) in [("stale.jsonl", 1, "[0,4]"), ("fine.edn", 0, "[2]")] {
        let arguments = ["check", file, "--model", "register", "--evidence", "evidence.json"];
        assert_eq!(place.run(&arguments).code, code);
        let verified = place.run(&["verify", "evidence.json", file]);
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
        assert!(verified.stdout.contains("confirmed"), "{}", verified.stdout);
        let text = std::fs::read_to_string(place.path("evidence.json")).unwrap();
        let before = if code == 1 { "[0,2,4]" } else { "[0,2]" };
        assert!(text.contains(before), "{text}");
        place.write("forged.json", &text.replace(before, sample));
        let forged = place.run(&["verify", "forged.json", file]);
        assert!(forged.code == 1 || forged.code == 2, "{}", forged.stdout);
        assert!(!forged.stdout.contains(": confirmed"), "{}", forged.stdout);
    }
}

#[test]
fn two_opinions_agree() {
    let place = Place::new();
    for (file, code) in [("stale.jsonl", 1), ("fine.edn", 0)] {
        let ended = place.run(&["check", file, "--model", "register", "--doublecheck", "--json"]);
        assert_eq!(ended.code, code, "{}", ended.stderr);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["contradiction"], serde_json::Value::Null);
        assert_eq!(report["verdict"], if code == 0 { "valid" } else { "invalid" });
    }
}

#[test]
fn formats_are_converted_there_and_back() {
    let place = Place::new();
    let edn = place.run(&["convert", "stale.jsonl", "--to", "edn"]);
    assert!(edn.stdout.starts_with(
        "{:index 0, :time 0, :type :invoke, :process 0, :f :write, :value [\"x\" 1]}\n"
    ));
    place.write("stale.edn", &edn.stdout);
    assert_eq!(place.run(&["convert", "stale.edn", "--independent", "-o", "again.jsonl"]).code, 0);
    let directly = place.run(&["convert", "stale.jsonl"]).stdout;
    assert_eq!(std::fs::read_to_string(place.path("again.jsonl")).unwrap(), directly);
    let checked = ["check", "stale.edn", "--independent", "--model", "register"];
    assert_eq!(place.run(&checked).code, 1);
}

#[test]
fn a_manifest_is_judged_row_by_row() {
    let place = Place::new();
    let row = |file: &str, verdict: &str, model: &str| {
        format!("{verdict}\t{file}\t{model}\tlinearizable\tnull\n")
    };
    let header = "verdict\tfile\tmodel\tproperty\tinit\n";
    let good = row("stale.jsonl", "not-linearizable", "register")
        + &row("fine.edn", "linearizable", "cas-register");
    let run = |rows: &str| {
        place.write("table.tsv", &format!("{header}{rows}"));
        place.run(&["check", "--manifest", "table.tsv"])
    };
    let ended = run(&good);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains("2 agree, 0 undecided, 0 disagree, 0 failed"),
        "{}",
        ended.stdout
    );
    let ended = run(&format!("{good}{}", row("stale.jsonl", "valid", "kettle")));
    assert_eq!(ended.code, 2, "{}", ended.stdout);
    assert!(
        ended.stdout.contains("NOT JUDGED  1 row: there is no checker for kettle"),
        "{}",
        ended.stdout
    );
    let ended = run(&format!("{good}{}", row("stale.jsonl", "linearizable", "register")));
    assert_eq!(ended.code, 1, "{}", ended.stdout);
    assert!(ended.stdout.contains("DISAGREES"), "{}", ended.stdout);
    let ended = run(&row("gone.jsonl", "linearizable", "register"));
    assert_eq!(ended.code, 1, "{}", ended.stdout);
    assert!(
        ended.stdout.contains("open ") && ended.stdout.contains("gone.jsonl"),
        "{}",
        ended.stdout
    );
}

/// One register under many clients whose writes are all crashed and of few values: hard for anyone.
fn hard(path: &Path) {
    let mut text = String::new();
    let mut line = |process: u64, kind: &str, f: &str, value: String| {
        text += &format!(
            "{{\"process\":{process},\"type\":\"{kind}\",\"f\":\"{f}\",\"value\":{value}}}\n"
        );
    };
    let mut state: u64 = 1;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for round in 0..200 {
        for client in 0..40 {
            let process = round * 40 + client;
            let cas = format!("[{},{}]", random(6), random(6));
            line(
                process,
                "invoke",
                if client % 2 == 0 { "cas" } else { "read" },
                if client % 2 == 0 { cas } else { "null".to_owned() },
            );
        }
        for client in (1..40).step_by(2) {
            line(round * 40 + client, "ok", "read", random(6).to_string());
        }
    }
    std::fs::write(path, text).expect("the folder is ours");
}

#[test]
fn budgets_are_kept() {
    let place = Place::new();
    hard(&place.path("hard.jsonl"));
    let began = Instant::now();
    let arguments = [
        "check",
        "hard.jsonl",
        "--model",
        "register",
        "--initial",
        "0",
        "--time-budget",
        "1s",
        "--json",
    ];
    let ended = place.run(&arguments);
    assert!([0, 1, 2].contains(&ended.code), "{}", ended.stderr);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let seconds = report["spent"]["seconds"].as_f64().unwrap();
    assert!(seconds < 1.5, "{seconds} s, {:?} in all", began.elapsed());
    let ended =
        place.run(&["check", "stale.jsonl", "--model", "register", "--memory-budget", "1KiB"]);
    assert_eq!(ended.code, 2, "{}", ended.stdout);
    assert!(ended.stdout.contains("memory budget"), "{}", ended.stdout);
}

#[test]
fn ctrl_c_gives_what_is_known() {
    let place = Place::new();
    // Nothing ever comes from this stdin, so that the check would wait for ever.
    let mut child = place
        .command(&["check", "-", "--model", "register", "--time-budget", "10m"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let blocked = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line =
            status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).map(str::to_owned);
        line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while blocked() & 0b10 == 0 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(output.status.code(), Some(2));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("stopped by Ctrl-C"), "{stdout}");
}
