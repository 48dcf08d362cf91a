//! From flags and files to a configuration, and back.

use std::fs;
use std::time::Duration;

use clap::Parser;

use crate::bug::Bugs;

use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    serve: ServeArgs,
}

fn config(arguments: &str) -> Result<ServerConfig, String> {
    let arguments = ["serve"].into_iter().chain(arguments.split_whitespace());
    let command = Command::try_parse_from(arguments).map_err(|error| error.to_string())?;
    command.serve.into_config().map_err(|error| error.to_string())
}

#[track_caller]
fn refused(arguments: &str, words: &str) {
    let error = config(arguments).unwrap_err();
    assert!(error.contains(words), "{error}");
}

/// Understood, and then refused by the check.
#[track_caller]
fn senseless(arguments: &str, words: &str) {
    let error = config(arguments).unwrap().check().unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[track_caller]
fn file(content: &str, arguments: &str) -> Result<ServerConfig, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.toml");
    fs::write(&path, content).unwrap();
    config(&format!("--config {} {arguments}", path.display()))
}

const TWO: &str = "--node 2 --peers 1=127.0.0.1:7001,2=127.0.0.2:7002";

#[test]
fn defaults_make_a_node() {
    let config = config(TWO).unwrap();
    assert_eq!(config.listen, "127.0.0.2:7002".parse().unwrap());
    assert_eq!(config.advertise, "127.0.0.2:7002");
    assert_eq!(config.storage, Storage::Rocksdb { data: "data-2".into() });
    assert_eq!((config.tick, config.seed), (Duration::from_millis(50), 2));
    assert_eq!(config.limits, Limits::STANDARD);
    config.check().unwrap();
}

#[test]
fn a_single_node_needs_no_flag_but_its_mode() {
    let config = config("--mode single").unwrap();
    assert_eq!(config.listen, "127.0.0.1:7001".parse().unwrap());
    assert_eq!((config.node.0, config.peers.len(), config.has_peers()), (1, 1, false));
    config.check().unwrap();
}

#[test]
fn a_joining_node_knows_itself() {
    let config = config("--join --node 4 --listen 127.0.0.1:7004").unwrap();
    assert_eq!(config.peers.len(), 1);
    assert!(config.has_peers());
    config.check().unwrap();
}

#[test]
fn host_names_need_a_listen_address() {
    let peers = "--node 1 --peers 1=one.example:7001";
    refused(peers, "--listen");
    config(&format!("{peers} --listen 127.0.0.1:7001")).unwrap();
}

#[test]
fn nonsense_is_refused_with_its_reason() {
    refused("--node 1 --peers 1", "NUMBER=HOST:PORT");
    refused("--node 1 --peers 1=a", "HOST:PORT");
    refused("--node 1 --peers x=a:1", "number of a node");
    refused("--node 1 --peers 1=a:1,1=b:1", "twice");
    refused("--node 3 --peers 1=a:1", "not in --peers");
    refused("--node 3 --listen 127.0.0.1:1 --peers 1=a:1", "not in --peers");
    refused("--node 1 --peers 1=a:1 --tick 5", "50ms");
    refused("--node 1 --peers 1=a:1 --storage tape", "rocksdb");
    refused("--node 1 --peers 1=1.1.1.1:1 --bug nope", "local-reads");
    refused("--peers 1=1.1.1.1:1", "--node");
    refused("--node 1", "--listen");
    refused("--mode single --peer-tls a.crt,a.key", "--peer-ca");
    refused("--mode single --client-tls a.crt", "CERT,KEY");
}

#[cfg(not(feature = "planted-bugs"))]
#[test]
fn bugs_need_their_feature() {
    refused("--node 1 --peers 1=1.1.1.1:1 --bug early-ack", "planted-bugs");
}

#[test]
fn presets_set_the_election_timeout() {
    for (preset, millis) in [("fast", 50), ("standard", 500), ("slow", 5_000)] {
        let config = config(&format!("--mode single --timing {preset}")).unwrap();
        config.check().unwrap();
        let timeout = config.tick * u32::try_from(config.election_ticks).unwrap();
        assert_eq!(timeout, Duration::from_millis(millis), "{preset}");
        assert!(config.heartbeat_ticks * 5 <= config.election_ticks, "{preset}");
    }
    let config = config("--mode single --timing fast --election-ticks 20").unwrap();
    assert_eq!((config.tick, config.election_ticks), (Duration::from_millis(5), 20));
}

#[test]
fn flags_win_over_set_and_set_over_the_file() {
    let text = "node = 1\ncluster = \"file\"\nshards = 2\n[limits]\nkey-bytes = 7\nscan-keys = 7\n\
                [peers]\n1 = \"127.0.0.1:7001\"\n";
    let all = "--set cluster=set --set limits.key-bytes=8 --set shards=8 --shards 9";
    let config = file(text, all).unwrap();
    assert_eq!(config.cluster, "set");
    assert_eq!((config.limits.key_bytes_max, config.limits.scan_keys_max), (8, 7));
    assert_eq!(config.shards, 9);
    assert_eq!(config.limits.value_bytes_max, Limits::STANDARD.value_bytes_max);
}

