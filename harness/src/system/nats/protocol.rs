//! The client protocol of NATS, as far as requests and their replies need it
//! (<https://docs.nats.io/reference/reference-protocols/nats-protocol>).
//!
//! ```text
//! INFO {...}                                          once, from the server
//! CONNECT {...}
//! SUB _INBOX.7.* 1
//! PUB log.3 _INBOX.7.15 2\r\n42                       a request, and where its reply goes
//! MSG _INBOX.7.15 1 32\r\n{"stream":"s","seq":8}      its reply; HMSG is one with headers
//! ```

use std::io;
use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longest line, such as what a server says about itself.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Longest message.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Requests that are sent before the first reply is awaited.
const PIPELINED_MAX: usize = 256;

/// The status of a reply in place of one: nobody takes messages of this subject.
pub(super) const NO_RESPONDERS: u16 = 503;

/// A message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// Such as 404; only where there is no payload.
    pub(super) status: Option<u16>,
    /// Names and values.
    pub(super) headers: Vec<(String, String)>,
    /// What it is about.
    pub(super) payload: Vec<u8>,
}

impl Message {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// One connection; one caller at a time. After an error it must not be used again.
pub(super) struct Connection {
    stream: BufReader<TcpStream>,
    /// Replies come to subjects that begin so.
    inbox: String,
    /// Requests so far; each is told from the others by its number.
    requests: u64,
}

impl Connection {
    /// Connects to a server.
    pub(super) async fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut connection =
            Connection { stream: BufReader::new(stream), inbox: String::new(), requests: 0 };
        let line = connection.line().await?;
        let info: serde_json::Value = line
            .strip_prefix("INFO ")
            .and_then(|json| serde_json::from_str(json).ok())
            .ok_or_else(|| malformed(&line))?;
        // A server gives each connection a number of its own, and servers have unique names.
        connection.inbox =
            format!("_INBOX.{}-{}.", info["server_id"].as_str().unwrap_or(""), info["client_id"]);
        let options = json!({
            "verbose": false, "pedantic": false, "echo": true, "headers": true,
            "no_responders": true, "protocol": 1, "lang": "rust", "version": "0",
        });
        let hello = format!("CONNECT {options}\r\nSUB {}* 1\r\nPING\r\n", connection.inbox);
        connection.stream.get_mut().write_all(hello.as_bytes()).await?;
        while connection.line().await? != "PONG" {}
        Ok(connection)
    }

