//! What the wall clock of a program shows that speaks HTTP: its answers carry a date, to the second. It
//! is asked until the second changes, so that what is known is as exact as two answers are close.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::WallClock;
use crate::platform::real_time;

/// The beginning of an answer, with all headers.
const HEAD_BYTES_MAX: u64 = 16 << 10;
/// Pause between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(5);
/// A second takes a second to change, and the questions take their time.
const PATIENCE: Duration = Duration::from_millis(1_800);

/// Asks for `path` until the date in the answers changes. None if that takes too long.
pub(super) async fn wall_clock(address: SocketAddr, path: &str) -> Option<WallClock> {
    let ticked = async {
        let mut asked = real_time();
        let before = date(address, path).await?;
        loop {
            tokio::time::sleep(ASK_AGAIN).await;
            let asking = real_time();
            let shows = date(address, path).await?;
            if shows != before {
                // The second began after the question before this one.
                return Some(WallClock { shows, asked, answered: real_time() });
            }
            asked = asking;
        }
    };
    tokio::time::timeout(PATIENCE, ticked).await.ok()?
}

/// The date of one answer (nanoseconds since 1970).
async fn date(address: SocketAddr, path: &str) -> Option<i64> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.take(HEAD_BYTES_MAX).read_to_end(&mut answer).await.ok()?;
    date_of(&String::from_utf8_lossy(&answer))
}

/// The header `Date` of an answer.
fn date_of(answer: &str) -> Option<i64> {
    let head = answer.split("\r\n\r\n").next()?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then(|| value.trim().to_owned())
    };
    let text = head.split("\r\n").find_map(header)?;
    let parsed = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", &text).ok()?;
    let time = parsed.to_datetime().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    i64::try_from(time.timestamp().as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_found_among_the_headers() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
                      date: Thu, 01 Jan 1970 00:01:40 GMT\r\n\r\nDate: never";
        assert_eq!(date_of(answer), Some(100_000_000_000));
        assert_eq!(date_of("HTTP/1.1 200 OK\r\n\r\nDate: Thu, 01 Jan 1970 00:01:40 GMT"), None);
        assert_eq!(date_of("HTTP/1.1 200 OK\r\nDate: soon\r\n\r\n"), None);
    }
}
