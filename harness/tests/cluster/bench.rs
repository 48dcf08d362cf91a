//! `harness bench`: short ones, whose numbers mean little, but must be there and fit together.

use serde_json::Value;

use crate::TestFn;
use crate::binary::{Place, Skipped};

pub(crate) const TESTS: &[(&str, TestFn)] = &[
    ("bench::the_store_alone", the_store_alone),
    ("bench::beside_etcd", beside_etcd),
    ("bench::without_etcd_there_is_a_hint", without_etcd_there_is_a_hint),
];

const SHORT: [&str; 11] = [
    "bench",
    "--clients",
    "1,4",
    "--rounds",
    "2",
    "--duration",
    "300ms",
    "--warm-up",
    "100ms",
    "--keys",
    "50",
];

#[track_caller]
fn assert_measured(report: &Value, systems: &[&str]) {
    let rounds = report["rounds"].as_array().expect("there are rounds");
    assert_eq!(rounds.len(), 2 * 2 * 2 * systems.len());
    for it in rounds {
        assert!(systems.contains(&it["system"].as_str().expect("a name")), "{it:#}");
        assert_eq!((&it["errors"], &it["unfinished"]), (&0.into(), &0.into()), "{it:#}");
        let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{it:#}"));
        for positive in ["throughput", "server_cpu_per_1000", "client_cpu_per_1000"] {
            assert!(number(&it[positive]) > 0.0, "{positive}: {it:#}");
        }
        let latency = &it["latency"];
        assert!(0.0 < number(&latency["p50"]), "{it:#}");
        assert!(number(&latency["p50"]) <= number(&latency["p99"]), "{it:#}");
        assert!(number(&it["disk"]["p50"]) > 0.0, "{it:#}");
        assert_eq!(it["servers"].as_array().map(Vec::len), Some(3), "{it:#}");
    }
    assert_eq!(report["findings"], Value::Array(Vec::new()));
    assert_eq!(report["exit_code"], 0);
}

fn the_store_alone() -> Result<(), Skipped> {
    let place = Place::new();
    let ended = place.expect_run(0, &SHORT)?;
    for words in ["put", "get", "clients", "all numbers: results/bench/"] {
        assert!(ended.stdout.contains(words), "{words:?} in {}", ended.stdout);
    }
    let run = place.only_run();
    let report = run.json("bench.json");
    assert_measured(&report, &["store"]);
    assert_eq!(report["ratio"]["throughput"], Value::Object(serde_json::Map::new()));
    assert!(!run.text("nodes/store/n1/log").is_empty());
    assert!(!run.0.join("nodes/store/n1/data").exists(), "data is removed");
    assert!(!run.0.join("nodes/disk-probe").exists(), "the probe is removed");
    place.assert_nothing_runs();
    Ok(())
}

fn beside_etcd() -> Result<(), Skipped> {
    if std::process::Command::new("etcd").arg("--version").output().is_err() {
        return Err(Skipped("there is no etcd on the PATH".to_owned()));
    }
    let place = Place::new();
    let arguments: Vec<&str> =
        SHORT.into_iter().chain(["--compare", "etcd", "--json", "--data", "elsewhere"]).collect();
    let ended = place.expect_run(0, &arguments)?;
    let report: Value = serde_json::from_str(&ended.stdout).expect("stdout is JSON");
    assert_eq!(report, place.only_run().json("bench.json"));
    assert_measured(&report, &["store", "etcd"]);
    for ratio in ["throughput", "p99", "server_cpu_per_1000"] {
        for operation in ["put", "get"] {
            for clients in ["1", "4"] {
                let ratio = report["ratio"][ratio][operation][clients].as_f64();
                assert!(ratio.is_some_and(|it| it > 0.0), "{:#}", report["ratio"]);
            }
        }
    }
    assert!(place.path().join("elsewhere").is_dir(), "data lies where it should");
    place.assert_nothing_runs();
    Ok(())
}

fn without_etcd_there_is_a_hint() -> Result<(), Skipped> {
    let place = Place::new();
    let mut command = place.command(&["bench", "--compare", "etcd"]);
    command.env("PATH", "/nowhere");
    let ended = place.start_command(command).wait();
    ended.assert_code(255);
    assert!(ended.stderr.contains("etcd --version: No such file"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: apt-get install etcd-server"), "{}", ended.stderr);
    assert!(place.runs().is_empty(), "nothing was started");
    place.assert_nothing_runs();
    Ok(())
}
