//! Values of EDN (<https://github.com/edn-format/edn>), and what Clojure writes beside it.

use smol_str::SmolStr;

use super::bytes::Bytes;
use crate::history::source::ReadError;
use crate::history::{Float, Value};

/// Forms inside of forms.
const DEPTH_MAX: usize = 128;

/// The value at the beginning of `text`, which stands at this place, and what follows it.
pub(crate) fn value_of_text(text: &[u8], line: u64, column: usize) -> Result<Value, ReadError> {
    let mut reader = ValueReader::new(Bytes::new(Box::new(text), line, column));
    reader.value(0)
}

/// Reads one form after the other.
pub(super) struct ValueReader<'a> {
    pub(super) bytes: Bytes<'a>,
    /// Scratch for names and numbers.
    token: Vec<u8>,
}

/// Whether a byte ends a name or a number.
fn is_delimiter(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(byte, b',' | b'"' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}')
}

impl<'a> ValueReader<'a> {
    pub(super) fn new(bytes: Bytes<'a>) -> Self {
        Self { bytes, token: Vec::new() }
    }

    /// Goes past whitespace, commas, comments and discarded forms; gives the next byte.
    pub(super) fn skip_blank(&mut self, depth: usize) -> Result<Option<u8>, ReadError> {
        loop {
            match self.bytes.peek()? {
                Some(byte) if byte.is_ascii_whitespace() || byte == b',' => self.bytes.bump(),
                Some(b';') => {
                    while self.bytes.peek()?.is_some_and(|byte| byte != b'\n') {
                        self.bytes.bump();
                    }
                }
                Some(b'#') if self.skip_discarded(depth)? => {}
                other => return Ok(other),
            }
        }
    }

    /// At a `#`: goes past `#_ form`, or leaves everything but the `#` for a dispatch.
    fn skip_discarded(&mut self, depth: usize) -> Result<bool, ReadError> {
        if self.bytes.second()? != Some(b'_') {
            return Ok(false);
        }
        self.bytes.bump();
        self.bytes.bump();
        self.value(depth + 1)?;
        Ok(true)
    }

    /// The next form, which must be there.
    pub(super) fn value(&mut self, depth: usize) -> Result<Value, ReadError> {
        if depth > DEPTH_MAX {
            let expected = format!("at most {DEPTH_MAX} forms inside of each other");
            return Err(self.bytes.malformed(expected, "one more".to_owned()));
        }
        let Some(byte) = self.skip_blank(depth)? else { return Err(self.bytes.truncated()) };
        match byte {
            b'"' => self.string(),
            b'[' => self.list(b']', depth),
            b'(' => self.list(b')', depth),
            b'{' => self.map(depth),
            b'#' => self.dispatch(depth),
            b'\\' => self.character(),
            // Metadata, which is dropped, and quotes of any kind.
            b'^' => {
                self.bytes.bump();
                self.value(depth + 1)?;
                self.value(depth + 1)
            }
            b'\'' | b'`' | b'~' | b'@' => {
                self.bytes.bump();
                self.value(depth + 1)
            }
            b')' | b']' | b'}' => Err(self.bytes.unexpected("a value")),
            _ => self.atom(),
        }
    }

    fn list(&mut self, end: u8, depth: usize) -> Result<Value, ReadError> {
        Ok(Value::from(self.elements(end, depth)?))
    }

