//! What became of snapshots on their way, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start of the process.
#[derive(Debug, Default)]
pub struct TransferCounts {
    sent: AtomicU64,
    sent_bytes: AtomicU64,
    send_failures: AtomicU64,
    received: AtomicU64,
    received_bytes: AtomicU64,
    receive_failures: AtomicU64,
}

impl TransferCounts {
    /// Snapshots that a peer has whole.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Bytes of their files, and of those that were not completed.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Snapshots that were given up.
    pub fn send_failures(&self) -> u64 {
        self.send_failures.load(Ordering::Relaxed)
    }

    /// Snapshots that were received whole.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes of their files, and of those that were not completed.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }

    /// Streams that ended before the snapshot was whole, or were refused.
    pub fn receive_failures(&self) -> u64 {
        self.receive_failures.load(Ordering::Relaxed)
    }

    pub(super) fn count_sent_bytes(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_received_bytes(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_send_end<T, E>(&self, end: &Result<T, E>) {
        let count = if end.is_ok() { &self.sent } else { &self.send_failures };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_receive_end<T, E>(&self, end: &Result<T, E>) {
        let count = if end.is_ok() { &self.received } else { &self.receive_failures };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
