//! `server ctl`, from its arguments to its answer.

use std::fs;

use clap::Parser;
use expect_test::{Expect, expect};
use serde_json::Value;
use server::cli::{CtlArgs, perform};

use crate::cluster::{Cluster, Kind};

#[derive(Parser)]
struct Ctl {
    #[command(flatten)]
    args: CtlArgs,
}

/// What it writes, what it complains of, and its exit code.
async fn ctl(arguments: &[&str]) -> (String, String, i32) {
    let arguments = ["ctl"].iter().chain(arguments);
    let args = Ctl::try_parse_from(arguments).unwrap().args;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = perform(args, &mut out, &mut err).await;
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), code)
}

/// Runs a command line for programs. Terms and revisions depend on elections, so they are hidden.
async fn check(cluster: &Cluster, line: &[&str], code: i32, expect: Expect) {
    let address = cluster.address(1);
    let mut arguments = vec!["--endpoints", &address, "--json"];
    arguments.extend(line);
    let (out, err, found) = ctl(&arguments).await;
    assert_eq!(found, code, "{out}{err}");
    let mut answer = String::new();
    for line in out.lines() {
        let mut json: Value = serde_json::from_str(line).unwrap();
        hide(&mut json, &address);
        answer.push_str(&json.to_string());
        answer.push('\n');
    }
    expect.assert_eq(&answer);
}

