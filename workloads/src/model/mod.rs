//! Sequential specifications: what an object does when operations come one at a time.
//!
//! ```text
//! operations of one key ── encode ──> Entry<Op> ── simplify ──> decide (fast, exact, not for all)
//!                                                          └──> search with step (general)
//! ```
//!
//! A model is a [`Model`] that the checkers drive, with whatever shortcuts are exact for it, and an
//! [`ObjectModel`] that reads its operations from a history. It takes one file and one line in the
//! table of checkers; [`MODELS`] says what there is. Models never see failed operations: those had no
//! effect.

mod collection;
mod counter;
mod entry;
mod fencing_lock;
mod initial;
mod judgement;
mod kv_append;
mod log;
mod lookup;
mod multi_register;
mod mutex;
mod nearby;
mod numbers;
mod register;
mod scatter;
mod set;
mod specification;
mod table;
mod versioned_register;

pub use collection::{
    Bag, Collection, CollectionOp, Discipline, MaxPriorityQueue, PriorityQueue, Queue, Stack,
};
pub use counter::{Counter, CounterOp, CounterState};
pub use entry::{Entry, OPEN, completion};
pub use fencing_lock::{FencingLock, FencingLockOp, FencingLockState};
pub use initial::{Initial, InitialError};
pub use kv_append::{KvAppend, KvAppendOp, KvAppendState};
pub use log::{Log, LogOp};
pub use multi_register::{MicroOp, MultiRegister, MultiRegisterState};
pub use mutex::{Mutex, MutexOp, MutexState};
pub use numbers::Numbers;
pub use register::{Register, RegisterOp, RegisterState};
pub use set::{Members, Set, SetOp};
pub use specification::{Decision, Encoded, Model, ObjectModel, Telling};
pub use table::{MODELS, ModelInfo, UnsuitableOperation, model};
pub use versioned_register::{VersionedRegister, VersionedRegisterOp, VersionedRegisterState};

use specification::earlier_changes;
