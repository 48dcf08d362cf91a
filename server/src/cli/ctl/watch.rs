//! Changes of keys.

use clap::Args;
use proto::client::Client;

use super::output::{Output, bytes_text, changes_json};
use super::scan::KeysArgs;
use super::{Answer, CtlError};

#[derive(Debug, Clone, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    keys: KeysArgs,
    /// From this revision on [default: from now on].
    #[arg(long, value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
    revision: u64,
    /// End after so many changes, or a few more that belong together.
    #[arg(long, value_name = "CHANGES")]
    count: Option<usize>,
}

/// Reports until it is interrupted, or has reported enough.
pub(super) async fn watch(
    client: Client,
    args: WatchArgs,
    output: &mut Output<'_>,
) -> Result<Answer, CtlError> {
    let mut watch = client.watch(args.keys.keys(), args.revision).await?;
    let mut left = args.count.unwrap_or(usize::MAX);
    while left > 0 {
        let changes = watch.next().await?;
        output.answer(&changes_json(&changes), |out| {
            for change in &changes.changes {
                let key = bytes_text(&change.key);
                match &change.now {
                    Some(now) => {
                        writeln!(out, "@{} put {key} {}", change.revision, bytes_text(&now.value))?;
                    }
                    None => writeln!(out, "@{} delete {key}", change.revision)?,
                }
            }
            Ok(())
        })?;
        left = left.saturating_sub(changes.changes.len());
    }
    Ok(Answer::Yes)
}
