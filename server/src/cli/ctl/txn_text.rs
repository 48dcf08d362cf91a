//! Transactions as text.
//!
//! ```text
//! if value lamp == off        # also: !=  <  >  and: version, revision
//! then put lamp on            # also: get KEY, delete KEY, append KEY SUFFIX
//! else get lamp
//! ```

use proto::client::{Comparison, Relation, Step, Txn};

use super::txn::Parsed;

/// Reads a transaction. The error says what is wrong, and where.
pub(super) fn parse(text: &str) -> Result<Parsed, String> {
    let mut parsed = Parsed { txn: Txn::new(), then: Vec::new(), otherwise: Vec::new() };
    for part in parts(text)? {
        let words: Vec<&str> = part.iter().map(String::as_str).collect();
        let txn = std::mem::take(&mut parsed.txn);
        parsed.txn = match words[..] {
            ["if", side, key, relation, right] => txn.when(comparison(side, key, relation, right)?),
            ["then", ref step @ ..] => {
                parsed.then.extend(step.get(1).map(|key| (*key).to_owned()));
                txn.then(self::step(step)?)
            }
            ["else", ref step @ ..] => {
                parsed.otherwise.extend(step.get(1).map(|key| (*key).to_owned()));
                txn.otherwise(self::step(step)?)
            }
            _ => {
                return Err(format!(
                    "`{}` is no part of a transaction\n\
                     hint: parts look like `if version KEY == 0`, `then put KEY VALUE`, `else get KEY`",
                    words.join(" ")
                ));
            }
        };
    }
    if parsed.txn.is_empty() {
        return Err("the transaction is empty".to_owned());
    }
    Ok(parsed)
}

fn comparison(side: &str, key: &str, relation: &str, right: &str) -> Result<Comparison, String> {
    let relation = self::relation(relation)?;
    let number = || right.parse().map_err(|_| format!("`{right}` is not a number"));
    match side {
        "value" => Ok(Comparison::value(key.to_owned(), relation, right.to_owned())),
        "version" => Ok(Comparison::version(key.to_owned(), relation, number()?)),
        "revision" => Ok(Comparison::revision(key.to_owned(), relation, number()?)),
        _ => Err(format!("`{side}` cannot be compared\nhint: use value, version or revision")),
    }
}

/// A relation by its sign.
pub(super) fn relation(sign: &str) -> Result<Relation, String> {
    match sign {
        "=" | "==" => Ok(Relation::Equal),
        "!=" => Ok(Relation::NotEqual),
        "<" => Ok(Relation::Less),
        ">" => Ok(Relation::Greater),
        _ => Err(format!("`{sign}` is no relation\nhint: use ==, !=, < or >")),
    }
}

fn step(words: &[&str]) -> Result<Step, String> {
    let own = |word: &str| word.to_owned();
    match *words {
        ["get", key] => Ok(Step::get(own(key))),
        ["put", key, value] => Ok(Step::put(own(key), own(value))),
        ["delete", key] => Ok(Step::delete(own(key))),
        ["append", key, suffix] => Ok(Step::append(own(key), own(suffix))),
        _ => Err(format!(
            "`{}` is no operation\n\
             hint: use get KEY, put KEY VALUE, delete KEY or append KEY SUFFIX",
            words.join(" ")
        )),
    }
}

/// The words of each part. Parts end with a line or a semicolon; a `#` hides the rest of its line.
fn parts(text: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut parts, mut part) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match first {
            '\n' | ';' => {
                parts.push(std::mem::take(&mut part));
                rest = &rest[1..];
            }
            '#' => rest = rest.find('\n').map_or("", |end| &rest[end..]),
            '"' => {
                let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                match strings.next() {
                    Some(Ok(word)) => part.push(word),
                    Some(Err(_)) | None => return Err(format!("unfinished quotes: {rest}")),
                }
                rest = &rest[strings.byte_offset()..];
            }
            space if space.is_whitespace() => rest = &rest[space.len_utf8()..],
            _ => {
                let is_end = |it: char| it.is_whitespace() || it == ';';
                let end = rest.find(is_end).unwrap_or(rest.len());
                part.push(rest[..end].to_owned());
                rest = &rest[end..];
            }
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::super::txn_json;
    use super::*;

    #[test]
    fn lines_and_semicolons_and_json_mean_the_same() {
        let text = "if version k == 0 # new\nif value \"a b\" != x;then put k \"v;1\"\nelse get k";
        let json = r#"{"compare":[{"key":"k","relation":"==","version":0},
            {"key":"a b","relation":"!=","value":"x"}],
            "then":[{"put":{"key":"k","value":"v;1"}}],"otherwise":[{"get":{"key":"k"}}]}"#;
        let parsed = parse(text).unwrap();
        assert_eq!(parsed, txn_json::parse(json).unwrap());
        assert_eq!((parsed.then, parsed.otherwise), (vec!["k".to_owned()], vec!["k".to_owned()]));
    }

    #[test]
    fn nonsense_is_refused_with_its_words() {
        let refused = |text: &str, words: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{error}");
        };
        refused("", "empty");
        refused(" ;\n# nothing", "empty");
        refused("maybe put k v", "maybe put k v");
        refused("then put k", "no operation");
        refused("then", "no operation");
        refused("if version k == x", "not a number");
        refused("if value k ~ x", "no relation");
        refused("if colour k == x", "cannot be compared");
        refused("then put k \"v", "unfinished");
    }
}
