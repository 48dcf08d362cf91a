//! Frames and methods of AMQP 0-9-1, as far as queues need them
//! (<https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>).
//!
//! ```text
//! frame   type (1)  channel (2)  size (4)  payload  0xCE
//! method  class (2) method (2) arguments
//! ```

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What a client sends first.
pub(super) const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";
/// The last byte of a frame.
const FRAME_END: u8 = 0xCE;
/// Longest frame.
pub(super) const FRAME_BYTES_MAX: u32 = 128 << 10;

/// Types of frames.
pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;

/// Class and number of a method.
pub(super) type MethodId = (u16, u16);
pub(super) const CONNECTION_START: MethodId = (10, 10);
pub(super) const CONNECTION_START_OK: MethodId = (10, 11);
pub(super) const CONNECTION_TUNE: MethodId = (10, 30);
pub(super) const CONNECTION_TUNE_OK: MethodId = (10, 31);
pub(super) const CONNECTION_OPEN: MethodId = (10, 40);
pub(super) const CONNECTION_OPEN_OK: MethodId = (10, 41);
pub(super) const CONNECTION_CLOSE: MethodId = (10, 50);
pub(super) const CHANNEL_OPEN: MethodId = (20, 10);
pub(super) const CHANNEL_OPEN_OK: MethodId = (20, 11);
pub(super) const CHANNEL_CLOSE: MethodId = (20, 40);
pub(super) const QUEUE_DECLARE: MethodId = (50, 10);
pub(super) const QUEUE_DECLARE_OK: MethodId = (50, 11);
pub(super) const BASIC_PUBLISH: MethodId = (60, 40);
pub(super) const BASIC_RETURN: MethodId = (60, 50);
pub(super) const BASIC_GET: MethodId = (60, 70);
pub(super) const BASIC_GET_OK: MethodId = (60, 71);
pub(super) const BASIC_GET_EMPTY: MethodId = (60, 72);
pub(super) const BASIC_ACK: MethodId = (60, 80);
pub(super) const BASIC_NACK: MethodId = (60, 120);
pub(super) const CONFIRM_SELECT: MethodId = (85, 10);
pub(super) const CONFIRM_SELECT_OK: MethodId = (85, 11);

/// The class of messages, and the flag of their property `delivery-mode`.
pub(super) const BASIC: u16 = 60;
pub(super) const HAS_DELIVERY_MODE: u16 = 1 << 12;

/// A frame that was received.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) payload: Vec<u8>,
}

/// Reads one frame.
pub(super) async fn read_frame(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let kind = stream.read_u8().await?;
    let _channel = stream.read_u16().await?;
    let size = stream.read_u32().await?;
    if size > FRAME_BYTES_MAX {
        return Err(malformed("a frame that is too long"));
    }
    let mut payload = vec![0; size as usize];
    stream.read_exact(&mut payload).await?;
    match stream.read_u8().await? {
        FRAME_END => Ok(Frame { kind, payload }),
        _ => Err(malformed("a frame without its end")),
    }
}

/// A frame as it is sent.
pub(super) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend(channel.to_be_bytes());
    frame.extend((payload.len() as u32).to_be_bytes());
    frame.extend(payload);
    frame.push(FRAME_END);
    frame
}

/// The arguments of a method, one after the other.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn method((class, number): MethodId) -> Writer {
        Writer::default().short(class).short(number)
    }

    pub(super) fn octet(mut self, value: u8) -> Writer {
        self.0.push(value);
        self
    }

    pub(super) fn short(mut self, value: u16) -> Writer {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn long(mut self, value: u32) -> Writer {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(super) fn longlong(mut self, value: u64) -> Writer {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// A text of at most 255 bytes; what is longer is cut.
    pub(super) fn short_text(mut self, text: &str) -> Writer {
        let bytes = &text.as_bytes()[..text.len().min(255)];
        self.0.push(bytes.len() as u8);
        self.0.extend(bytes);
        self
    }

    pub(super) fn long_text(self, text: &str) -> Writer {
        let mut writer = self.long(text.len() as u32);
        writer.0.extend(text.as_bytes());
        writer
    }

    /// Names and texts.
    pub(super) fn text_table(self, fields: &[(&str, &str)]) -> Writer {
        let field = |table: Writer, (name, text): &(&str, &str)| {
            table.short_text(name).octet(b'S').long_text(text)
        };
        self.table(fields.iter().fold(Writer::default(), field))
    }

    /// Names that are true, in a table of this name in a table.
    pub(super) fn flags_in_table(self, name: &str, flags: &[&str]) -> Writer {
        let flag = |table: Writer, name: &&str| table.short_text(name).octet(b't').octet(1);
        let flags = flags.iter().fold(Writer::default(), flag);
        self.table(Writer::default().short_text(name).octet(b'F').table(flags))
    }

    fn table(self, fields: Writer) -> Writer {
        let mut writer = self.long(fields.0.len() as u32);
        writer.0.extend(fields.0);
        writer
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What is left of a payload.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl Reader<'_> {
    fn take<const COUNT: usize>(&mut self) -> io::Result<[u8; COUNT]> {
        match self.0.split_first_chunk::<COUNT>() {
            Some((bytes, rest)) => {
                self.0 = rest;
                Ok(*bytes)
            }
            None => Err(malformed("a method that is too short")),
        }
    }

    pub(super) fn octet(&mut self) -> io::Result<u8> {
        self.take::<1>().map(|[value]| value)
    }

    pub(super) fn short(&mut self) -> io::Result<u16> {
        self.take().map(u16::from_be_bytes)
    }

    pub(super) fn longlong(&mut self) -> io::Result<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub(super) fn short_text(&mut self) -> io::Result<String> {
        let length = usize::from(self.octet()?);
        match self.0.split_at_checked(length) {
            Some((text, rest)) => {
                self.0 = rest;
                Ok(String::from_utf8_lossy(text).into_owned())
            }
            None => Err(malformed("a text that is too short")),
        }
    }
}

pub(super) fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_is_read_as_it_was_written() {
        let payload = Writer::method(QUEUE_DECLARE).short(0).short_text("q").octet(2);
        let payload = payload.text_table(&[("a", "bc")]).into_bytes();
        let bytes = frame(METHOD, 1, &payload);
        assert_eq!(bytes[..7], [1, 0, 1, 0, 0, 0, payload.len() as u8]);
        assert_eq!(payload[9..], [0, 0, 0, 9, 1, b'a', b'S', 0, 0, 0, 2, b'b', b'c']);
        let read = read_frame(&mut &bytes[..]).await.unwrap();
        assert_eq!(read, Frame { kind: METHOD, payload });
    }

    #[tokio::test]
    async fn what_is_no_frame_is_an_error() {
        for bytes in [&b"AMQP\x00\x00\x09\x01"[..], &[1, 0, 0, 0, 0, 0, 0, 0], &[1, 0]] {
            assert!(read_frame(&mut &bytes[..]).await.is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn arguments_are_read_one_after_the_other() {
        let bytes = Writer::default().short(7).longlong(9).short_text("ab").octet(1).into_bytes();
        let mut reader = Reader(&bytes);
        assert_eq!((reader.short().unwrap(), reader.longlong().unwrap()), (7, 9));
        assert_eq!((reader.short_text().unwrap().as_str(), reader.octet().unwrap()), ("ab", 1));
        assert!(reader.octet().is_err());
        assert!(Reader(&[3, b'a']).short_text().is_err());
    }
}
