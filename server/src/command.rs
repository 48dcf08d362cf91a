//! What a log entry asks of the state machine, what comes back, and how both are encoded.
//!
//! The encoding is protobuf, so that fields can be added; [`LogCommand::decode_entry`] refuses a
//! format that it does not know.

use prost::Message;

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
    #[prost(oneof = "Command", tags = "4, 5, 6, 7")]
    pub command: Option<Command>,
}

/// What to do to the state.
#[derive(Clone, PartialEq, Eq, Hash, prost::Oneof)]
pub enum Command {
    /// Open a session; its id is the entry's log index.
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
}

/// See [`Command::OpenSession`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct OpenSession {}

/// See [`Command::Put`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Put {
    /// Any bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: bytes::Bytes,
    /// Any bytes; an empty value is a value.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: bytes::Bytes,
}

/// See [`Command::Delete`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Delete {
    /// Any bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: bytes::Bytes,
}

/// See [`Command::CompareAndSet`].
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct CompareAndSet {
    /// Any bytes.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: bytes::Bytes,
    /// The value that the key must have; none: the key must not exist.
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub expected: Option<bytes::Bytes>,
    /// The value to set.
    #[prost(bytes = "bytes", tag = "3")]
    pub value: bytes::Bytes,
}

/// What a key holds.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Versioned {
    /// The value.
    #[prost(bytes = "bytes", tag = "1")]
    pub value: bytes::Bytes,
    /// Log index of the last write of the key.
    #[prost(uint64, tag = "2")]
    pub revision: u64,
    /// Writes of the key since it was created, from 1.
    #[prost(uint64, tag = "3")]
    pub version: u64,
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
}

/// What happened to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum OutcomeKind {
    /// It took effect. For a session: it is open, and its id is the revision.
    Done = 0,
    /// A compare-and-set found another value, and changed nothing.
    Mismatch = 1,
    /// The session is unknown or was expired; this attempt changed nothing.
    SessionExpired = 2,
    /// The session already moved past this sequence number; this attempt changed nothing.
    StaleSequence = 3,
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
    pub fn decode_entry(data: bytes::Bytes) -> Result<LogCommand, CommandError> {
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
