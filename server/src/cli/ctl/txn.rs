//! Transactions.

use clap::Args;
use proto::client::{Client, Txn};
use serde_json::{Value, json};

use super::keys::value;
use super::output::{Output, bytes_json, bytes_text, header_json};
use super::{Answer, CtlError, in_session, txn_json, txn_text};

#[derive(Debug, Clone, Args)]
pub(super) struct TxnArgs {
    /// The transaction; `-` reads it from stdin. Lines, or parts between semicolons, such as
    /// `if version k == 0; then put k v; else get k`, or JSON such as
    /// `{"compare":[{"key":"k","relation":"==","version":0}],"then":[{"put":{"key":"k","value":"v"}}],
    /// "otherwise":[{"get":{"key":"k"}}]}`. Words with spaces stand in "quotes".
    #[arg(value_name = "TRANSACTION")]
    transaction: String,
}

/// A transaction as it was written down.
#[derive(Debug, PartialEq)]
pub(super) struct Parsed {
    pub(super) txn: Txn,
    /// The keys of both lists, to name the results.
    pub(super) then: Vec<String>,
    pub(super) otherwise: Vec<String>,
}

pub(super) async fn txn(
    client: Client,
    args: TxnArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let text = String::from_utf8(value(args.transaction)?)
        .map_err(|_| CtlError::Usage("a transaction is text".to_owned()))?;
    let parsed = if text.trim_start().starts_with('{') {
        txn_json::parse(&text)
    } else {
        txn_text::parse(&text)
    };
    let Parsed { txn, then, otherwise } = parsed.map_err(CtlError::Usage)?;
    let done = in_session(client).await?.txn(txn).await?;
    let keys = if done.held { then } else { otherwise };
    let results = keys.iter().zip(&done.results).map(|(key, found)| {
        found.as_ref().map_or(json!({"key": key, "found": Value::Null}), |found| {
            json!({"key": key, "found": {
                "value": bytes_json(&found.value),
                "revision": found.revision,
                "version": found.version,
                "lease": found.lease,
            }})
        })
    });
    let json = json!({
        "header": header_json(done.header),
        "held": done.held,
        "results": results.collect::<Vec<_>>(),
    });
    output.answer(&json, |out| {
        let held = if done.held { "held" } else { "did not hold" };
        writeln!(out, "the conditions {held} at revision {}", done.header.revision)?;
        for (key, found) in keys.iter().zip(&done.results) {
            match found {
                Some(found) => writeln!(out, "{key} held {}", bytes_text(&found.value))?,
                None => writeln!(out, "{key} did not exist")?,
            }
        }
        Ok(())
    })?;
    Ok(Answer::of(done.held))
}
