//! What a log entry asks of the state machine, what comes back, and how both are encoded.
//!
//! The encoding is protobuf, so that fields can be added; [`LogCommand::decode_entry`] refuses a
//! format that it does not know.

mod shards;

use bytes::Bytes;
use prost::Message;

pub use shards::{
    Activate, ChangeMap, Forget, Freeze, Ingest, LeavingPage, LeavingQuestion, MapAnswer,
    MapQuestion, MovedKey, MovedSession, Reserve, SessionsPage, SessionsQuestion, ShardAnswer,
    ShardCommand, ShardQuery, ShardQuestion, ShardReply, ShardStep,
};

/// Version of the encoding in log entries.
pub const COMMAND_FORMAT: u32 = 1;

/// A log entry's data: a command and the session that makes it exactly-once.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct LogCommand {
    /// [`COMMAND_FORMAT`].
    #[prost(uint32, tag = "1")]
    pub format: u32,
    /// The session, or 0 for none.
    #[prost(uint64, tag = "2")]
    pub session: u64,
    /// Counts the writes of the session from 1; a retry repeats the number.
    #[prost(uint64, tag = "3")]
    pub sequence: u64,
    /// What to do.
    #[prost(oneof = "Command", tags = "4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14")]
    pub command: Option<Command>,
}

/// What to do to the state.
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum Command {
    /// Open a session.
    #[prost(message, tag = "4")]
    OpenSession(OpenSession),
    /// Set a key.
    #[prost(message, tag = "5")]
    Put(Put),
    /// Remove a key.
    #[prost(message, tag = "6")]
    Delete(Delete),
    /// Set a key if it has the expected value.
    #[prost(message, tag = "7")]
    CompareAndSet(CompareAndSet),
    /// Add bytes at the end of a value.
    #[prost(message, tag = "8")]
    Append(Append),
    /// Compare keys, then perform one of two lists of operations.
    #[prost(message, tag = "9")]
    Txn(Txn),
    /// Create a lease.
    #[prost(message, tag = "10")]
    GrantLease(GrantLease),
    /// End a lease: delete its keys, free its locks.
    #[prost(message, tag = "11")]
    RevokeLease(RevokeLease),
    /// Take a lock.
    #[prost(message, tag = "12")]
    Lock(Lock),
    /// Give a lock back.
    #[prost(message, tag = "13")]
    Unlock(Unlock),
    /// Take a step of a change of the shard map.
    #[prost(message, tag = "14")]
    Shards(ShardCommand),
}

/// See [`Command::OpenSession`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct OpenSession {
    /// The session's id, the same in every group; 0: the entry's log index.
    #[prost(uint64, tag = "1")]
    pub id: u64,
    /// The version of the shard map by which all groups were found in which it is opened. A group that
    /// gave keys away since then refuses: the session would be unknown where they are now.
    #[prost(uint64, tag = "2")]
    pub map_version: u64,
}

/// See [`Command::Put`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Put {
    /// Any bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// Any bytes; an empty value is a value.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
    /// The lease that the key ends with from now on; 0 for none.
    #[prost(uint64, tag = "3")]
    pub lease: u64,
}

/// See [`Command::Delete`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Delete {
    /// Any bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
}

/// See [`Command::CompareAndSet`]. The key keeps its lease.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct CompareAndSet {
    /// Any bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The value that the key must have; none: the key must not exist.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub expected: Option<Bytes>,
    /// The value to set.
    #[prost(bytes = "bytes", tag = "3")]
    pub value: Bytes,
}

/// See [`Command::Append`]. The key keeps its lease.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Append {
    /// Any bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// Added at the end; a key that does not exist counts as empty.
    #[prost(bytes = "bytes", tag = "2")]
    pub suffix: Bytes,
    /// The longest value that may come out of it (bytes). In the command, because all replicas must
    /// decide alike.
    #[prost(uint64, tag = "3")]
    pub value_bytes_max: u64,
}

