//! Logs, each as one value that is appended to: the offset of a message is the number of messages
//! before it, which the answer to the append shows.

use proto::client::KeyValue;
use workloads::generator::Invocation;
use workloads::history::Value;

use super::Connection;
use super::registers::value;
use crate::system::outcome::Failure;

pub(super) async fn apply(
    connection: &mut Connection<'_>,
    invocation: &Invocation,
) -> Result<Value, Failure> {
    let step = &invocation.value[0];
    match (invocation.f, step[1].as_map()) {
        ("send", _) => {
            let (log, message) = (&step[1], &step[2]);
            let sent = connection.kv.append(key(log), format!("{message} ")).await?;
            let offset = messages(sent.previous.as_ref()).len() as u64;
            let place = Value::from(vec![Value::from(offset), message.clone()]);
            Ok(Value::list([Value::from(vec![step[0].clone(), log.clone(), place])]))
        }
        ("poll", Some([(log, _)])) => {
            let key = key(log);
            let found = connection.get(key.clone()).await?;
            let messages = messages(found.as_ref());
            let position = connection.memory.positions.entry(key).or_default();
            let polled = messages.iter().enumerate().skip(*position).map(|(offset, message)| {
                Value::from(vec![Value::from(offset as u64), message.clone()])
            });
            let polled = Value::Map([(log.clone(), Value::list(polled))].into());
            *position = messages.len().max(*position);
            Ok(Value::list([Value::from(vec![step[0].clone(), polled])]))
        }
        _ => Err(Failure::unknown(invocation)),
    }
}

/// A log is a number, or a number as text.
fn key(log: &Value) -> String {
    match log.as_str() {
        Some(text) => format!("log/{text}"),
        None => format!("log/{log}"),
    }
}

fn messages(found: Option<&KeyValue>) -> Vec<Value> {
    let text = found.map(|found| String::from_utf8_lossy(&found.value));
    text.iter()
        .flat_map(|text| text.split_whitespace())
        .map(|message| value(message.as_bytes()))
        .collect()
}
