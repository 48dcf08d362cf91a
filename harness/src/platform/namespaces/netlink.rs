//! A little netlink: building messages, sending them, waiting for each answer.
//!
//! ```text
//! Socket::transact ── [Message, Message, ...] in one datagram ──> kernel
//!                  <─ one acknowledgement for each, or an error naming what was attempted
//! ```

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::platform::PlatformError;

mod route;

pub(crate) use route::{Neighbour, Route, VethPair};

/// The kernel answers at once; this only bounds a wait that would be a bug.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const HEADER: usize = 16;

pub(crate) const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
pub(crate) const ACK: u16 = libc::NLM_F_ACK as u16;
pub(crate) const CREATE: u16 = libc::NLM_F_CREATE as u16;
pub(crate) const EXCLUSIVE: u16 = libc::NLM_F_EXCL as u16;
pub(crate) const APPEND: u16 = libc::NLM_F_APPEND as u16;
pub(crate) const DUMP: u16 = libc::NLM_F_DUMP as u16;
const NESTED: u16 = 1 << 15;

/// One netlink message under construction.
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// A message of this type with the fixed header of its family.
    pub(crate) fn new(kind: u16, flags: u16, family_header: &[u8]) -> Message {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        Message { bytes }.raw(family_header)
    }

    /// Bytes without an attribute header.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Message {
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(align(self.bytes.len()), 0);
        self
    }

    /// An attribute of raw bytes.
    pub(crate) fn bytes(mut self, kind: u16, value: &[u8]) -> Message {
        let length = u16::try_from(4 + value.len()).expect("attribute values are short");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.raw(value)
    }

    /// A string, with the final zero byte.
    pub(crate) fn text(self, kind: u16, value: &str) -> Message {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// A number in host order, as rtnetlink has it.
    pub(crate) fn u32(self, kind: u16, value: u32) -> Message {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// A number in network order, as nftables has it.
    pub(crate) fn be32(self, kind: u16, value: u32) -> Message {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// An attribute that holds the attributes which `fill` adds.
    pub(crate) fn nested(mut self, kind: u16, fill: impl FnOnce(Message) -> Message) -> Message {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        self.bytes.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        let mut message = fill(self);
        let length = u16::try_from(message.bytes.len() - start).expect("nests are below 64 KiB");
        message.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        message
    }

    fn wants_answer(&self) -> bool {
        u16::from_ne_bytes([self.bytes[6], self.bytes[7]]) & ACK != 0
    }

    fn finish(&mut self, sequence: u32) -> &[u8] {
        let length = u32::try_from(self.bytes.len()).expect("messages are short");
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        &self.bytes
    }
}

/// A netlink socket. It stays in the network namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl Socket {
    /// Opens a socket of this protocol, such as `NETLINK_ROUTE`.
    pub(crate) fn open(protocol: i32) -> Result<Socket, PlatformError> {
        // SAFETY: plain call, no pointers; the result is checked and owned below.
        let fd = unsafe {
            libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol)
        };
        if fd < 0 {
            return Err(PlatformError::last_os("open a netlink socket"));
        }
        // SAFETY: `fd` was just opened and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let timeout =
            libc::timeval { tv_sec: ANSWER_TIMEOUT.as_secs() as libc::time_t, tv_usec: 0 };
        // SAFETY: the option is a timeval, and its size is passed.
        let set = unsafe {
            libc::setsockopt(
                fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const timeout).cast(),
                size_of_val(&timeout) as libc::socklen_t,
            )
        };
        if set < 0 {
            return Err(PlatformError::last_os("bound the waits of a netlink socket"));
        }
        Ok(Socket { fd, sequence: 1 })
    }

    /// Sends the messages as one datagram and waits for every acknowledgement asked for.
    pub(crate) fn transact(
        &mut self,
        what: &str,
        messages: Vec<Message>,
    ) -> Result<(), PlatformError> {
        let first = self.sequence;
        let mut missing = messages.iter().filter(|message| message.wants_answer()).count();
        self.send(what, messages)?;
        // A refused batch is answered by errors only, so the first of them ends the wait.
        while missing > 0 {
            for reply in self.receive(what)? {
                if reply.sequence < first || reply.kind != libc::NLMSG_ERROR as u16 {
                    continue;
                }
                match reply.errno() {
                    0 => missing = missing.saturating_sub(1),
                    errno => {
                        return Err(PlatformError::os(what, io::Error::from_raw_os_error(errno)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends a dump request and returns the payload of each message of the answer.
    pub(crate) fn dump(
        &mut self,
        what: &str,
        request: Message,
    ) -> Result<Vec<Vec<u8>>, PlatformError> {
        let first = self.sequence;
        self.send(what, vec![request])?;
        let mut payloads = Vec::new();
        loop {
            for reply in self.receive(what)? {
                if reply.sequence < first {
                    continue;
                }
                match i32::from(reply.kind) {
                    libc::NLMSG_DONE => return Ok(payloads),
                    libc::NLMSG_ERROR => {
                        let error = io::Error::from_raw_os_error(reply.errno());
                        return Err(PlatformError::os(what, error));
                    }
                    _ => payloads.push(reply.payload),
                }
            }
        }
    }

    fn send(&mut self, what: &str, messages: Vec<Message>) -> Result<(), PlatformError> {
        let mut datagram = Vec::new();
        for mut message in messages {
            datagram.extend_from_slice(message.finish(self.sequence));
            self.sequence = self.sequence.wrapping_add(1);
        }
        // SAFETY: pointer and length describe `datagram`, which outlives the call.
        let sent =
            unsafe { libc::send(self.fd.as_raw_fd(), datagram.as_ptr().cast(), datagram.len(), 0) };
        if sent < 0 { Err(PlatformError::last_os(what)) } else { Ok(()) }
    }

    fn receive(&self, what: &str) -> Result<Vec<Reply>, PlatformError> {
        let mut buffer = vec![0_u8; 64 * 1024];
        // SAFETY: pointer and length describe `buffer`, which outlives the call.
        let received =
            unsafe { libc::recv(self.fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        if received < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                return Ok(Vec::new());
            }
            return Err(PlatformError::os(format!("{what}, waiting for the answer"), error));
        }
        Ok(parse_replies(&buffer[..received.unsigned_abs()]))
    }
}

/// One message from the kernel.
struct Reply {
    kind: u16,
    sequence: u32,
    payload: Vec<u8>,
}

impl Reply {
    fn errno(&self) -> i32 {
        let code = self.payload.first_chunk::<4>().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
        code.saturating_neg()
    }
}

fn parse_replies(mut bytes: &[u8]) -> Vec<Reply> {
    let mut replies = Vec::new();
    while let Some(header) = bytes.first_chunk::<HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        if length < HEADER || length > bytes.len() {
            break;
        }
        replies.push(Reply {
            kind: u16::from_ne_bytes([header[4], header[5]]),
            sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
            payload: bytes[HEADER..length].to_vec(),
        });
        bytes = &bytes[align(length).min(bytes.len())..];
    }
    replies
}

/// The attributes in `bytes`, in order: type without flags, and value.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let header = bytes.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & 0x3fff;
        let value = bytes.get(4..length)?;
        bytes = &bytes[align(length).min(bytes.len())..];
        Some((kind, value))
    })
}

fn align(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// The index of an interface of this thread's network namespace.
pub(crate) fn interface_index(name: &str) -> Result<u32, PlatformError> {
    nix::net::if_::if_nametoindex(name)
        .map_err(|errno| PlatformError::os(format!("find interface {name}"), errno.into()))
}

/// A descriptor as netlink wants it.
fn descriptor(fd: RawFd) -> u32 {
    u32::try_from(fd).expect("an open descriptor is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_attributes_carry_their_length() {
        let message = Message::new(1, 0, &[]).nested(2, |m| m.text(3, "abc").u32(4, 7));
        let outer: Vec<_> = attributes(&message.bytes[HEADER..]).collect();
        assert_eq!(outer.len(), 1);
        assert_eq!(outer[0].0, 2);
        let inner: Vec<_> = attributes(outer[0].1).collect();
        assert_eq!(inner, vec![(3, &b"abc\0"[..]), (4, &7_u32.to_ne_bytes()[..])]);
    }

    #[test]
    fn truncated_attributes_end_the_iteration() {
        let message = Message::new(1, 0, &[]).text(3, "abcdef");
        assert_eq!(attributes(&message.bytes[HEADER..HEADER + 6]).count(), 0);
    }

    #[test]
    fn an_error_reply_gives_its_errno() {
        let mut bytes = vec![0_u8; 20];
        bytes[0..4].copy_from_slice(&20_u32.to_ne_bytes());
        bytes[4..6].copy_from_slice(&(libc::NLMSG_ERROR as u16).to_ne_bytes());
        bytes[16..20].copy_from_slice(&(-libc::EPERM).to_ne_bytes());
        let replies = parse_replies(&bytes);
        assert_eq!(replies.len(), 1);
        assert_eq!(replies[0].errno(), libc::EPERM);
    }
}
