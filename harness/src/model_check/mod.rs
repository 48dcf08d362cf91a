//! The model-checked world: every interleaving of a small cluster of the real replica code, up to a
//! stated bound, explored by stateright.
//!
//! ```text
//! Action ──> Cluster (model state: nodes, network, clients, history)
//!               │ one node takes one input
//!               v
//!            Transitions: (node state, input) ──> (node state, outputs), remembered
//!               │ not seen before
//!               v
//!            LiveNode: replica + state machine + disk, replayed from the inputs of its process
//! ```
//!
//! raft-rs' `RawNode` cannot be cloned. A node is a function of the disk it started from and of the
//! inputs since, so a node's state is kept as that list of inputs, and replayed when it meets an
//! input that it never met in this state. States with one fingerprint are one state.
//!
//! Reductions, and why no violation is lost by them:
//! - a lost message is a message that is never delivered, so there is no action for losing one;
//! - a client's request arrives when it is invoked, and its answer when it is given: longer
//!   intervals only permit more orders (Herlihy & Wing 1990), so whatever they violate these do too;
//! - an operation that a node refuses at once leaves no trace.
//!
//! What is bounded, apart from depth and states: timeouts, crashes, duplicates and operations, by
//! [`Bounds`]. Committed entries are applied at once, so a slow state machine is left to the
//! simulated world; so is time: every order of timeouts is possible here.

mod check;
mod cluster;
mod command;
mod live_node;
mod model;
mod node_state;
mod prefix;
mod scope;
mod transitions;

pub use check::{Finding, Limits, ModelCheckReport, model_check};
pub use cluster::Cluster;
pub use command::{ModelCheckCommand, model_check_command};
pub use model::{Action, Bounds, ClientOp, ModelOptions, SyncPolicy};
pub use prefix::Start;
pub use scope::{
    COMPLETE_FINGERPRINTS, READ_AFTER_INSTALL, READ_AFTER_LEADER_CHANGE, RESTART,
    RESTART_AFTER_INSTALL, SCOPES, Scope,
};
pub use transitions::Memory;
