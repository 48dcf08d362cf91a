//! The API of JetStream: JSON in requests to subjects of its own
//! (<https://docs.nats.io/reference/reference-protocols/nats_api_reference>).

use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::protocol::{Connection, Message, NO_RESPONDERS};
use crate::system::ReadMode;
use crate::system::outcome::Failure;

/// The stream that all workloads share.
pub(super) const STREAM: &str = "breakwater";
/// Subjects that it keeps messages of; the second word is a key.
const SUBJECTS: [&str; 3] = ["set.*", "log.*", "probe.*"];
/// A stream has no more replicas.
pub(super) const REPLICAS_MAX: usize = 5;

/// Whether the stream is there is answered by then.
const CREATE_PATIENCE: Duration = Duration::from_millis(500);

/// Answered by the leader of the stream.
const GET_FROM_LEADER: &str = "$JS.API.STREAM.MSG.GET.breakwater";
/// Answered by a replica, the one on the asked node if it has caught up.
pub(super) const GET_FROM_REPLICA: &str = "$JS.API.DIRECT.GET.breakwater";
/// There is no such message.
const NO_MESSAGE_STATUS: u16 = 404;
/// The same among the errors of the API.
const NO_MESSAGE_ERROR: u64 = 10037;

/// A message that a stream keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    /// Its place in the stream, from 1.
    pub(super) sequence: u64,
    /// What it was published to.
    pub(super) subject: String,
    /// What was published.
    pub(super) payload: String,
}

/// Connects, and creates the stream if it is not there, as programs do when they start.
pub(super) async fn open(address: SocketAddr, replicas: usize) -> io::Result<Connection> {
    let mut connection = Connection::open(address).await?;
    let created = create_stream(&mut connection, replicas);
    match tokio::time::timeout(CREATE_PATIENCE, created).await {
        // Whether the stream is there shows when it is used.
        Ok(Ok(()) | Err(_)) => Ok(connection),
        // A node that is cut off does not answer; a late reply would come in between.
        Err(_) => Connection::open(address).await,
    }
}

/// Creates the stream, with so many replicas; does nothing if it is there. The error is a sentence.
pub(super) async fn create_stream(
    connection: &mut Connection,
    replicas: usize,
) -> Result<(), String> {
    let configuration = json!({
        "name": STREAM,
        "subjects": SUBJECTS,
        "retention": "limits",
        "discard": "old",
        "storage": "file",
        "max_consumers": -1,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "num_replicas": replicas,
        "allow_direct": true,
    });
    let subject = format!("$JS.API.STREAM.CREATE.{STREAM}");
    let reply = connection.request(&subject, &configuration.to_string()).await;
    let reply = reply.map_err(|error| format!("create the stream: {error}"))?;
    match api_error(&json_of(&reply)) {
        None => Ok(()),
        Some((_, reason)) => Err(format!("create the stream: {reason}")),
    }
}

/// Publishes a message; returns its place once the stream has acknowledged it.
pub(super) async fn publish(
    connection: &mut Connection,
    subject: &str,
    payload: &str,
) -> Result<u64, Failure> {
    let reply = connection.request(subject, payload).await.map_err(Failure::in_doubt)?;
    if reply.status == Some(NO_RESPONDERS) {
        return Err(Failure::without_effect("the node knows nobody who takes the message"));
    }
    let reply = json_of(&reply);
    match (api_error(&reply), reply["seq"].as_u64()) {
        (None, Some(sequence)) => Ok(sequence),
        (Some((_, reason)), _) => Err(Failure::in_doubt(reason)),
        (None, None) => {
            Err(Failure::in_doubt(format!("an acknowledgement without place: {reply}")))
        }
    }
}

/// All messages of a subject from a place on, in order.
///
/// Each request may be answered by another replica, which may lack the end of the stream. So a place
/// without a message is asked for again in a way that tells the end from a hole: by what comes next.
pub(super) async fn read(
    connection: &mut Connection,
    read_mode: ReadMode,
    subject: &str,
    from: u64,
) -> Result<Vec<Stored>, Failure> {
    let ends = [next(subject, from), json!({ "last_by_subj": subject })];
    let mut ends = get(connection, read_mode, ends.into_iter()).await?.into_iter();
    let (Some(Some(first)), Some(Some(last))) = (ends.next(), ends.next()) else {
        return Ok(Vec::new());
    };
    let places = first.sequence + 1..=last.sequence;
    let requests = places.clone().map(|sequence| json!({ "seq": sequence }));
    let stored = get(connection, read_mode, requests).await?;
    let mut found = vec![first];
    for (place, stored) in places.zip(stored) {
        match stored {
            Some(stored) => found.extend(Some(stored).filter(|it| it.subject == subject)),
            None => {
                found.extend(one_by_one(connection, read_mode, subject, place).await?);
                break;
            }
        }
    }
    Ok(found)
}

