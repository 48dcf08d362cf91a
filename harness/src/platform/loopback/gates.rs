//! Which links are open: the one place that the proxies ask.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use tokio::sync::watch;

use crate::platform::Link;

/// The set of cut links.
#[derive(Debug)]
pub(super) struct Gates {
    cut: RwLock<BTreeSet<Link>>,
    changed: watch::Sender<()>,
}

impl Gates {
    /// All open.
    pub(super) fn new() -> Gates {
        Gates { cut: RwLock::default(), changed: watch::Sender::new(()) }
    }

    /// Closes these, opens all others. Waits for every write that has begun.
    pub(super) fn replace(&self, links: &BTreeSet<Link>) {
        *self.cut.write().unwrap_or_else(PoisonError::into_inner) = links.clone();
        self.changed.send_replace(());
    }

    /// Runs a step that does not block, while the link is sure to stay open; none if it is cut.
    pub(super) fn while_open<T>(&self, link: Link, step: impl FnOnce() -> T) -> Option<T> {
        let cut = self.cut.read().unwrap_or_else(PoisonError::into_inner);
        (!cut.contains(&link)).then(step)
    }

    /// Waits until all these links are open at once.
    pub(super) async fn wait_open(&self, links: &[Link]) {
        // Subscribed before the first look, so that no change is missed.
        let mut changes = self.changed.subscribe();
        while self.is_cut(links) {
            changes.changed().await.expect("the sender lives as long as self");
        }
    }

    fn is_cut(&self, links: &[Link]) -> bool {
        let cut = self.cut.read().unwrap_or_else(PoisonError::into_inner);
        links.iter().any(|link| cut.contains(link))
    }
}
