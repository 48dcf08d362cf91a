//! What must hold in every state of the cluster, whatever the faults.
//!
//! ```text
//! node's step ──> Invariants::observe_* ──> one file per invariant ──> InvariantViolation
//! ```
//!
//! | invariant | paper |
//! |---|---|
//! | election safety | Raft §5.2, figure 3 |
//! | one vote a term | Raft §5.2, thesis §3.4 |
//! | log matching | Raft §5.3, figure 3 |
//! | leader completeness | Raft §5.4.3, figure 3 |
//! | state machine safety | Raft §5.4.3, figure 3 |
//! | durable at acknowledgement | Raft §5.3, thesis §3.8 |
//! | equal states | Raft §7 |
//! | lease kept | Gray & Cheriton 1989 |
//! | monotonic | thesis §3.8 |
//!
//! The checks are incremental: each looks only at what the step changed, so that they can run after
//! every step. They see the inside of all nodes at one instant, which no client can.

mod durable_at_acknowledgement;
mod election_safety;
mod equal_states;
mod leader_completeness;
mod lease_kept;
mod log_matching;
mod monotonic;
mod one_vote_a_term;
mod state_machine_safety;
mod violation;
mod watch;

pub use violation::InvariantViolation;
pub(super) use watch::{NodeView, Watch};
