//! The protocol of MySQL and MariaDB, as far as statements without parameters need it: no TLS, and a
//! user without a password (<https://mariadb.com/docs/server/reference/clientserver-protocol>).

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// What the client can do: long passwords, `FOUND_ROWS` left out, protocol 4.1, transactions, and the
/// way of authentication by name.
const CAPABILITIES: u32 = 0x0001 | 0x0200 | 0x2000 | 0x8000 | 0x0008_0000;
/// The character set of the connection: `utf8mb4_general_ci`.
const CHARACTER_SET: u8 = 45;
/// A packet of this many bytes would go on in the next one, which nothing here needs.
const PACKET_BYTES_MAX: usize = 0x00ff_ffff;
/// Most rows of one answer.
const ROWS_MAX: usize = 10_000_000;
/// The command that has a statement as its text.
const QUERY: u8 = 3;

/// First bytes of packets.
const OK: u8 = 0x00;
const END: u8 = 0xfe;
const ERROR: u8 = 0xff;
/// In place of a length: the value is NULL.
const NULL: u8 = 0xfb;

/// A statement was not answered as wished.
#[derive(Debug, thiserror::Error)]
pub(super) enum SqlError {
    /// The server refused it.
    #[error("error {code}: {message}")]
    Server {
        /// Its number, such as 1213.
        code: u16,
        /// In words.
        message: String,
    },
    /// The connection failed; it must not be used again.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One row; none is NULL.
pub(super) type Row = Vec<Option<String>>;

/// What a statement did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// What it found.
    pub(super) rows: Vec<Row>,
    /// How many rows it changed.
    pub(super) changed: u64,
}

/// One connection; one statement at a time.
#[derive(Debug)]
pub(super) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// Connects as this user.
    pub(super) async fn open(address: SocketAddr, user: &str) -> Result<Connection, SqlError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut connection = Connection(BufReader::new(stream));
        let (number, greeting) = connection.packet().await?;
        if greeting.first() == Some(&ERROR) {
            return Err(refusal(&greeting[1..]));
        }
        connection.send(number.wrapping_add(1), &login(user)).await?;
        match connection.packet().await?.1.as_slice() {
            [OK, ..] => Ok(connection),
            [ERROR, rest @ ..] => Err(refusal(rest)),
            _ => Err(malformed("a way of authentication that is not known here").into()),
        }
    }

    /// Carries out a statement.
    pub(super) async fn query(&mut self, sql: &str) -> Result<Answer, SqlError> {
        self.send(0, &[&[QUERY], sql.as_bytes()].concat()).await?;
        let (_, first) = self.packet().await?;
        let columns = match first.as_slice() {
            [OK, rest @ ..] => {
                let changed = Reader(rest).number()?;
                return Ok(Answer { rows: Vec::new(), changed });
            }
            [ERROR, rest @ ..] => return Err(refusal(rest)),
            count => Reader(count).number()?,
        };
        for _ in 0..columns {
            self.packet().await?;
        }
        // The end of the columns.
        self.packet().await?;
        let mut rows = Vec::new();
        loop {
            let (_, packet) = self.packet().await?;
            match packet.as_slice() {
                [END, rest @ ..] if rest.len() < 8 => return Ok(Answer { rows, changed: 0 }),
                [ERROR, rest @ ..] => return Err(refusal(rest)),
                row if rows.len() < ROWS_MAX => rows.push(Reader(row).row(columns)?),
                _ => return Err(malformed("more rows than anything here needs").into()),
            }
        }
    }

    async fn send(&mut self, number: u8, payload: &[u8]) -> io::Result<()> {
        if payload.len() >= PACKET_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the statement is too long"));
        }
        let length = u32::try_from(payload.len()).unwrap_or_default().to_le_bytes();
        let packet = [&length[..3], &[number], payload].concat();
        self.0.get_mut().write_all(&packet).await
    }

    /// One packet with its number.
    async fn packet(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut header = [0; 4];
        self.0.read_exact(&mut header).await?;
        let [a, b, c, number] = header;
        let length = u32::from_le_bytes([a, b, c, 0]) as usize;
        if length == PACKET_BYTES_MAX {
            return Err(malformed("a packet that is too long"));
        }
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await?;
        Ok((number, payload))
    }
}

