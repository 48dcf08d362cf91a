//! Answers, for people and for programs.

use std::io::{self, Write};

use proto::client::{Changes, ClientError, Header, KeyValue};
use serde_json::{Value, json};

/// Where answers go.
pub(super) struct Output<'a> {
    out: &'a mut dyn Write,
    json: bool,
}

impl Output<'_> {
    pub(super) fn new(out: &mut dyn Write, json: bool) -> Output<'_> {
        Output { out, json }
    }

    /// Writes an answer: as one line of JSON, or as lines for people.
    pub(super) fn answer(
        &mut self,
        json: &Value,
        people: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.json {
            writeln!(self.out, "{json}")?;
        } else {
            people(self.out)?;
        }
        self.out.flush()
    }

    /// Writes a failure, for programs only; people read it elsewhere.
    pub(super) fn failure(&mut self, error: &ClientError) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        let failure = error.failure();
        let kind = failure.kind.map(|kind| kind.as_str_name());
        let (message, leader) = (&failure.message, &failure.leader);
        let indefinite = error.is_indefinite();
        let error = json!({"kind": kind, "message": message, "indefinite": indefinite,
            "address": failure.address, "leader": leader});
        writeln!(self.out, "{}", json!({ "error": error }))
    }
}

/// Bytes for programs: a string if they are text.
pub(super) fn bytes_json(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "base64": base64(bytes) }),
    }
}

/// Bytes for people: as they are if they are text without control characters, else marked.
pub(super) fn bytes_text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        Ok(text) => format!("{text:?}"),
        Err(_) => format!("base64:{}", base64(bytes)),
    }
}

pub(super) fn header_json(header: Header) -> Value {
    let Header { revision, term, node, group } = header;
    json!({"revision": revision, "term": term, "node": node, "group": group})
}

/// What a key holds; null for nothing.
pub(super) fn key_value_json(key: &[u8], found: Option<&KeyValue>) -> Value {
    found.map_or(Value::Null, |found| {
        json!({
            "key": bytes_json(key),
            "value": bytes_json(&found.value),
            "revision": found.revision,
            "version": found.version,
            "lease": found.lease,
        })
    })
}

pub(super) fn changes_json(changes: &Changes) -> Value {
    let list = changes.changes.iter().map(|change| {
        json!({
            "revision": change.revision,
            "key": bytes_json(&change.key),
            "now": key_value_json(&change.key, change.now.as_ref()),
            "previous": key_value_json(&change.key, change.previous.as_ref()),
        })
    });
    json!({"header": header_json(changes.header), "changes": list.collect::<Vec<_>>()})
}

/// Columns, as wide as what is in them. The first row is their names.
pub(super) fn table(out: &mut dyn Write, rows: &[Vec<String>]) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|it: &String| it.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit <= chunk.len() {
                let index = (bits >> (18 - 6 * digit)) & 63;
                text.push(char::from(DIGITS[index as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let vectors = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, vector) in vectors.iter().enumerate() {
            assert_eq!(base64(&b"foobar"[..length]), *vector);
        }
        assert_eq!(bytes_json(&[0xff, 0]), json!({"base64": "/wA="}));
        assert_eq!(bytes_text("a\nb".as_bytes()), "\"a\\nb\"");
    }

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let mut out = Vec::new();
        table(&mut out, &[row(["node", "role"]), row(["1", "leader"])]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "node  role\n1     leader\n");
    }
}