    /// The forms up to `end`; at the opening bracket.
    fn elements(&mut self, end: u8, depth: usize) -> Result<Vec<Value>, ReadError> {
        self.bytes.bump();
        let mut elements = Vec::new();
        loop {
            match self.skip_blank(depth)? {
                None => return Err(self.bytes.truncated()),
                Some(byte) if byte == end => {
                    self.bytes.bump();
                    return Ok(elements);
                }
                Some(_) => elements.push(self.value(depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, ReadError> {
        self.bytes.bump();
        let mut entries = Vec::new();
        loop {
            match self.skip_blank(depth)? {
                None => return Err(self.bytes.truncated()),
                Some(b'}') => {
                    self.bytes.bump();
                    return Ok(Value::Map(entries.into()));
                }
                Some(_) => {
                    let key = self.value(depth + 1)?;
                    if self.skip_blank(depth)? == Some(b'}') {
                        return Err(self.bytes.unexpected("a value for the last key of the map"));
                    }
                    entries.push((key, self.value(depth + 1)?));
                }
            }
        }
    }

    /// At a `#`.
    fn dispatch(&mut self, depth: usize) -> Result<Value, ReadError> {
        match self.bytes.second()? {
            Some(b'{') => {
                self.bytes.bump();
                let mut elements = self.elements(b'}', depth)?;
                elements.sort_unstable();
                Ok(Value::from(elements))
            }
            Some(b'"') => {
                self.bytes.bump();
                self.string()
            }
            Some(b'#') => {
                // ##Inf, ##-Inf and ##NaN.
                self.bytes.bump();
                self.bytes.bump();
                Ok(Value::from(format!("##{}", self.name()?)))
            }
            Some(b'\'') => {
                self.bytes.bump();
                self.bytes.bump();
                self.value(depth + 1)
            }
            _ => {
                self.tag()?;
                self.value(depth + 1)
            }
        }
    }

    /// The name of a tag; at its `#`.
    pub(super) fn tag(&mut self) -> Result<SmolStr, ReadError> {
        self.bytes.bump();
        let is_name = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        match self.bytes.peek()? {
            Some(byte) if is_name(byte) => self.name(),
            _ => Err(self.bytes.unexpected("the name of a tag")),
        }
    }

    /// A name; empty if none is there.
    fn name(&mut self) -> Result<SmolStr, ReadError> {
        self.token()?;
        self.text_of_token(0)
    }

    /// Collects bytes up to the next delimiter.
    fn token(&mut self) -> Result<(), ReadError> {
        self.token.clear();
        while let Some(byte) = self.bytes.peek()?.filter(|&byte| !is_delimiter(byte)) {
            self.token.push(byte);
            self.bytes.bump();
        }
        Ok(())
    }

    fn text_of_token(&self, from: usize) -> Result<SmolStr, ReadError> {
        match std::str::from_utf8(&self.token[from..]) {
            Ok(text) => Ok(text.into()),
            Err(_) => {
                Err(self.bytes.malformed("text in UTF-8".to_owned(), "other bytes".to_owned()))
            }
        }
    }

    /// A keyword, symbol, number, `nil`, `true` or `false`.
    fn atom(&mut self) -> Result<Value, ReadError> {
        self.token()?;
        let numeric = match self.token.as_slice() {
            [b'+' | b'-', digit, ..] | [digit, ..] => digit.is_ascii_digit(),
            [] => false,
        };
        if numeric {
            return self.number();
        }
        Ok(match self.token.as_slice() {
            b"nil" => Value::Null,
            b"true" => Value::Bool(true),
            b"false" => Value::Bool(false),
            // `::name` is a keyword too.
            [b':', b':', ..] => Value::Text(self.text_of_token(2)?),
            [b':', ..] => Value::Text(self.text_of_token(1)?),
            _ => Value::Text(self.text_of_token(0)?),
        })
    }

    /// The number in the token. What no number type holds exactly keeps its text.
    fn number(&mut self) -> Result<Value, ReadError> {
        let text = self.text_of_token(0)?;
        let plain = text.strip_prefix('+').unwrap_or(&text);
        let plain = plain.strip_suffix('N').unwrap_or(plain);
        if let Ok(number) = plain.parse::<i64>() {
            return Ok(Value::Int(number));
        }
        if let Ok(number) = plain.parse::<u64>() {
            return Ok(Value::from(number));
        }
        if let Some(digits) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X"))
            && let Ok(number) = u64::from_str_radix(digits, 16)
        {
            return Ok(Value::from(number));
        }
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = plain.strip_prefix('-').unwrap_or(plain);
        let is_ratio = unsigned.split_once('/').is_some_and(|(a, b)| digits(a) && digits(b));
        if is_ratio || digits(unsigned) {
            return Ok(Value::from(plain));
        }
        let decimal = plain.strip_suffix('M').unwrap_or(plain);
        match decimal.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Value::Float(Float(number))),
            Ok(_) => Ok(Value::from(decimal)),
            Err(_) => {
                Err(self.bytes.malformed("a value".to_owned(), format!("the number `{text}`")))
            }
        }
    }

    fn character(&mut self) -> Result<Value, ReadError> {
        self.bytes.bump();
        // The first byte belongs to it, even if it is a bracket.
        let first = self.bytes.take()?;
        self.token()?;
        self.token.insert(0, first);
        let text = self.text_of_token(0)?;
        let named = match text.as_str() {
            "newline" => '\n',
            "return" => '\r',
            "space" => ' ',
            "tab" => '\t',
            "backspace" => '\u{8}',
            "formfeed" => '\u{c}',
            code => {
                let code = code.strip_prefix('u').filter(|code| code.len() == 4);
                match code.and_then(|code| u32::from_str_radix(code, 16).ok()) {
                    Some(code) => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
                    None => return Ok(Value::Text(text)),
                }
            }
        };
        Ok(Value::Text(named.to_string().into()))
    }

    /// A string; at its opening quote.
    fn string(&mut self) -> Result<Value, ReadError> {
        self.bytes.bump();
        self.token.clear();
        loop {
            match self.bytes.take()? {
                b'"' => return Ok(Value::Text(self.text_of_token(0)?)),
                b'\\' => self.escape()?,
                byte => self.token.push(byte),
            }
        }
    }

    /// What follows a backslash in a string.
    fn escape(&mut self) -> Result<(), ReadError> {
        let byte = self.bytes.take()?;
        let character = match byte {
            b't' => '\t',
            b'n' => '\n',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\\' | b'/' | b'\'' => byte as char,
            b'u' => self.unicode()?,
            b'0'..=b'7' => {
                let mut code = u32::from(byte - b'0');
                for _ in 0..2 {
                    match self.bytes.peek()? {
                        Some(digit @ b'0'..=b'7') => {
                            code = code * 8 + u32::from(digit - b'0');
                            self.bytes.bump();
                        }
                        _ => break,
                    }
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => {
                let got = format!("`\\{}`", other.escape_ascii());
                return Err(self
                    .bytes
                    .malformed("an escape such as \\n or \\u0041".to_owned(), got));
            }
        };
        self.token.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// The character of `\uXXXX`, or of a surrogate pair of them; after the first `u`.
    fn unicode(&mut self) -> Result<char, ReadError> {
        let first = self.code_unit()?;
        let mut units = vec![first];
        let is_high = (0xd800..0xdc00).contains(&first);
        if is_high && self.bytes.peek()? == Some(b'\\') && self.bytes.second()? == Some(b'u') {
            self.bytes.bump();
            self.bytes.bump();
            units.push(self.code_unit()?);
        }
        let decoded = char::decode_utf16(units).next();
        Ok(decoded.and_then(Result::ok).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn code_unit(&mut self) -> Result<u16, ReadError> {
        let mut code = 0;
        for _ in 0..4 {
            match self.bytes.peek()?.and_then(|byte| (byte as char).to_digit(16)) {
                Some(digit) => code = code * 16 + digit as u16,
                None => return Err(self.bytes.unexpected("four hexadecimal digits")),
            }
            self.bytes.bump();
        }
        Ok(code)
    }
}
