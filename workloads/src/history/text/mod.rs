//! Histories as lines of text, as other checkers and their tests have them.
//!
//! ```text
//! jepsen_log   INFO  jepsen.util - 0 :invoke :write 3      logs of Jepsen; also its history.txt
//! calls        [1] call enq(7)                             LiMo, Scal
//! intervals    push 7 100 250                              fastlin
//! sessions     w 0 1, with ----- and =====                 AWDIT, and w(0,1,2,3) of Cobra and PolySI
//! ```

mod calls;
mod intervals;
mod jepsen_log;
mod lines;
mod sessions;

pub use calls::CallsReader;
pub use jepsen_log::JepsenLogReader;
pub(super) use jepsen_log::is_event;

pub(super) use intervals::intervals;
pub(super) use sessions::{accesses, sessions};