async fn one_by_one(
    connection: &mut Connection,
    read_mode: ReadMode,
    subject: &str,
    from: u64,
) -> Result<Vec<Stored>, Failure> {
    let (mut found, mut from) = (Vec::new(), from);
    loop {
        let request = std::iter::once(next(subject, from));
        let Some(stored) = get(connection, read_mode, request).await?.pop().flatten() else {
            return Ok(found);
        };
        from = stored.sequence + 1;
        found.push(stored);
    }
}

/// Asks for the first message of a subject at this place or behind it.
fn next(subject: &str, from: u64) -> Json {
    json!({ "seq": from.max(1), "next_by_subj": subject })
}

/// The messages that these requests ask for; none where there is no such message.
async fn get(
    connection: &mut Connection,
    read_mode: ReadMode,
    requests: impl Iterator<Item = Json>,
) -> Result<Vec<Option<Stored>>, Failure> {
    let subject = match read_mode {
        ReadMode::Linearizable => GET_FROM_LEADER,
        ReadMode::Local => GET_FROM_REPLICA,
    };
    let requests: Vec<_> = requests.map(|request| (subject, request.to_string())).collect();
    let replies = connection.request_all(&requests).await.map_err(Failure::in_doubt)?;
    replies
        .iter()
        .map(|reply| match read_mode {
            ReadMode::Linearizable => from_leader(reply),
            ReadMode::Local => from_replica(reply),
        })
        .collect()
}

/// `{"message":{"subject":"set.3","seq":12,"data":"NDI="}}`
fn from_leader(reply: &Message) -> Result<Option<Stored>, Failure> {
    let reply = json_of(reply);
    match api_error(&reply) {
        Some((NO_MESSAGE_ERROR, _)) => return Ok(None),
        Some((_, reason)) => return Err(Failure::without_effect(reason)),
        None => {}
    }
    let message = &reply["message"];
    let payload = STANDARD.decode(message["data"].as_str().unwrap_or_default());
    match (message["seq"].as_u64(), message["subject"].as_str(), payload) {
        (Some(sequence), Some(subject), Ok(payload)) => {
            let payload = String::from_utf8_lossy(&payload).into_owned();
            Ok(Some(Stored { sequence, subject: subject.to_owned(), payload }))
        }
        _ => Err(Failure::without_effect(format!("no message: {reply}"))),
    }
}

/// The message itself, with its place and subject in the headers.
fn from_replica(reply: &Message) -> Result<Option<Stored>, Failure> {
    match reply.status {
        Some(NO_MESSAGE_STATUS) => return Ok(None),
        Some(NO_RESPONDERS) => {
            return Err(Failure::without_effect("the node knows no replica of the stream"));
        }
        Some(status) => return Err(Failure::without_effect(format!("status {status}"))),
        None => {}
    }
    let sequence = reply.header("Nats-Sequence").and_then(|it| u64::from_str(it).ok());
    match (sequence, reply.header("Nats-Subject")) {
        (Some(sequence), Some(subject)) => {
            let payload = String::from_utf8_lossy(&reply.payload).into_owned();
            Ok(Some(Stored { sequence, subject: subject.to_owned(), payload }))
        }
        _ => Err(Failure::without_effect("a message without its place")),
    }
}

fn json_of(reply: &Message) -> Json {
    match reply.status {
        Some(status) => json!({ "error": { "description": format!("status {status}") } }),
        None => serde_json::from_slice(&reply.payload).unwrap_or_default(),
    }
}

/// The number of an error, and what it says.
fn api_error(reply: &Json) -> Option<(u64, String)> {
    let error = reply.get("error")?;
    let number = error["err_code"].as_u64().unwrap_or(0);
    let text = error["description"].as_str().map_or_else(|| error.to_string(), str::to_owned);
    Some((number, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(payload: &str) -> Message {
        Message { payload: payload.into(), ..Message::default() }
    }

    #[test]
    fn messages_come_as_json_or_as_they_are() {
        let expected =
            Some(Stored { sequence: 12, subject: "set.3".to_owned(), payload: "42".to_owned() });
        let json =
            r#"{"type":"io","message":{"subject":"set.3","seq":12,"data":"NDI=","time":"t"}}"#;
        assert_eq!(from_leader(&reply(json)).unwrap(), expected);
        let headers = [("Nats-Sequence", "12"), ("Nats-Subject", "set.3")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(from_replica(&Message { headers, ..reply("42") }).unwrap(), expected);
    }

    #[test]
    fn a_message_that_is_not_there_is_no_failure_but_a_stream_is() {
        let gone = r#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#;
        assert_eq!(from_leader(&reply(gone)).unwrap(), None);
        let status = |status| Message { status: Some(status), ..Message::default() };
        assert_eq!(from_replica(&status(404)).unwrap(), None);
        let gone = r#"{"error":{"code":404,"err_code":10059,"description":"stream not found"}}"#;
        assert_eq!(from_leader(&reply(gone)).unwrap_err().to_string(), "stream not found");
        assert!(from_replica(&status(503)).is_err());
        assert!(from_replica(&reply("42")).is_err());
    }
}
