//! How ZooKeeper writes its requests and replies: big-endian numbers, and strings and buffers behind
//! their lengths (`zookeeper.jute` of its source).

use std::io;

/// Writes one request.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn int(mut self, number: i32) -> Writer {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, number: i64) -> Writer {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(super) fn bool(mut self, yes: bool) -> Writer {
        self.0.push(u8::from(yes));
        self
    }

    /// A string is written the same way.
    pub(super) fn buffer(mut self, bytes: &[u8]) -> Writer {
        let length = i32::try_from(bytes.len()).expect("requests are far smaller than 2 GiB");
        self = self.int(length);
        self.0.extend(bytes);
        self
    }

    /// The request, behind its length.
    pub(super) fn frame(self) -> Vec<u8> {
        Writer::default().buffer(&self.0).0
    }
}

/// Reads one reply from its beginning on.
#[derive(Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(too_short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn int(&mut self) -> io::Result<i32> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(too_short)?;
        self.0 = rest;
        Ok(i32::from_be_bytes(*bytes))
    }

    pub(super) fn long(&mut self) -> io::Result<i64> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(too_short)?;
        self.0 = rest;
        Ok(i64::from_be_bytes(*bytes))
    }

    /// A length of -1 stands for nothing, which is taken as an empty buffer.
    pub(super) fn buffer(&mut self) -> io::Result<&'a [u8]> {
        let length = self.int()?.max(0);
        self.take(usize::try_from(length).map_err(|_| too_short())?)
    }

    pub(super) fn string(&mut self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(self.buffer()?).into_owned())
    }

    pub(super) fn strings(&mut self) -> io::Result<Vec<String>> {
        let count = self.int()?.max(0);
        (0..count).map(|_| self.string()).collect()
    }
}

fn too_short() -> io::Error {
    malformed("a reply that ends too early")
}

pub(super) fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the node sent {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_framed_by_its_length() {
        let frame = Writer::default().int(7).buffer(b"/a").bool(true).long(-1).frame();
        let expected = b"\0\0\0\x13\0\0\0\x07\0\0\0\x02/a\x01\xff\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(frame, expected);
    }

    #[test]
    fn a_reply_is_read_in_order() {
        let bytes = b"\0\0\0\x02\0\0\0\x01a\0\0\0\x02bc\xff\xff\xff\xff\0\0\0\0\0\0\0\x05";
        let mut reader = Reader::new(bytes);
        assert_eq!(reader.strings().unwrap(), ["a", "bc"]);
        assert_eq!(reader.buffer().unwrap(), b"");
        assert_eq!(reader.long().unwrap(), 5);
        assert!(reader.int().is_err());
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error() {
        assert!(Reader::new(b"\x7f\xff\xff\xffabc").buffer().is_err());
        assert!(Reader::new(b"\x7f\xff\xff\xff").strings().is_err());
    }
}