/// See [`Command::Txn`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Txn {
    /// All of them must hold.
    #[prost(message, repeated, tag = "1")]
    pub compare: Vec<Comparison>,
    /// Performed if they do, in order.
    #[prost(message, repeated, tag = "2")]
    pub then: Vec<TxnOperation>,
    /// Performed if one does not, in order.
    #[prost(message, repeated, tag = "3")]
    pub otherwise: Vec<TxnOperation>,
}

/// A condition on one key. A key that does not exist has an empty value, revision 0 and version 0.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Comparison {
    /// The key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// How what the key holds must relate to the right side.
    #[prost(enumeration = "Relation", tag = "2")]
    pub relation: i32,
    /// What it is compared with.
    #[prost(oneof = "Operand", tags = "3, 4, 5")]
    pub right: Option<Operand>,
}

/// The right side of a [`Comparison`].
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum Operand {
    /// The value, in the order of bytes.
    #[prost(bytes = "bytes", tag = "3")]
    Value(Bytes),
    /// The revision.
    #[prost(uint64, tag = "4")]
    Revision(u64),
    /// The version.
    #[prost(uint64, tag = "5")]
    Version(u64),
}

/// How two sides of a comparison relate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum Relation {
    /// Left equals right.
    Equal = 0,
    /// Left differs from right.
    NotEqual = 1,
    /// Left is less than right.
    Less = 2,
    /// Left is greater than right.
    Greater = 3,
}

/// One step of a transaction. It sees the steps before it.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct TxnOperation {
    /// Which step.
    #[prost(oneof = "TxnStep", tags = "1, 2, 3, 4")]
    pub step: Option<TxnStep>,
}

/// See [`TxnOperation`].
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum TxnStep {
    /// Read this key.
    #[prost(bytes = "bytes", tag = "1")]
    Get(Bytes),
    /// Set a key.
    #[prost(message, tag = "2")]
    Put(Put),
    /// Remove a key.
    #[prost(message, tag = "3")]
    Delete(Delete),
    /// Add bytes at the end of a value.
    #[prost(message, tag = "4")]
    Append(Append),
}

/// See [`Command::GrantLease`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct GrantLease {
    /// Time to live, in ticks of the leader's clock.
    #[prost(uint64, tag = "1")]
    pub ttl_ticks: u64,
}

/// See [`Command::RevokeLease`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct RevokeLease {
    /// The lease: the log index of its grant.
    #[prost(uint64, tag = "1")]
    pub lease: u64,
}

/// See [`Command::Lock`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Lock {
    /// Any bytes; locks are no keys.
    #[prost(bytes = "bytes", tag = "1")]
    pub name: Bytes,
    /// Who wants it, and for how long.
    #[prost(uint64, tag = "2")]
    pub lease: u64,
}

/// See [`Command::Unlock`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Unlock {
    /// Any bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub name: Bytes,
    /// The token that the lock was taken with.
    #[prost(uint64, tag = "2")]
    pub token: u64,
}

/// What a key holds.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Versioned {
    /// The value.
    #[prost(bytes = "bytes", tag = "1")]
    pub value: Bytes,
    /// Log index of the last write of the key.
    #[prost(uint64, tag = "2")]
    pub revision: u64,
    /// Writes of the key since it was created, from 1.
    #[prost(uint64, tag = "3")]
    pub version: u64,
    /// The lease that the key ends with; 0 for none.
    #[prost(uint64, tag = "4")]
    pub lease: u64,
}

/// What a command answered. Kept in its session, so that a retry gets the same answer.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Outcome {
    /// The log index at which the command took effect.
    #[prost(uint64, tag = "1")]
    pub revision: u64,
    /// What happened.
    #[prost(enumeration = "OutcomeKind", tag = "2")]
    pub kind: i32,
    /// What the key held before.
    #[prost(message, optional, tag = "3")]
    pub previous: Option<Versioned>,
    /// For a transaction: what each step found, before it changed anything.
    #[prost(message, repeated, tag = "4")]
    pub results: Vec<StepResult>,
    /// For a lock, or an unlock that found another token: who holds it now.
    #[prost(message, optional, tag = "5")]
    pub holder: Option<LockHolder>,
}

/// What a step of a transaction found.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct StepResult {
    /// What the key held before the step.
    #[prost(message, optional, tag = "1")]
    pub found: Option<Versioned>,
}

