//! A TCP segment in an Ethernet frame: which connection it is of, and the resets that end that.
//!
//! ```text
//! | Ethernet 14 | IPv4 20.. | TCP 20.. |
//! ```

use std::net::Ipv4Addr;

pub(super) const ETHERNET: usize = 14;
const IPV4_TYPE: [u8; 2] = [0x08, 0x00];
const IPV4: usize = 20;
const TCP: usize = 20;
const TCP_PROTOCOL: u8 = 6;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// One end of a connection.
type End = (Ipv4Addr, u16);

/// A TCP connection, whichever end a segment of it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Connection(End, End);

/// A segment with its frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    frame: &'a [u8],
    tcp: usize,
    end: usize,
}

/// The destination of the IPv4 packet in this frame, if that is what it holds.
pub(super) fn destination(frame: &[u8]) -> Option<Ipv4Addr> {
    let header = frame.get(ETHERNET..ETHERNET + IPV4)?;
    (frame[12..14] == IPV4_TYPE).then(|| address(header, 16))
}

impl<'a> Segment<'a> {
    /// The segment in this frame; none if it holds something else, or a fragment.
    pub(super) fn of(frame: &'a [u8]) -> Option<Segment<'a>> {
        destination(frame)?;
        let header = &frame[ETHERNET..];
        let (length, total) = (usize::from(header[0] & 0xf) * 4, usize::from(number(header, 2)));
        let fragment = number(header, 6) & 0x3fff;
        if header[9] != TCP_PROTOCOL || fragment != 0 || length < IPV4 {
            return None;
        }
        let (tcp, end) = (ETHERNET + length, ETHERNET + total);
        (tcp + TCP <= end && end <= frame.len()).then_some(Segment { frame, tcp, end })
    }

    /// Whose it is.
    pub(super) fn connection(&self) -> Connection {
        let (from, to) = (self.sender(), self.receiver());
        Connection(from.min(to), from.max(to))
    }

    /// Does it ask for a new connection, or agree to one?
    pub(super) fn is_opening(&self) -> bool {
        self.flags() & SYN != 0
    }

    /// A reset to whoever sent it, as an unwilling receiver would answer (RFC 9293, 3.10.7.1).
    /// None for a segment that is a reset itself.
    pub(super) fn reset_to_sender(&self) -> Option<Vec<u8>> {
        let (sequence, acknowledged, flags) = match self.flags() {
            flags if flags & RST != 0 => return None,
            flags if flags & ACK != 0 => (self.long(8), 0, RST),
            _ => (0, self.long(4).wrapping_add(self.length()), RST | ACK),
        };
        let macs = [&self.frame[6..12], &self.frame[..6]].concat();
        Some(reset(&macs, self.receiver(), self.sender(), sequence, acknowledged, flags))
    }

    /// A reset to its receiver, as if it came from the sender. None for a segment that is a reset itself.
    pub(super) fn reset_to_receiver(&self) -> Option<Vec<u8>> {
        let flags = self.flags();
        let macs = &self.frame[..12];
        (flags & RST == 0).then(|| {
            let (sequence, acknowledged) = (self.long(4), self.long(8));
            reset(macs, self.sender(), self.receiver(), sequence, acknowledged, RST | flags & ACK)
        })
    }

    fn sender(&self) -> End {
        (address(&self.frame[ETHERNET..], 12), number(self.frame, self.tcp))
    }

    fn receiver(&self) -> End {
        (address(&self.frame[ETHERNET..], 16), number(self.frame, self.tcp + 2))
    }

    fn flags(&self) -> u8 {
        self.frame[self.tcp + 13]
    }

    /// What it takes of the sequence numbers: bytes, and one for SYN and for FIN.
    fn length(&self) -> u32 {
        let header = usize::from(self.frame[self.tcp + 12] >> 4) * 4;
        let bytes = (self.end - self.tcp).saturating_sub(header);
        let marks = (self.flags() & (SYN | FIN)).count_ones();
        u32::try_from(bytes).expect("an IPv4 packet is below 64 KiB") + marks
    }

    fn long(&self, at: usize) -> u32 {
        let bytes = self.frame[self.tcp + at..].first_chunk().expect("the header was measured");
        u32::from_be_bytes(*bytes)
    }
}

/// Changes one bit behind the Ethernet header: `at` counts bits and wraps.
pub(super) fn turn_bit(frame: &mut [u8], at: u64) {
    let Some(packet) = frame.get_mut(ETHERNET..).filter(|packet| !packet.is_empty()) else {
        return;
    };
    let bit = usize::try_from(at % (packet.len() as u64 * 8)).expect("below a frame's length");
    packet[bit / 8] ^= 1 << (bit % 8);
}

fn address(bytes: &[u8], at: usize) -> Ipv4Addr {
    let octets: [u8; 4] = *bytes[at..].first_chunk().expect("the header was measured");
    octets.into()
}

fn number(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The frame of a reset.
fn reset(macs: &[u8], from: End, to: End, sequence: u32, acknowledged: u32, flags: u8) -> Vec<u8> {
    const TIME_TO_LIVE: u8 = 64;
    const DO_NOT_FRAGMENT: u8 = 0x40;
    let mut tcp = Vec::with_capacity(TCP);
    tcp.extend_from_slice(&from.1.to_be_bytes());
    tcp.extend_from_slice(&to.1.to_be_bytes());
    tcp.extend_from_slice(&sequence.to_be_bytes());
    tcp.extend_from_slice(&acknowledged.to_be_bytes());
    tcp.extend_from_slice(&[(TCP as u8 / 4) << 4, flags, 0, 0, 0, 0, 0, 0]);
    let addresses = [from.0.octets(), to.0.octets()].concat();
    let pseudo = [&addresses[..], &[0, TCP_PROTOCOL, 0, TCP as u8]].concat();
    let sum = checksum(&[&pseudo[..], &tcp].concat());
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());

    let mut ip = vec![0x45, 0, 0, (IPV4 + TCP) as u8, 0, 0, DO_NOT_FRAGMENT, 0];
    ip.extend_from_slice(&[TIME_TO_LIVE, TCP_PROTOCOL, 0, 0]);
    ip.extend_from_slice(&addresses);
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    [macs, &IPV4_TYPE, &ip, &tcp].concat()
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks_exact(2).map(|pair| u32::from(number(pair, 0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const N1: End = (Ipv4Addr::new(10, 77, 0, 1), 40_000);
    const N2: End = (Ipv4Addr::new(10, 77, 0, 2), 7_000);

    /// A segment from n1 to n2 with that many bytes.
    pub(in super::super) fn segment(flags: u8, port: u16, bytes: usize) -> Vec<u8> {
        let macs = [2, 0, 10, 77, 0, 2, 2, 0, 10, 77, 0, 1];
        let mut frame = reset(&macs, (N1.0, port), N2, 1000, 500, flags);
        frame.resize(frame.len() + bytes, 7);
        let total = u16::try_from(IPV4 + TCP + bytes).unwrap();
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        frame
    }

    #[test]
    fn a_segment_and_its_answer_are_of_one_connection() {
        let frame = segment(ACK, N1.1, 3);
        let forth = Segment::of(&frame).unwrap();
        let answer = forth.reset_to_sender().unwrap();
        let back = Segment::of(&answer).unwrap();
        assert_eq!(forth.connection(), back.connection());
        assert_eq!((back.sender(), back.receiver()), (N2, N1));
        assert!(Segment::of(&segment(SYN, 1, 0)).unwrap().is_opening());
        assert!(Segment::of(&segment(SYN | ACK, 1, 0)).unwrap().is_opening());
        assert!(!forth.is_opening());
    }

    #[test]
    fn resets_carry_the_numbers_that_each_end_expects() {
        let frame = segment(ACK, N1.1, 3);
        let forth = Segment::of(&frame).unwrap();
        let to_sender = forth.reset_to_sender().unwrap();
        let to_sender = Segment::of(&to_sender).unwrap();
        assert_eq!((to_sender.long(4), to_sender.flags()), (500, RST));
        let to_receiver = forth.reset_to_receiver().unwrap();
        let to_receiver = Segment::of(&to_receiver).unwrap();
        assert_eq!((to_receiver.long(4), to_receiver.flags()), (1000, RST | ACK));
        assert_eq!(to_receiver.receiver(), N2);
        assert!(to_receiver.reset_to_sender().is_none(), "resets are not answered");
        // A request for a connection is refused.
        let frame = segment(SYN, N1.1, 0);
        let refusal = Segment::of(&frame).unwrap().reset_to_sender().unwrap();
        let refusal = Segment::of(&refusal).unwrap();
        assert_eq!((refusal.long(8), refusal.flags()), (1001, RST | ACK));
    }

    #[test]
    fn the_checksums_of_a_reset_are_right() {
        let frame = segment(ACK, N1.1, 0);
        let reset = Segment::of(&frame).unwrap().reset_to_sender().unwrap();
        assert_eq!(checksum(&reset[ETHERNET..ETHERNET + IPV4]), 0);
        let pseudo = [&reset[ETHERNET + 12..ETHERNET + IPV4], &[0, 6, 0, 20]].concat();
        assert_eq!(checksum(&[&pseudo[..], &reset[ETHERNET + IPV4..]].concat()), 0);
    }

    #[test]
    fn whatever_is_no_whole_segment_is_not_taken_for_one() {
        let frame = segment(ACK, N1.1, 3);
        for length in 0..frame.len() {
            assert!(Segment::of(&frame[..length]).is_none(), "{length} bytes");
        }
        let mut udp = frame;
        udp[ETHERNET + 9] = 17;
        assert!(Segment::of(&udp).is_none());
        assert_eq!(destination(&udp), Some(N2.0));
    }

    #[test]
    fn one_bit_is_turned_and_the_ethernet_header_is_left_alone() {
        for at in [0, 7, 8, 1_000_003, u64::MAX] {
            let (before, mut after) = (segment(ACK, 1, 9), segment(ACK, 1, 9));
            turn_bit(&mut after, at);
            let changed = |(a, b): (&u8, &u8)| (a ^ b).count_ones();
            assert_eq!(before.iter().zip(&after).map(changed).sum::<u32>(), 1);
            assert_eq!(before[..ETHERNET], after[..ETHERNET]);
        }
        turn_bit(&mut [0; 3], 5);
    }
}
