//! Raft's messages as they come from the wire.

use protobuf::Message as _;
use raft::eraftpb;

use crate::types::NodeId;

/// The message in these bytes, which must be from and to these nodes; or what it is instead.
pub(super) fn read_message(
    from: NodeId,
    to: NodeId,
    bytes: &[u8],
) -> Result<eraftpb::Message, String> {
    let message =
        eraftpb::Message::parse_from_bytes(bytes).map_err(|error| format!("garbage: {error}"))?;
    if message.from != from.0 || message.to != to.0 {
        return Err(format!("a message from {} to {}", message.from, message.to));
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_from_its_sender_only() {
        let message = eraftpb::Message { from: 2, to: 1, term: 7, ..Default::default() };
        let bytes = message.write_to_bytes().unwrap();
        let read = |from, to, bytes: &[u8]| read_message(NodeId(from), NodeId(to), bytes);
        assert_eq!(read(2, 1, &bytes), Ok(message));
        assert_eq!(read(3, 1, &bytes).unwrap_err(), "a message from 2 to 1");
        assert_eq!(read(2, 3, &bytes).unwrap_err(), "a message from 2 to 1");
        assert!(read(2, 1, &bytes[..1]).unwrap_err().starts_with("garbage: "));
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        // Groups within groups, which the library must not follow down.
        let bytes = vec![0x7b; 1 << 20];
        assert!(read_message(NodeId(2), NodeId(1), &bytes).is_err());
    }
}
