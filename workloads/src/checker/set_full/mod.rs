//! Sets that are read as a whole: what becomes of each element.
//!
//! ```text
//! [not there] ... add is acknowledged, or first read completes: known ... [absent] ... [present]
//!
//! stable      no read that began later than some moment misses it
//! lost        no read that began later than some moment finds it, and one of them began when it was known
//! never read  neither: no read tells
//! stale       stable, but a read that began when it was known missed it
//! ```
//!
//! Jepsen's `checker/set-full`. Lost elements, duplicates, and elements that nobody added are
//! anomalies; stale ones are only counted, since a set that becomes visible late is what some systems
//! promise. Whoever wants them to be forbidden asks for `linearizable`.
//!
//! An element that was never known owes nothing: an addition of unknown outcome may never happen.
//! Time is linear in the sizes of all reads, not in elements times reads: see [`timeline`].

mod judge;
mod timeline;

#[cfg(test)]
mod tests;

pub(super) use judge::check;