fn hide(json: &mut Value, address: &str) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                let varies = ["revision", "term", "lease", "token", "holder"];
                if varies.contains(&name.as_str()) && value.as_u64() != Some(0) {
                    *value = Value::from("_");
                } else {
                    hide(value, address);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| hide(value, address)),
        Value::String(text) if text == address => *text = "ADDRESS".to_owned(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_read_and_written() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    check(
        &cluster,
        &["get", "k"],
        3,
        expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"found":null}
    "#]],
    )
    .await;
    check(
        &cluster,
        &["put", "k", "v"],
        0,
        expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"previous":null}
    "#]],
    )
    .await;
    check(&cluster, &["append", "k", "!"], 0, expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"previous":{"key":"k","value":"v","revision":"_","version":1,"lease":0}}
    "#]])
    .await;
    check(&cluster, &["cas", "k", "w", "--expect", "x"], 3, expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"swapped":false,"previous":{"key":"k","value":"v!","revision":"_","version":2,"lease":0}}
    "#]])
    .await;
    check(&cluster, &["cas", "k", "w", "--expect", "v!"], 0, expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"swapped":true,"previous":{"key":"k","value":"v!","revision":"_","version":2,"lease":0}}
    "#]])
    .await;
    check(&cluster, &["delete", "k"], 0, expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"previous":{"key":"k","value":"w","revision":"_","version":3,"lease":0}}
    "#]])
    .await;
    check(
        &cluster,
        &["delete", "k"],
        3,
        expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"previous":null}
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_keys_at_once() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let create = "if version a == 0; then put a 1; then put b 2; else get a";
    check(&cluster, &["txn", create], 0, expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"held":true,"results":[{"key":"a","found":null},{"key":"b","found":null}]}
    "#]])
    .await;
    check(&cluster, &["txn", create], 3, expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"held":false,"results":[{"key":"a","found":{"value":"1","revision":"_","version":1,"lease":0}}]}
    "#]])
    .await;
    cluster.client(1).put("c", vec![0xff]).await.unwrap();
    check(&cluster, &["scan", "--after", "a"], 0, expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"found":[{"key":"b","value":"2","revision":"_","version":1,"lease":0},{"key":"c","value":{"base64":"/w=="},"revision":"_","version":1,"lease":0}],"more":false}
    "#]])
    .await;
    check(&cluster, &["watch", "--prefix", "c", "--revision", "1", "--count", "1"], 0, expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"changes":[{"revision":"_","key":"c","now":{"key":"c","value":{"base64":"/w=="},"revision":"_","version":1,"lease":0},"previous":null}]}
    "#]])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_and_locks() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    check(
        &cluster,
        &["lease", "grant", "60s"],
        0,
        expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"lease":"_","ttl_ms":60000}
    "#]],
    )
    .await;
    let mut client = cluster.client(1);
    let lease = client.grant_lease(std::time::Duration::from_secs(60)).await.unwrap().id;
    let lease = lease.to_string();
    check(&cluster, &["lock", "door", "--lease", &lease], 0, expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0},"acquired":true,"token":"_","holder":"_"}
    "#]])
    .await;
    check(
        &cluster,
        &["unlock", "door", "--token", "1"],
        3,
        expect![[r#"
        {"released":false}
    "#]],
    )
    .await;
    check(&cluster, &["lock", "door", "--lease", "1"], 1, expect![[r#"
        {"error":{"kind":"LEASE_NOT_FOUND","message":"the lease does not exist, or has ended","indefinite":false,"address":"ADDRESS","leader":null}}
    "#]])
    .await;
    check(
        &cluster,
        &["lease", "revoke", &lease],
        0,
        expect![[r#"
        {"header":{"revision":"_","term":"_","node":1,"group":0}}
    "#]],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_words_and_tables() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cluster.json");
    fs::write(&file, format!(r#"{{"nodes":{{"1":"{}"}}}}"#, cluster.address(1))).unwrap();
    let file = file.to_str().unwrap();
    let (out, _, code) = ctl(&["put", "k", "some value", "--cluster-file", file]).await;
    assert_eq!(code, 0);
    assert!(out.starts_with("done at revision ") && out.contains("did not exist"), "{out}");
    let (out, _, _) = ctl(&["get", "k", "--cluster-file", file]).await;
    assert_eq!(out, "some value\n");
    let (out, _, code) = ctl(&["status", "--cluster-file", file]).await;
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("address") && lines[1].contains("leader"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_a_code_and_a_hint() {
    let (_, err, code) = ctl(&["get", "k", "--endpoints", "nowhere"]).await;
    assert_eq!(code, 254, "{err}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let unreachable = ["put", "k", "v", "--timeout", "200ms", "--endpoints", &address];
    let (_, err, code) = ctl(&unreachable).await;
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("hint: "), "{err}");
    let cluster = Cluster::start(1, Kind::Memory).await;
    let (_, err, code) = ctl(&["txn", "then fly", "--endpoints", &cluster.address(1)]).await;
    assert_eq!(code, 254);
    assert!(err.contains("fly") && err.contains("hint: "), "{err}");
    let missing = ["get", "k", "--cluster-file", "/nowhere/cluster.toml"];
    let (_, err, code) = ctl(&missing).await;
    assert_eq!(code, 254);
    assert!(err.contains("/nowhere/cluster.toml"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_listed_and_added() {
    let cluster = Cluster::start(1, Kind::Memory).await;
    check(
        &cluster,
        &["group", "list"],
        0,
        expect![[r#"
        {"version":1,"groups":[{"id":0,"state":"active","members":[1],"leader":1,"share":1.0}],"migration":null}
    "#]],
    )
    .await;
    check(
        &cluster,
        &["group", "add"],
        0,
        expect![[r#"
        {"group":1}
    "#]],
    )
    .await;
    check(&cluster, &["group", "list"], 0, expect![[r#"
        {"version":6,"groups":[{"id":0,"state":"active","members":[1],"leader":1,"share":0.482472},{"id":1,"state":"active","members":[1],"leader":1,"share":0.517527}],"migration":null}
    "#]]).await;
    check(
        &cluster,
        &["rebalance"],
        0,
        expect![[r#"
        {"changes":0}
    "#]],
    )
    .await;
    let (out, _, code) = ctl(&["--endpoints", &cluster.address(1), "group", "list"]).await;
    assert_eq!(code, 0);
    let rows: Vec<&str> = out.lines().collect();
    assert_eq!(rows[0], "group  state   keys    leader  members");
    assert_eq!(rows.len(), 3);
    let (_, err, code) = ctl(&["--endpoints", &cluster.address(1), "scan"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("belong to several groups"), "{err}");
}
