//! Partitioned logs in the manner of Kafka: producers send, consumers poll.
//!
//! ```text
//! operations ── traffic ──> sends, polls ── logs ──> offsets, positions ── judge ──> anomalies
//! ```
//!
//! Each key is a log. A send puts a message at an offset; a poll returns messages with their offsets,
//! in order, from where the consumer stands. Offsets may have gaps (a transaction's markers take
//! some), so messages have positions: their rank among the offsets that anybody saw.
//!
//! The anomalies are those of Jepsen's `tests.kafka`; cycles of transactions are left to the checkers
//! of isolation, and `int-send-skip` is left out, since transactions interleave there by design.
//!
//! ```text
//! inconsistent-offsets    two messages at one offset
//! duplicate               one message at two offsets
//! lost-write              a message was acknowledged, later ones were polled, and it never was
//! G1a                     a message was polled whose send failed
//! unexpected-message      a message was polled that nobody sent
//! precommitted-read       a transaction polled what it sent itself
//! poll-skip               a consumer went on further than where it stood (int-: within one operation)
//! nonmonotonic-poll       a consumer went back, or stood still (int-)
//! nonmonotonic-send       a producer's later message is before its earlier one (int-)
//! unseen                  a message was acknowledged and nobody polled it (only for `kafka-drained`)
//! ```
//!
//! A send of unknown outcome took effect if something of its operation was polled. A process that
//! uses `subscribe` may be given other keys at any time, so its polls may skip and go back between
//! operations.

mod judge;
mod logs;
mod order;
mod traffic;

#[cfg(test)]
mod tests;

pub(super) use judge::{check, check_drained};