#[test]
fn a_wrong_file_is_refused_with_file_line_and_known_keys() {
    let error = file("node = 1\n\n[limits]\nkey-byte = 5\n", "").unwrap_err();
    for words in ["node.toml", "line 4", "key-byte", "value-bytes", "hint: "] {
        assert!(error.contains(words), "{words}: {error}");
    }
    let error = file("node = 1\n[timing]\ntick = \"5 apples\"\n", "").unwrap_err();
    assert!(error.contains("line 3") && error.contains("apple"), "{error}");
    let error = file("node = -1\n", "").unwrap_err();
    assert!(error.contains("line 1"), "{error}");
    refused("--config /nowhere/node.toml", "/nowhere/node.toml");
    refused("--set nonsense", "hint: ");
    refused("--set limits.nonsense=1", "limits.nonsense");
    refused("--set limits.key-bytes=many", "key-bytes");
}

#[test]
fn the_sample_is_the_defaults() {
    let sample: Settings = toml::from_str(SAMPLE).unwrap();
    assert_eq!(sample, Settings::default());
}

/// What is commented out in the sample is right too: with all of it in force it can be read.
#[test]
fn every_key_is_in_the_sample() {
    let uncomment = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') => rest.to_owned(),
        Some(rest) if rest.split(' ').nth(1) == Some("=") => rest.to_owned(),
        Some(_) | None => line.to_owned(),
    };
    let text: Vec<String> = SAMPLE.lines().map(uncomment).collect();
    let all: Settings = toml::from_str(&text.join("\n")).unwrap();
    let security = &all.security;
    assert!(security.client_tls.as_ref().unwrap().ca.is_some() && security.peer_tls.is_some());
    assert!(security.token_file.is_some() && security.cluster_token_file.is_some());
    assert!(all.seed.is_some() && all.data.is_some() && all.http.advertise.is_some());
    assert!(all.advertise.is_some() && all.peer_listen.is_some() && all.listen.is_some());
    assert_eq!(all.peers.len(), 3);
    let timing = &all.timing;
    assert!(timing.tick.is_some() && timing.election_ticks.is_some());
    let resolved = all.resolve(Bugs::NONE).unwrap();
    resolved.check().unwrap();
}

#[test]
fn what_is_printed_gives_the_same_configuration() {
    let tls = "--client-tls c.crt,c.key --client-ca ca.crt --peer-tls p.crt,p.key --peer-ca p.ca";
    for arguments in [
        "--mode single".to_owned(),
        TWO.to_owned(),
        format!("{TWO} --timing slow --http 127.0.0.1:9001 --storage memory --fsync off --join"),
        format!("{TWO} --listen 127.0.0.1:1 --peer-listen 127.0.0.1:2 {tls} --token-file t"),
        format!("{TWO} --cluster-token-file x --set limits.lease-ttl-max=90s --seed 7"),
    ] {
        let config = config(&arguments).unwrap();
        let printed = Settings::of(&config).to_toml();
        let again: Settings = toml::from_str(&printed).unwrap();
        assert_eq!(again.resolve(Bugs::NONE).unwrap(), config, "{printed}");
    }
}

#[test]
fn beyond_loopback_something_must_keep_strangers_out() {
    let far = "--node 1 --peers 1=10.0.0.1:7001,2=10.0.0.2:7001";
    senseless(far, "--insecure-bind");
    config(&format!("{far} --insecure-bind")).unwrap().check().unwrap();
    senseless("--mode single --http 0.0.0.0:9001", "HTTP clients");
    senseless("--mode single --listen [::]:7001", "clients listen");
    config("--mode single --listen [::1]:7001").unwrap().check().unwrap();

    let tls = "--client-tls c.crt,c.key";
    let single = "--mode single --listen 10.0.0.1:7001";
    senseless(&format!("{single} {tls}"), "CA or tokens");
    config(&format!("{single} {tls} --client-ca ca.crt")).unwrap().check().unwrap();
    config(&format!("{single} {tls} --token-file t")).unwrap().check().unwrap();
    senseless(&format!("{single} --token-file t"), "security.client-tls");

    let listen = "--listen 10.0.0.1:7001 --peer-listen 10.0.0.1:8001";
    let clients = format!("{far} {listen} {tls} --client-ca ca.crt");
    senseless(&format!("{clients} --cluster-token-file c"), "security.peer-tls");
    let all = format!("{clients} --peer-tls p.crt,p.key --peer-ca p.ca");
    config(&all).unwrap().check().unwrap();
}

#[test]
fn security_without_holes_or_not_at_all() {
    senseless(&format!("{TWO} --token-file t"), "cluster-token-file");
    config(&format!("{TWO} --token-file t --cluster-token-file c")).unwrap().check().unwrap();
    senseless(&format!("{TWO} --client-tls a,b"), "--peer-listen");
    senseless(&format!("{TWO} --peer-tls a,b --peer-ca c"), "--peer-listen");
    let no_ca = "--set security.peer-tls.cert=a --set security.peer-tls.key=b";
    refused(&format!("{TWO} {no_ca}"), "key");
}

#[test]
fn senseless_numbers_are_refused() {
    senseless("--mode single --election-ticks 2", "heartbeat");
    senseless("--mode single --tick 0ms", "millisecond");
    senseless("--mode single --shards 0", "shards");
    senseless("--mode single --shards 65", "between 1 and 64");
    senseless("--mode single --set limits.connections=0", "limits.connections");
    senseless("--mode single --set limits.value-bytes=4194304", "limits.message-bytes");
    senseless("--mode single --join", "mode single");
    senseless("--mode single --http 127.0.0.1:7001", "two listeners");
}
