//! The usual line of a history, read in one pass.
//!
//! Histories are long and their lines alike, so that most of the time of reading them went into the
//! generality of a JSON parser. What is not usual is left to serde_json, which also says what is wrong
//! with it: escapes, floats, maps, numbers beyond 18 digits, deep nesting, unknown or repeated fields.

use std::sync::Arc;

use smol_str::SmolStr;

use super::recent::{Place, Recent};
use super::{EventKind, Process, Value};

/// Lists in lists, at most.
const DEPTH_MAX: usize = 16;
/// Digits of a number that fits in any case.
const DIGITS_MAX: usize = 18;

/// A line as it is written; what is not there is none.
#[derive(Debug, PartialEq)]
pub(super) struct Line {
    pub(super) index: Option<i64>,
    pub(super) time: Option<i64>,
    pub(super) scheduled: Option<u64>,
    pub(super) process: Process,
    pub(super) kind: EventKind,
    pub(super) f: SmolStr,
    pub(super) key: Option<Value>,
    pub(super) value: Value,
    pub(super) error: Option<SmolStr>,
    pub(super) node: Option<SmolStr>,
}

/// Reads lines; keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// Elements of lists that are still open.
    open: Vec<Value>,
    recent: Recent,
}

/// A field of an object, once only.
struct Field<T>(Option<T>);

impl<T> Field<T> {
    /// None if it is there already.
    fn set(&mut self, value: T) -> Option<()> {
        match self.0.replace(value) {
            None => Some(()),
            Some(_) => None,
        }
    }
}

impl Scanner {
    /// The line, if it is a usual one.
    pub(super) fn line(&mut self, text: &[u8]) -> Option<Line> {
        self.open.clear();
        let mut cursor = Cursor { text, at: 0 };
        let line = self.object(&mut cursor)?;
        cursor.blank();
        (cursor.at == text.len()).then_some(line)
    }