/// The answer to the greeting: the user, an empty password, and the way to check it.
fn login(user: &str) -> Vec<u8> {
    let mut login = CAPABILITIES.to_le_bytes().to_vec();
    login.extend((PACKET_BYTES_MAX as u32).to_le_bytes());
    login.push(CHARACTER_SET);
    login.extend([0; 23]);
    login.extend(user.as_bytes());
    login.extend([0, 0]);
    login.extend(b"mysql_native_password\0");
    login
}

/// Its number, then its state behind a `#`, then the words.
fn refusal(packet: &[u8]) -> SqlError {
    let Some((&[low, high], words)) = packet.split_first_chunk() else {
        return malformed("an error without a number").into();
    };
    let words = match words {
        [b'#', rest @ ..] => rest.get(5..).unwrap_or_default(),
        words => words,
    };
    let message = String::from_utf8_lossy(words).into_owned();
    SqlError::Server { code: u16::from_le_bytes([low, high]), message }
}

/// Reads a packet from its beginning on.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, length: u64) -> io::Result<&[u8]> {
        let taken = usize::try_from(length).ok().and_then(|at| self.0.split_at_checked(at));
        let (taken, rest) = taken.ok_or_else(|| malformed("a packet that ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of as many bytes as its first one says.
    fn number(&mut self) -> io::Result<u64> {
        let first = self.take(1)?[0];
        let length = match first {
            0xfc => 2,
            0xfd => 3,
            0xfe => 8,
            0xfb | 0xff => return Err(malformed("something in place of a number")),
            number => return Ok(number.into()),
        };
        let bytes = self.take(length)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
    }

    fn row(&mut self, columns: u64) -> io::Result<Row> {
        let mut row = Row::new();
        for _ in 0..columns {
            if self.0.first() == Some(&NULL) {
                self.take(1)?;
                row.push(None);
                continue;
            }
            let length = self.number()?;
            row.push(Some(String::from_utf8_lossy(self.take(length)?).into_owned()));
        }
        Ok(row)
    }
}

/// A text as a statement has it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the node sent {what}"))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A server that lets everybody in and answers the first statement with these packets.
    async fn answer(packets: &[&[u8]]) -> Result<Answer, SqlError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let packets: Vec<Vec<u8>> = packets.iter().map(|packet| packet.to_vec()).collect();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut peer = Connection(BufReader::new(stream));
            peer.send(0, b"\x0a10.11\0").await.unwrap();
            let (number, login) = peer.packet().await.unwrap();
            assert_eq!(&login[32..], b"root\0\0mysql_native_password\0");
            peer.send(number + 1, &[OK, 0, 0]).await.unwrap();
            let (_, statement) = peer.packet().await.unwrap();
            for (number, packet) in packets.iter().enumerate() {
                peer.send(u8::try_from(number).unwrap() + 1, packet).await.unwrap();
            }
            statement
        });
        let mut connection = Connection::open(address, "root").await.unwrap();
        let answer = connection.query("SELECT 1").await;
        assert_eq!(server.await.unwrap(), b"\x03SELECT 1");
        answer
    }

    #[tokio::test]
    async fn rows_are_read_with_what_is_null() {
        let end: &[u8] = &[END, 0, 0, 2, 0];
        let rows = [&[2][..], b"column", b"column", end, b"\x01a\xfb", b"\xfc\x02\0bc\0", end];
        let found = answer(&rows).await.unwrap().rows;
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(found, [vec![text("a"), None], vec![text("bc"), text("")]]);
    }

    #[tokio::test]
    async fn changes_are_counted() {
        let changed = answer(&[&[OK, 0xfc, 1, 1, 0]]).await.unwrap().changed;
        assert_eq!(changed, 257);
    }

    #[tokio::test]
    async fn an_error_has_its_number() {
        let error = answer(&[b"\xff\xbd\x04#40001Deadlock found"]).await.unwrap_err();
        assert_eq!(error.to_string(), "error 1213: Deadlock found");
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        let end: &[u8] = &[END, 0, 0, 2, 0];
        for packets in [&[&[1][..], b"column", end, b"\x09a"][..], &[b"\xff\x01"], &[b""]] {
            assert!(matches!(answer(packets).await, Err(SqlError::Io(_))), "{packets:?}");
        }
    }

    #[test]
    fn quotes_in_a_text_are_doubled() {
        assert_eq!(quoted(r#"a'b\c"#), r#"'a''b\\c'"#);
    }
}
