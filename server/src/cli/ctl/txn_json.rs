//! Transactions as JSON.

use proto::client::{Comparison, Step, Txn};
use serde::Deserialize;

use super::txn::Parsed;
use super::txn_text::relation;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    compare: Vec<Condition>,
    #[serde(default)]
    then: Vec<Operation>,
    #[serde(default)]
    otherwise: Vec<Operation>,
}

/// One of the three right sides is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    key: String,
    relation: String,
    value: Option<String>,
    version: Option<u64>,
    revision: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Operation {
    Get {
        key: String,
    },
    Put {
        key: String,
        value: String,
        #[serde(default)]
        lease: u64,
    },
    Delete {
        key: String,
    },
    Append {
        key: String,
        suffix: String,
    },
}

/// Reads a transaction. The error says what is wrong, and where.
pub(super) fn parse(text: &str) -> Result<Parsed, String> {
    let document: Document =
        serde_json::from_str(text).map_err(|error| format!("the transaction: {error}"))?;
    let mut parsed = Parsed { txn: Txn::new(), then: Vec::new(), otherwise: Vec::new() };
    let mut txn = Txn::new();
    for condition in document.compare {
        txn = txn.when(comparison(condition)?);
    }
    for operation in document.then {
        let (key, step) = step(operation);
        parsed.then.push(key);
        txn = txn.then(step);
    }
    for operation in document.otherwise {
        let (key, step) = step(operation);
        parsed.otherwise.push(key);
        txn = txn.otherwise(step);
    }
    if txn.is_empty() {
        return Err("the transaction is empty".to_owned());
    }
    parsed.txn = txn;
    Ok(parsed)
}

fn comparison(condition: Condition) -> Result<Comparison, String> {
    let Condition { key, relation: sign, value, version, revision } = condition;
    let relation = relation(&sign)?;
    match (value, version, revision) {
        (Some(value), None, None) => Ok(Comparison::value(key, relation, value)),
        (None, Some(version), None) => Ok(Comparison::version(key, relation, version)),
        (None, None, Some(revision)) => Ok(Comparison::revision(key, relation, revision)),
        _ => Err(format!("the comparison of {key:?} needs a value, a version or a revision")),
    }
}

fn step(operation: Operation) -> (String, Step) {
    match operation {
        Operation::Get { key } => (key.clone(), Step::get(key)),
        Operation::Put { key, value, lease } => {
            (key.clone(), Step::put_with_lease(key, value, lease))
        }
        Operation::Delete { key } => (key.clone(), Step::delete(key)),
        Operation::Append { key, suffix } => (key.clone(), Step::append(key, suffix)),
    }
}