    fn object(&mut self, cursor: &mut Cursor<'_>) -> Option<Line> {
        let (mut index, mut time, mut scheduled) = (Field(None), Field(None), Field(None));
        let (mut process, mut kind, mut f) = (Field(None), Field(None), Field(None));
        let (mut key, mut value) = (Field(None), Field(None));
        let (mut error, mut node) = (Field(None), Field(None));
        cursor.eat(b'{')?;
        loop {
            match cursor.name()? {
                b"index" => index.set(cursor.number()?)?,
                b"time" => time.set(cursor.number()?)?,
                b"scheduled" => scheduled.set(u64::try_from(cursor.number()?).ok()?)?,
                b"process" => process.set(cursor.process()?)?,
                b"type" => kind.set(cursor.kind()?)?,
                b"f" => f.set(cursor.word()?)?,
                b"key" => key.set(self.value(cursor, 0)?)?,
                b"value" => value.set(self.value(cursor, 0)?)?,
                b"error" => error.set(cursor.word()?)?,
                b"node" => node.set(cursor.word()?)?,
                _ => return None,
            }
            match cursor.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        Some(Line {
            index: index.0,
            time: time.0,
            scheduled: scheduled.0,
            process: process.0?,
            kind: kind.0?,
            f: f.0?,
            key: key.0.filter(|key| !key.is_null()),
            value: value.0.unwrap_or_default(),
            error: error.0,
            node: node.0,
        })
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Option<Value> {
        cursor.blank();
        match cursor.peek()? {
            b'[' if depth < DEPTH_MAX => self.list(cursor, depth),
            b'"' => cursor.word().map(Value::Text),
            b'n' => cursor.literal(b"null").map(|()| Value::Null),
            b't' => cursor.literal(b"true").map(|()| Value::Bool(true)),
            b'f' => cursor.literal(b"false").map(|()| Value::Bool(false)),
            _ => cursor.number().map(Value::Int),
        }
    }

    fn list(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Option<Value> {
        cursor.eat(b'[')?;
        cursor.blank();
        let (rest, first) = (cursor.rest(), self.open.len());
        match rest.first()? {
            b']' => cursor.at += 1,
            b'"' => {
                let place = self.recent.whole(rest);
                if let Some(Place { length, list: Some(list), .. }) = place {
                    cursor.at += length;
                    return Some(list);
                }
                self.elements(cursor, depth)?;
                let list = self.close(first);
                if let Some(place) = place {
                    let length = rest.len() - cursor.rest().len();
                    self.recent.keep_whole(place, &rest[..length], &list);
                }
                return Some(list);
            }
            b'0'..=b'9' | b'-' => return self.integers(cursor, depth),
            _ => self.elements(cursor, depth)?,
        }
        Some(self.close(first))
    }

    /// The elements of a list, and its closing bracket.
    fn elements(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Option<()> {
        loop {
            let value = self.value(cursor, depth + 1)?;
            self.open.push(value);
            match cursor.next()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A list that begins with an integer.
    fn integers(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Option<Value> {
        let (rest, first) = (cursor.rest(), self.open.len());
        let place = self.recent.integers(rest);
        if let Some(Place { length, list: Some(list), .. }) = &place {
            cursor.at += length + 1;
            if rest[*length] == b']' {
                return Some(Value::List(Arc::clone(list)));
            }
            self.open.extend(list.iter().cloned());
        }
        let free = place.map(|place| place.free(|list| list.len()));
        self.elements(cursor, depth)?;
        let list = self.close(first);
        if let Some(free) = free {
            let length = rest.len() - cursor.rest().len() - 1;
            self.recent.keep_integers(free, &rest[..length], &list);
        }
        Some(list)
    }

    /// The list whose elements are those from `first` on.
    fn close(&mut self, first: usize) -> Value {
        Value::List(self.open.drain(first..).collect())
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte that is not blank.
    fn next(&mut self) -> Option<u8> {
        self.blank();
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.text[self.at..].starts_with(literal).then(|| self.at += literal.len())
    }

    /// What stands between quotes, without escapes.
    fn text(&mut self) -> Option<&'a [u8]> {
        self.eat(b'"')?;
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        self.at += length + 1;
        (rest[length] == b'"').then_some(&rest[..length])
    }

    /// The name of a field, up to its value.
    fn name(&mut self) -> Option<&'a [u8]> {
        self.blank();
        let rest = self.rest();
        // As it is written by whoever leaves no blanks, which is found without a look at each letter.
        let usual: &[u8] = match rest.get(1)? {
            b'i' => b"\"index\":",
            b't' if rest.get(2) == Some(&b'i') => b"\"time\":",
            b't' => b"\"type\":",
            b'p' => b"\"process\":",
            b'f' => b"\"f\":",
            b'k' => b"\"key\":",
            b'v' => b"\"value\":",
            b'n' => b"\"node\":",
            _ => b"\"error\":",
        };
        let name = if rest.starts_with(usual) {
            self.at += usual.len();
            &usual[1..usual.len() - 2]
        } else {
            let name = self.text()?;
            self.eat(b':')?;
            name
        };
        self.blank();
        Some(name)
    }

    fn word(&mut self) -> Option<SmolStr> {
        std::str::from_utf8(self.text()?).ok().map(SmolStr::new)
    }

    /// An integer of few digits, as JSON writes it.
    fn number(&mut self) -> Option<i64> {
        let is_negative = self.peek()? == b'-';
        self.at += usize::from(is_negative);
        let rest = &self.text[self.at..];
        let mut number: i64 = 0;
        let mut digits = 0;
        while let Some(digit @ b'0'..=b'9') = rest.get(digits)
            && digits <= DIGITS_MAX
        {
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            digits += 1;
        }
        let is_usual = match rest.first()? {
            b'0' => digits == 1 && !is_negative,
            _ => (1..=DIGITS_MAX).contains(&digits),
        };
        // What follows makes it a float.
        if !is_usual || matches!(rest.get(digits), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.at += digits;
        Some(if is_negative { -number } else { number })
    }

    fn process(&mut self) -> Option<Process> {
        match self.peek()? {
            b'"' => (self.text()? == b"nemesis").then_some(Process::Nemesis),
            _ => u64::try_from(self.number()?).ok().map(Process::Client),
        }
    }

    fn kind(&mut self) -> Option<EventKind> {
        match self.text()? {
            b"invoke" => Some(EventKind::Invoke),
            b"ok" => Some(EventKind::Ok),
            b"fail" => Some(EventKind::Fail),
            b"info" => Some(EventKind::Info),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Option<Line> {
        Scanner::default().line(text.as_bytes())
    }

    #[test]
    fn usual_lines_are_read() {
        for text in [
            r#"{"index":0,"time":2106,"type":"invoke","process":13,"f":"write","key":29,"value":1}"#,
            r#" { "process" : "nemesis" , "type" : "info" , "f" : "kill" , "value" : null } "#,
            r#"{"process":0,"type":"ok","f":"txn","value":[["append","x",-3],["r",0,[]],[true,false]]}"#,
            r#"{"time":-1,"process":1,"type":"fail","f":"größe","key":null,"error":"no","node":"n1"}"#,
            r#"{"scheduled":17,"process":1,"type":"ok","f":"","value":999999999999999999}"#,
        ] {
            assert!(scan(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_was_read_before_is_found_again() {
        let mut scanner = Scanner::default();
        let mut value = |text: &str| {
            let line = format!(r#"{{"process":0,"type":"ok","f":"txn","value":{text}}}"#);
            let line = scanner.line(line.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(line.value, serde_json::from_str(text).unwrap(), "{text}");
            line.value
        };
        let is_same = |one: &Value, other: &Value| {
            let (Value::List(one), Value::List(other)) = (one, other) else { return false };
            Arc::ptr_eq(one, other)
        };
        for (text, again) in [
            ("[1,2,3,4]", true),
            ("[ 1 , 2,3,4 ]", true),
            (r#"["append",1,2]"#, true),
            (r#"["]"]"#, false),
            (r#"["aä"]"#, true),
        ] {
            if !text.contains('\\') {
                assert_eq!(is_same(&value(text), &value(text)), again, "{text}");
            }
        }
        // Longer, shorter, and others with the same beginning.
        for text in [
            "[7,8,9,10]",
            "[7,8,9,10,11]",
            "[7,8,9,10,11,12,13]",
            "[7,8,9,100]",
            "[7,8,9]",
            "[7,8,9,10,[]]",
            "[7,8,9,10,[7,8,9,10,11,12]]",
            "[7,8,9,10,11,13]",
            r#"[7,8,9,10,"x"]"#,
            "[7,8,9,10]",
            r#"["r",7,[7,8,9,10,11]]"#,
            r#"["r",7,null]"#,
            r#"["r",[7],null]"#,
            r#"["]",1]"#,
            r#"["]",2]"#,
        ] {
            value(text);
            value(text);
        }
        let line = r#"{"process":0,"type":"ok","f":"txn","value":[7,8,9,10"#;
        assert_eq!(scanner.line(line.as_bytes()), None);
    }

    #[test]
    fn what_is_not_usual_is_left_alone() {
        let with = |value: &str| {
            scan(&format!(r#"{{"process":0,"type":"ok","f":"read","value":{value}}}"#))
        };
        assert!(with("1").is_some());
        let deep = format!("{}{}", "[".repeat(DEPTH_MAX + 1), "]".repeat(DEPTH_MAX + 1));
        for value in [
            "",
            "01",
            "-0",
            "-",
            "1.5",
            "1e3",
            "1000000000000000000",
            "nul",
            "[1",
            "[1,]",
            "[,]",
            "{}",
            r#""a\n""#,
            "\"\t\"",
            "1 2",
            "1}",
            &deep,
        ] {
            assert_eq!(with(value), None, "{value}");
        }
        for line in [
            "{}",
            r#"{"process":0,"type":"ok"}"#,
            r#"{"process":0,"process":1,"type":"ok","f":"read"}"#,
            r#"{"process":-1,"type":"ok","f":"read"}"#,
            r#"{"process":0,"type":"done","f":"read"}"#,
            r#"{"process":0,"type":"ok","f":"read","more":1}"#,
            r#"{"process":0,"type":"ok","f":"read",}"#,
            r#"{"process":0,"type":"ok","f":"read"} x"#,
        ] {
            assert_eq!(scan(line), None, "{line}");
        }
    }
}
