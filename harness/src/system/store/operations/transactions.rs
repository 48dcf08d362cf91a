//! Transactions of reads, and of appends or writes; all of one transaction of the store.

use proto::client::{KeyValue, Step, Txn};
use workloads::generator::Invocation;
use workloads::history::Value;

use super::registers::value;
use super::{Connection, Failure, steps};

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let mut txn = Txn::new();
    let mut appends = false;
    for step in steps(&invocation.value) {
        let key = format!("txn/{}", step[1]);
        txn = txn.then(match step[0].as_str() {
            Some("r") => Step::get(key),
            Some("w") => Step::put(key, step[2].to_string()),
            Some("append") => {
                appends = true;
                Step::append(key, format!("{} ", step[2]))
            }
            _ => return Err(Failure::unknown(invocation)),
        });
    }
    let done = connection.kv.txn(txn).await?;
    let seen =
        steps(&invocation.value).zip(done.results).map(|(step, found)| match step[0].as_str() {
            Some("r") => {
                let is_list = appends || found.as_ref().is_some_and(|it| it.value.ends_with(b" "));
                let seen = match is_list {
                    true => list(found),
                    false => found.map_or(Value::Null, |found| value(&found.value)),
                };
                Value::from(vec![step[0].clone(), step[1].clone(), seen])
            }
            _ => step.clone(),
        });
    Ok(Value::list(seen))
}

/// The elements of a list; null if it was never appended to.
fn list(found: Option<KeyValue>) -> Value {
    let Some(found) = found else { return Value::Null };
    let text = String::from_utf8_lossy(&found.value);
    Value::list(text.split_whitespace().map(|element| value(element.as_bytes())))
}
