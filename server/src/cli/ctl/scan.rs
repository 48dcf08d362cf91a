//! Keys in order.

use bytes::Bytes;
use clap::Args;
use proto::client::{Client, Keys, ReadMode};
use serde_json::json;
use std::ops::Bound;

use super::output::{Output, bytes_text, header_json, key_value_json, table};
use super::{Answer, CtlError};

#[derive(Debug, Clone, Args)]
pub(super) struct ScanArgs {
    #[command(flatten)]
    keys: KeysArgs,
    /// At most so many keys; all pages otherwise.
    #[arg(long, value_name = "KEYS")]
    limit: Option<u32>,
    /// Take the state of the node that is asked, which may be old.
    #[arg(long)]
    local: bool,
}

/// Which keys; all of them by default.
#[derive(Debug, Clone, Args)]
pub(super) struct KeysArgs {
    /// Keys that begin so.
    #[arg(long, conflicts_with_all = ["from", "after", "to", "before"])]
    prefix: Option<String>,
    /// From this key on.
    #[arg(long, value_name = "KEY", conflicts_with = "after")]
    from: Option<String>,
    /// Behind this key.
    #[arg(long, value_name = "KEY")]
    after: Option<String>,
    /// Up to this key, which is included.
    #[arg(long, value_name = "KEY", conflicts_with = "before")]
    to: Option<String>,
    /// Up to this key, which is not included.
    #[arg(long, value_name = "KEY")]
    before: Option<String>,
}

impl KeysArgs {
    pub(super) fn keys(&self) -> Keys {
        if let Some(prefix) = &self.prefix {
            return Keys::prefix(prefix.clone());
        }
        let bound = |included: &Option<String>, excluded: &Option<String>| match (
            included.clone(),
            excluded.clone(),
        ) {
            (Some(key), _) => Bound::Included(Bytes::from(key)),
            (None, Some(key)) => Bound::Excluded(Bytes::from(key)),
            (None, None) => Bound::Unbounded,
        };
        Keys::Range(bound(&self.from, &self.after), bound(&self.to, &self.before))
    }
}

pub(super) async fn scan(
    mut client: Client,
    args: ScanArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let mode = if args.local { ReadMode::Local } else { ReadMode::Linearizable };
    let mut left = args.limit.map(|limit| limit as usize);
    let mut pages = client.scan(args.keys.keys()).mode(mode);
    let mut total = 0;
    while left != Some(0)
        && let Some(mut page) = pages.next_page().await?
    {
        if let Some(left) = &mut left {
            page.more |= page.found.len() > *left;
            page.found.truncate(*left);
            *left -= page.found.len();
        }
        total += page.found.len();
        let found = page.found.iter().map(|(key, found)| key_value_json(key, Some(found)));
        let json = json!({
            "header": header_json(page.header),
            "found": found.collect::<Vec<_>>(),
            "more": page.more,
        });
        output.answer(&json, |out| {
            let rows = page.found.iter().map(|(key, found)| {
                vec![bytes_text(key), bytes_text(&found.value), format!("@{}", found.revision)]
            });
            table(out, &rows.collect::<Vec<_>>())
        })?;
    }
    Ok(Answer::of(total > 0))
}
