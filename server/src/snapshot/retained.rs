//! Which snapshots are kept.

use std::sync::Arc;

/// Snapshots that a group keeps: the newest, and one that may still be on its way to a peer.
pub const SNAPSHOTS_RETAINED: usize = 2;

/// The newest snapshots of a group, oldest first.
#[derive(Debug)]
pub(crate) struct Retained<S: ?Sized>(Vec<Arc<S>>);

impl<S: ?Sized> Retained<S> {
    /// Adds the newest one, and returns those that are not kept any more.
    pub(crate) fn add(&mut self, newest: Arc<S>) -> Vec<Arc<S>> {
        self.0.push(newest);
        let surplus = self.0.len().saturating_sub(SNAPSHOTS_RETAINED);
        self.0.drain(..surplus).collect()
    }

    /// Gives up all of them.
    pub(crate) fn take_all(&mut self) -> Vec<Arc<S>> {
        std::mem::take(&mut self.0)
    }

    /// Newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Arc<S>> {
        self.0.iter().rev()
    }
}

impl<S: ?Sized> Default for Retained<S> {
    fn default() -> Self {
        Retained(Vec::new())
    }
}

impl<S: ?Sized> Clone for Retained<S> {
    fn clone(&self) -> Self {
        Retained(self.0.clone())
    }
}
