//! Many requests on one stream.
//!
//! ```text
//! frame of requests ──> check ──> here: one batch into the core's inbox ───┐
//!                         │   └─> elsewhere: the pipeline to the leader ───┤
//!                         └─> no leader: parked for a moment               │
//! frame of replies <── all that have arrived <── Replies (one per stream) <┘
//! ```
//!
//! Everything of a stream happens in the task that writes its replies: no task, timer or channel of
//! its own for a request.
//!
//! Invariants:
//! - a request holds its place in the limits until its reply is in a frame, and the stream is not
//!   read while too many are inside, so that a client that does not read its replies fills no memory;
//! - requests of one stream reach the core in the order in which they came;
//! - a request is answered before its client's patience ends: what is late is given up by a sweep
//!   over the stream.

mod flight;
mod replies;
mod stream;

pub(super) use stream::PipelineStream;
