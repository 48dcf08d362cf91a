//! What an object holds at first, in the words of the command line and of manifests.

use anyhow::Context;
use workloads::history::Value;
use workloads::model::Initial;

/// What `--initial` says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct InitialWords {
    /// None is what the model says.
    pub(super) initial: Option<Initial>,
    /// The sum of all accounts, which manifests have in the same column.
    pub(super) total: Option<i64>,
}

/// Reads `null`, `0`, `{"x":0}`, `any` (or `0-or-written`), `empty`, `total=30`; nothing is the empty text.
pub(super) fn parse(text: &str) -> anyhow::Result<InitialWords> {
    let initial = match text {
        "empty" | "-" => None,
        "" => Some(Initial::Value(Value::from(""))),
        "0-or-written" => Some(Initial::Any),
        _ => match text.strip_prefix("total=").map(str::parse) {
            Some(total) => {
                let total = total.context("read --initial: expected total=N")?;
                return Ok(InitialWords { initial: None, total: Some(total) });
            }
            None => Some(text.parse().context("read --initial")?),
        },
    };
    Ok(InitialWords { initial, total: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_manifests_are_known() {
        let initial = |text: &str| parse(text).unwrap().initial;
        assert_eq!(initial("null"), Some(Initial::Value(Value::Null)));
        assert_eq!(initial("0"), Some(Initial::Value(0.into())));
        assert_eq!(initial(""), Some(Initial::Value("".into())));
        assert_eq!(initial("any"), Some(Initial::Any));
        assert_eq!(initial("0-or-written"), Some(Initial::Any));
        assert_eq!(initial("empty"), None);
        assert_eq!(parse("total=30").unwrap().total, Some(30));
        assert!(parse("{").is_err());
        assert!(parse("total=x").is_err());
    }
}