    /// Sends a request and awaits its reply.
    pub(super) async fn request(&mut self, subject: &str, payload: &str) -> io::Result<Message> {
        let mut replies = self.request_all(&[(subject, payload.to_owned())]).await?;
        replies.pop().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Sends requests (subject and payload) without awaiting the replies in between; the replies are in
    /// the order of the requests.
    pub(super) async fn request_all(
        &mut self,
        requests: &[(&str, String)],
    ) -> io::Result<Vec<Message>> {
        let mut replies = Vec::with_capacity(requests.len());
        for some in requests.chunks(PIPELINED_MAX) {
            replies.extend(self.pipeline(some).await?);
        }
        Ok(replies)
    }

    async fn pipeline(&mut self, requests: &[(&str, String)]) -> io::Result<Vec<Message>> {
        let first = self.requests;
        let mut text = String::new();
        for (subject, payload) in requests {
            let (inbox, number, length) = (&self.inbox, self.requests, payload.len());
            text.push_str(&format!("PUB {subject} {inbox}{number} {length}\r\n{payload}\r\n"));
            self.requests += 1;
        }
        self.stream.get_mut().write_all(text.as_bytes()).await?;
        let mut replies: Vec<Option<Message>> = vec![None; requests.len()];
        let mut missing = requests.len();
        while missing > 0 {
            let (subject, message) = self.message().await?;
            let number = subject.strip_prefix(&self.inbox).and_then(|it| it.parse::<u64>().ok());
            let place = number.and_then(|number| number.checked_sub(first));
            // A reply to an earlier request was given up.
            let Some(place) = place.and_then(|it| replies.get_mut(it as usize)) else { continue };
            if place.replace(message).is_none() {
                missing -= 1;
            }
        }
        Ok(replies.into_iter().flatten().collect())
    }

    /// The next message, with its subject.
    async fn message(&mut self) -> io::Result<(String, Message)> {
        let line = self.line().await?;
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let size = |word: &str| match word.parse() {
            Ok(size) if size <= MESSAGE_BYTES_MAX => Ok(size),
            _ => Err(malformed(&line)),
        };
        let (subject, header, total) = match words[..] {
            ["MSG", subject, _, total] | ["MSG", subject, _, _, total] => {
                (subject, 0, size(total)?)
            }
            ["HMSG", subject, _, header, total] | ["HMSG", subject, _, _, header, total] => {
                (subject, size(header)?, size(total)?)
            }
            _ => return Err(malformed(&line)),
        };
        if header > total {
            return Err(malformed(&line));
        }
        let mut bytes = vec![0; total + 2];
        self.stream.read_exact(&mut bytes).await?;
        bytes.truncate(total);
        let payload = bytes.split_off(header);
        let mut message = headers(&String::from_utf8_lossy(&bytes));
        message.payload = payload;
        Ok((subject.to_owned(), message))
    }

    /// The next line that is not about the connection itself.
    async fn line(&mut self) -> io::Result<String> {
        loop {
            let mut line = Vec::new();
            (&mut self.stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
            let Some(text) = line.strip_suffix(b"\r\n") else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let text = String::from_utf8_lossy(text).into_owned();
            match text.split_ascii_whitespace().next() {
                Some("PING") => self.stream.get_mut().write_all(b"PONG\r\n").await?,
                // The first one tells the number of this connection; later ones tell of other servers.
                Some("INFO") if !self.inbox.is_empty() => {}
                Some("+OK") => {}
                Some("-ERR") => return Err(io::Error::other(text)),
                _ => return Ok(text),
            }
        }
    }
}

/// `NATS/1.0 404 Message Not Found`, or `NATS/1.0` and lines `Name: value`; nothing if there are none.
fn headers(text: &str) -> Message {
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.split_ascii_whitespace().nth(1).and_then(|code| code.parse().ok());
    let fields = lines.filter_map(|line| line.split_once(':'));
    let headers = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
    Message { status, headers, payload: Vec::new() }
}

fn malformed(line: &str) -> io::Error {
    let start: String = line.chars().take(80).collect();
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {start:?}"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const INFO: &str = "INFO {\"server_id\":\"S\",\"client_id\":7}\r\nPONG\r\n";

    /// What becomes of two requests to a server that sends these bytes, and what it received.
    async fn ask(bytes: String) -> (io::Result<Vec<Message>>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut received = String::new();
            stream.read_to_string(&mut received).await.unwrap();
            received
        });
        let replies = async {
            let mut connection = Connection::open(address).await?;
            connection.request_all(&[("a", "1".to_owned()), ("b", String::new())]).await
        };
        let replies = replies.await;
        (replies, server.await.unwrap())
    }

    #[tokio::test]
    async fn replies_are_told_apart_by_their_subjects() {
        let head = "NATS/1.0\r\nNats-Sequence: 12\r\n\r\n";
        let replies = format!(
            "PING\r\nMSG _INBOX.S-7.1 1 2\r\nno\r\nHMSG _INBOX.S-7.0 1 {} {}\r\n{head}yes\r\n",
            head.len(),
            head.len() + 3
        );
        let (replies, received) = ask(format!("{INFO}{replies}")).await;
        let replies = replies.unwrap();
        assert_eq!(replies[0].payload, b"yes");
        assert_eq!(replies[0].header("nats-sequence"), Some("12"));
        assert_eq!(replies[1], Message { payload: b"no".to_vec(), ..Message::default() });
        assert!(received.contains("SUB _INBOX.S-7.* 1\r\n"), "{received}");
        assert!(received.contains("PUB a _INBOX.S-7.0 1\r\n1\r\nPUB b _INBOX.S-7.1 0\r\n\r\n"));
        assert!(received.ends_with("PONG\r\n"), "{received}");
    }

    #[test]
    fn a_status_stands_in_the_first_line() {
        let message = headers("NATS/1.0 404 Message Not Found\r\n\r\n");
        assert_eq!((message.status, message.headers.len()), (Some(404), 0));
        assert_eq!(headers(""), Message::default());
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error() {
        for bytes in ["MSG x 1\r\n", "MSG x 1 99999999999\r\n", "HMSG x 1 9 3\r\n", "-ERR 'no'\r\n"]
        {
            let (replies, _) = ask(format!("{INFO}{bytes}")).await;
            assert!(replies.is_err(), "{bytes}");
        }
        assert!(ask("HELLO\r\n".to_owned()).await.0.is_err());
    }
}
