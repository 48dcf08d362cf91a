//! Runs a schedule in real time: one dispatcher puts everything in one order.
//!
//! ```text
//! scheduler ──Decision──> dispatcher ──> workers ──> clients ──> nodes
//!     ^                     │  │  └────> nemesis thread ──> platform
//!     └────── completions ──┘  └───────> recorder ──> history.jsonl, schedule.jsonl
//! ```
//!
//! Invariants: an invocation is recorded before its operation is sent, a completion after its answer
//! arrived, so that the recorded interval contains the real one. Completions are taken in before new
//! work is handed out. Whatever happens, faults are healed before the dispatcher returns.

mod dispatcher;
mod fail_fast;
mod nemesis_thread;
mod worker;

pub use dispatcher::{Dispatched, Dispatcher, DispatcherOptions, Progress, RunnerError};
pub use fail_fast::FailFast;
pub use nemesis_thread::NemesisThread;
pub use worker::{ClientFactory, Limits, Workers};
