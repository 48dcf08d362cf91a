//! The protocol of Redis, RESP2, as far as commands and their replies need it
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longest line, such as an error.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Longest string.
const STRING_BYTES_MAX: usize = 64 << 20;
/// Most elements of one array.
const ELEMENTS_MAX: usize = 10_000_000;
/// Arrays in arrays.
const DEPTH_MAX: usize = 8;

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// A status, such as `OK`.
    Status(String),
    /// An error: the command was not carried out.
    Error(String),
    /// A number.
    Integer(i64),
    /// A string, or nothing.
    String(Option<Vec<u8>>),
    /// Several replies; an absent array is empty.
    Array(Vec<Reply>),
}

impl Reply {
    /// The text of a status or a string.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Reply::Status(text) => Some(text.clone()),
            Reply::String(Some(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        }
    }

    pub(super) fn elements(&self) -> &[Reply] {
        match self {
            Reply::Array(elements) => elements,
            _ => &[],
        }
    }
}

/// One connection; one command at a time.
pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(super) async fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection(BufReader::new(stream)))
    }

    /// Sends a command and reads its reply. After an error the connection must not be used again.
    pub(super) async fn command(&mut self, words: &[&str]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(request.as_bytes()).await?;
        self.reply(0).await
    }

    async fn reply(&mut self, depth: usize) -> io::Result<Reply> {
        let line = self.line().await?;
        let Some((kind, rest)) = line.split_at_checked(1) else {
            return Err(malformed("an empty line"));
        };
        match kind {
            "+" => Ok(Reply::Status(rest.to_owned())),
            "-" => Ok(Reply::Error(rest.to_owned())),
            ":" => Ok(Reply::Integer(number(rest)?)),
            "$" => Ok(Reply::String(match size(rest, STRING_BYTES_MAX)? {
                None => None,
                Some(length) => Some(self.string(length).await?),
            })),
            "*" if depth < DEPTH_MAX => {
                let count = size(rest, ELEMENTS_MAX)?.unwrap_or(0);
                let mut elements = Vec::new();
                for _ in 0..count {
                    elements.push(Box::pin(self.reply(depth + 1)).await?);
                }
                Ok(Reply::Array(elements))
            }
            _ => Err(malformed(&format!("a reply that begins with {kind:?}"))),
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut self.0).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
        match line.strip_suffix(b"\r\n") {
            Some(text) => Ok(String::from_utf8_lossy(text).into_owned()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn string(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes).await?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| malformed(&format!("{text:?} in place of a number")))
}

/// A length; none for -1.
fn size(text: &str, max: usize) -> io::Result<Option<usize>> {
    match number(text)? {
        -1 => Ok(None),
        length => match usize::try_from(length) {
            Ok(length) if length <= max => Ok(Some(length)),
            _ => Err(malformed(&format!("a length of {length}"))),
        },
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What a client makes of these bytes.
    async fn read(bytes: &'static [u8]) -> io::Result<Reply> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut request = Vec::new();
            stream.read_to_end(&mut request).await.unwrap();
            request
        });
        let mut connection = Connection::open(address).await?;
        let reply = connection.command(&["PING", "a b"]).await;
        drop(connection);
        assert_eq!(server.await.unwrap(), b"*2\r\n$4\r\nPING\r\n$3\r\na b\r\n");
        reply
    }

    #[tokio::test]
    async fn replies_are_read() {
        assert_eq!(read(b"+OK\r\n").await.unwrap(), Reply::Status("OK".to_owned()));
        assert_eq!(read(b"$-1\r\n").await.unwrap(), Reply::String(None));
        assert_eq!(read(b"-ERR no\r\n").await.unwrap(), Reply::Error("ERR no".to_owned()));
        let nested = read(b"*2\r\n:7\r\n*1\r\n$2\r\nab\r\n").await.unwrap();
        let inner = Reply::Array(vec![Reply::String(Some(b"ab".to_vec()))]);
        assert_eq!(nested, Reply::Array(vec![Reply::Integer(7), inner]));
    }

    #[tokio::test]
    async fn what_is_no_reply_is_an_error() {
        for bytes in [&b"?\r\n"[..], b"$-2\r\n", b"$999999999999\r\n", b":x\r\n", b"+OK"] {
            assert!(read(bytes).await.is_err(), "{bytes:?}");
        }
    }
}
