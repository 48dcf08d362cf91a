//! The tests that FEATURES.md names are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the tests of a name are.
fn source(repository: &Path, module: &str) -> PathBuf {
    let roots = [
        ("integration/", "server/tests/integration/"),
        ("simulation", "harness/tests/simulation"),
        ("model_check", "harness/tests/model_check"),
        ("cluster/", "harness/tests/cluster/"),
        ("client/", "proto/src/client/"),
        ("", "server/src/"),
    ];
    let found = roots
        .iter()
        .find_map(|(prefix, root)| Some(format!("{root}{}.rs", module.strip_prefix(prefix)?)));
    repository.join(found.unwrap())
}

#[test]
fn every_test_that_is_named_exists() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(repository.join("server/FEATURES.md")).unwrap();
    let named: BTreeSet<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.contains("::") && !code.contains(' ') && !code.ends_with("TEST"))
        // A type of the library.
        .filter(|code| *code != "server::Server::start")
        .collect();
    assert!(named.len() > 80, "{}", named.len());
    let missing: Vec<&str> = named
        .into_iter()
        .filter(|name| {
            let (module, test) = name.split_once("::").unwrap();
            let source = fs::read_to_string(source(repository, module)).unwrap_or_default();
            let test = source.find(&format!("fn {test}("));
            // An attribute stands before it: it is no helper.
            !test.is_some_and(|at| source[..at].lines().rev().take(4).any(|it| it.contains("test")))
        })
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}
