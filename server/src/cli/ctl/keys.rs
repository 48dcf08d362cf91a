//! Single keys.

use std::io::{self, Read as _};

use clap::{ArgGroup, Args};
use proto::client::{Client, KeyValue, ReadMode, Written};
use serde_json::json;

use super::output::{Output, bytes_text, header_json, key_value_json};
use super::{Answer, CtlError, in_session};

/// Values longer than any limit of a server are not read to their end.
const INPUT_BYTES_MAX: u64 = 64 << 20;

#[derive(Debug, Clone, Args)]
pub(super) struct GetArgs {
    /// The key.
    key: String,
    /// Take the state of the node that is asked, which may be old.
    #[arg(long)]
    local: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct PutArgs {
    /// The key.
    key: String,
    /// The value; `-` reads it from stdin.
    value: String,
    /// The key is deleted when this lease ends.
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    lease: u64,
}

#[derive(Debug, Clone, Args)]
pub(super) struct DeleteArgs {
    /// The key.
    key: String,
}

#[derive(Debug, Clone, Args)]
#[command(group(ArgGroup::new("expectation").required(true)))]
pub(super) struct CasArgs {
    /// The key.
    key: String,
    /// The value to set; `-` reads it from stdin.
    value: String,
    /// The value that the key must have.
    #[arg(long, group = "expectation")]
    expect: Option<String>,
    /// The key must not exist.
    #[arg(long, group = "expectation")]
    absent: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct AppendArgs {
    /// The key.
    key: String,
    /// What to add; `-` reads it from stdin.
    suffix: String,
}

pub(super) async fn get(
    mut client: Client,
    args: GetArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let mode = if args.local { ReadMode::Local } else { ReadMode::Linearizable };
    let read = client.get_with(args.key.clone(), mode).await?;
    let found = read.found.as_ref();
    let json = json!({
        "header": header_json(read.header),
        "found": key_value_json(args.key.as_bytes(), found),
    });
    output.answer(&json, |out| match found {
        Some(found) => writeln!(out, "{}", bytes_text(&found.value)),
        None => writeln!(out, "not found"),
    })?;
    Ok(Answer::of(read.found.is_some()))
}

pub(super) async fn put(
    client: Client,
    args: PutArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let value = value(args.value)?;
    let mut client = in_session(client).await?;
    let written = client.put_with_lease(args.key.clone(), value, args.lease).await?;
    written_answer(&args.key, &written, output)?;
    Ok(Answer::Yes)
}

pub(super) async fn delete(
    client: Client,
    args: DeleteArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let mut client = in_session(client).await?;
    let written = client.delete(args.key.clone()).await?;
    written_answer(&args.key, &written, output)?;
    Ok(Answer::of(written.previous.is_some()))
}

pub(super) async fn append(
    client: Client,
    args: AppendArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let suffix = value(args.suffix)?;
    let mut client = in_session(client).await?;
    let written = client.append(args.key.clone(), suffix).await?;
    written_answer(&args.key, &written, output)?;
    Ok(Answer::Yes)
}

pub(super) async fn cas(
    client: Client,
    args: CasArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let value = value(args.value)?;
    let expected = args.expect.map(Into::into);
    let mut client = in_session(client).await?;
    let swapped = client.compare_and_set(args.key.clone(), expected, value).await?;
    let previous = swapped.previous.as_ref();
    let json = json!({
        "header": header_json(swapped.header),
        "swapped": swapped.swapped,
        "previous": key_value_json(args.key.as_bytes(), previous),
    });
    output.answer(&json, |out| {
        if swapped.swapped {
            writeln!(out, "swapped at revision {}", swapped.header.revision)
        } else {
            writeln!(out, "not swapped; {}", held(previous))
        }
    })?;
    Ok(Answer::of(swapped.swapped))
}

fn written_answer(key: &str, written: &Written, output: &mut Output<'_>) -> io::Result<()> {
    let previous = written.previous.as_ref();
    let json = json!({
        "header": header_json(written.header),
        "previous": key_value_json(key.as_bytes(), previous),
    });
    output.answer(&json, |out| {
        writeln!(out, "done at revision {}; {}", written.header.revision, held(previous))
    })
}

fn held(previous: Option<&KeyValue>) -> String {
    match previous {
        Some(previous) => format!("the key held {}", bytes_text(&previous.value)),
        None => "the key did not exist".to_owned(),
    }
}

/// A value as it is, or stdin.
pub(super) fn value(text: String) -> Result<Vec<u8>, CtlError> {
    if text != "-" {
        return Ok(text.into_bytes());
    }
    let mut bytes = Vec::new();
    let input = |source| CtlError::Input { what: "read stdin".to_owned(), source };
    io::stdin().take(INPUT_BYTES_MAX).read_to_end(&mut bytes).map_err(input)?;
    Ok(bytes)
}