/// Who holds a lock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct LockHolder {
    /// The lease.
    #[prost(uint64, tag = "1")]
    pub lease: u64,
    /// The fencing token: the log index at which it was taken.
    #[prost(uint64, tag = "2")]
    pub token: u64,
}

/// What happened to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum OutcomeKind {
    /// It took effect. For a session or a lease: its id is the revision.
    Done = 0,
    /// A comparison did not hold. A compare-and-set changed nothing; a transaction performed its
    /// other list; a lock is held by another lease; an unlock found another token; a step of a
    /// migration does not fit.
    Mismatch = 1,
    /// The session is unknown or was expired; this attempt changed nothing.
    SessionExpired = 2,
    /// The session already moved past this sequence number; this attempt changed nothing.
    StaleSequence = 3,
    /// The lease does not exist; nothing was changed.
    LeaseNotFound = 4,
    /// A value would have become longer than allowed; nothing was changed.
    ValueTooLong = 5,
    /// The key belongs to another group; nothing was changed.
    WrongGroup = 6,
}

/// An entry cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It is not protobuf of the expected shape.
    #[error("malformed command: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// It was written by another version of the store.
    #[error("command format {found}, but this build reads format {COMMAND_FORMAT}")]
    Format {
        /// The version in the entry.
        found: u32,
    },
    /// It has no command.
    #[error("empty command")]
    Empty,
}

impl LogCommand {
    /// A command of a session (0 for none).
    pub fn new(session: u64, sequence: u64, command: Command) -> LogCommand {
        LogCommand { format: COMMAND_FORMAT, session, sequence, command: Some(command) }
    }

    /// The data of a log entry.
    pub fn encode_entry(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Reads the data of a log entry.
    pub fn decode_entry(data: Bytes) -> Result<LogCommand, CommandError> {
        let command = LogCommand::decode(data)?;
        if command.format != COMMAND_FORMAT {
            return Err(CommandError::Format { found: command.format });
        }
        if command.command.is_none() {
            return Err(CommandError::Empty);
        }
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn golden(command: Command, bytes: &[u8]) {
        let command = LogCommand::new(7, 2, command);
        assert_eq!(command.encode_entry(), bytes);
        assert_eq!(LogCommand::decode_entry(Bytes::copy_from_slice(bytes)).unwrap(), command);
    }

    /// These are in logs on disks, and are sent between nodes: other processes read them.
    #[test]
    fn the_bytes_of_commands_never_change() {
        let (key, value) = (Bytes::from_static(b"k"), Bytes::from_static(b"v"));
        golden(
            Command::Put(Put { key: key.clone(), value: value.clone(), lease: 3 }),
            b"\x08\x01\x10\x07\x18\x02\x2a\x08\x0a\x01k\x12\x01v\x18\x03",
        );
        golden(
            Command::Delete(Delete { key: key.clone() }),
            b"\x08\x01\x10\x07\x18\x02\x32\x03\x0a\x01k",
        );
        // An empty value is expected, or none at all.
        golden(
            Command::CompareAndSet(CompareAndSet {
                key: key.clone(),
                expected: Some(Bytes::new()),
                value: value.clone(),
            }),
            b"\x08\x01\x10\x07\x18\x02\x3a\x08\x0a\x01k\x12\x00\x1a\x01v",
        );
        golden(
            Command::CompareAndSet(CompareAndSet { key, expected: None, value }),
            b"\x08\x01\x10\x07\x18\x02\x3a\x06\x0a\x01k\x1a\x01v",
        );
    }

    #[test]
    fn what_another_version_wrote_is_refused() {
        let refused = |bytes: &'static [u8]| {
            LogCommand::decode_entry(Bytes::from_static(bytes)).unwrap_err().to_string()
        };
        assert!(refused(b"\x08\x02").contains("format 2"));
        // A command that this version does not know, number 15.
        assert_eq!(refused(b"\x08\x01\x7a\x00"), "empty command");
        assert!(refused(b"\x08\x01\x2a\x05k").starts_with("malformed"));
    }
}
