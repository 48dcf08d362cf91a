//! Performs what the replica wants done: threads around the core.
//!
//! ```text
//! NodeHandle ──requests──> ┌───────┐            ┌─────────────┐  Persist   ┌────────────┐
//! transport ──messages───> │ Inbox │ ─────────> │ core thread │ ─────────> │ log thread │
//!              ┌completions┤       │            │  (Replica)  │ ─┐         └─────┬──────┘
//!              │           └───────┘            └──────┬──────┘  │ entries,      │
//!              │                              messages │         │ reads  ┌──────┴───────┐
//!              │                               PeerSender        └──────> │ apply thread │
//!              └───── Persisted, Applied ──────────────────────────────── └──────────────┘
//! ```
//!
//! Invariants:
//! - the core thread never waits for another thread: its queues to the log and apply threads have
//!   no limit of their own, and when too much waits in them it takes nothing but completions and
//!   ticks from the inbox, whose queues do have limits;
//! - a completion is never refused: there are at most as many as there are tasks;
//! - one write, and one sync, for everything that waits for the log (group commit);
//! - a panic or a storage error in any of the threads ends the process: a node that lives by half
//!   is worse than one that is dead, and a disk that failed once is not asked again.

mod apply_thread;
mod core_thread;
mod inbox;
mod log_thread;
mod node;
mod reply_to;
mod ticker;
mod vital;

pub use core_thread::PeerSender;
pub(crate) use inbox::message_bytes;
pub use log_thread::Fsync;
pub use node::{
    Ask, Leadership, Node, NodeConfig, NodeError, NodeHandle, ReadReply, StartError, WriteReply,
};
pub use reply_to::{AnswerSink, Answered};
pub use vital::EXIT_STORAGE;
