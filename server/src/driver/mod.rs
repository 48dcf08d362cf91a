//! Performs what replicas want done: threads around the cores of all groups of a node.
//!
//! ```text
//! NodeHandle ──requests──> ┌───────┐            ┌─────────────┐  LogTask   ┌────────────┐
//! transport ──messages───> │ Inbox │ ─────────> │ core thread │ ─────────> │ log thread │
//!              ┌completions┤       │            │ (Replicas)  │ ─┐         └─────┬──────┘
//!              │           └───────┘            └──────┬──────┘  │ entries,      │
//!              │                              messages │         │ reads  ┌──────┴───────┐
//!              │                               PeerSender        └──────> │ apply thread │
//!              └───── Persisted, Applied ──────────────────────────────── └──────────────┘
//! ```
//!
//! A node hosts a replica of each of several groups. The threads are shared; everything between
//! them names its group.
//!
//! Invariants:
//! - the core thread never waits for another thread: its queues to the log and apply threads have
//!   no limit of their own, and when too much waits in them it takes nothing but completions and
//!   ticks from the inbox, whose queues do have limits;
//! - a completion is never refused: there are at most as many as there are tasks;
//! - one write, and one sync, for everything of all groups that waits for the log (group commit);
//! - a group without inputs costs nothing but its ticks;
//! - no group starves another one: a turn takes a bounded part of what waits for each;
//! - a panic or a storage error in any of the threads ends the process: a node that lives by half
//!   is worse than one that is dead, and a disk that failed once is not asked again.

mod administration;
mod apply_thread;
mod changes;
mod core_thread;
mod directory;
mod group;
mod hosted;
mod inbox;
mod log_thread;
mod lulls;
mod node;
mod reception;
mod reply_to;
mod ticker;
mod vital;

pub use administration::{Administer, Administered};
pub use core_thread::PeerSender;
pub use directory::Leadership;
pub use group::GroupError;
pub(crate) use inbox::message_bytes;
pub use log_thread::Fsync;
pub use node::{
    Ask, KeptAlive, Node, NodeConfig, NodeError, NodeHandle, ReadReply, StartError, WriteReply,
};
pub use reception::{OutgoingSnapshot, SentSnapshot};
pub use reply_to::{AnswerSink, Answered};
pub use vital::EXIT_STORAGE;

#[cfg(test)]
mod tests;
