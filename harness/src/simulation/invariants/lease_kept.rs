//! A lease never ends before its holder thinks so, who counts its time to live from when it sent the
//! grant or the last keep-alive that was answered (Gray & Cheriton 1989, section 2).

use std::collections::BTreeMap;

use super::violation::{InvariantViolation, ensure};

/// What holders were promised, and what became of it (virtual microseconds).
#[derive(Debug, Default)]
pub(in crate::simulation) struct LeaseKept {
    /// Until when the holder of each lease counts on it.
    until: BTreeMap<u64, u64>,
    /// When it ended on the first replica.
    ended: BTreeMap<u64, u64>,
}

impl LeaseKept {
    /// A holder is told that its lease lives until `until`.
    pub(in crate::simulation) fn promised(
        &mut self,
        lease: u64,
        until: u64,
    ) -> Result<(), InvariantViolation> {
        let promise = self.until.entry(lease).or_default();
        *promise = until.max(*promise);
        self.ended.get(&lease).map_or(Ok(()), |ended| self.check(lease, *ended))
    }

    /// A holder is told that its lease is gone.
    pub(in crate::simulation) fn refused(
        &self,
        lease: u64,
        now: u64,
    ) -> Result<(), InvariantViolation> {
        self.check(lease, now)
    }

    /// A replica applies the end of a lease.
    pub(in crate::simulation) fn ended(
        &mut self,
        lease: u64,
        now: u64,
    ) -> Result<(), InvariantViolation> {
        let ended = *self.ended.entry(lease).or_insert(now);
        self.check(lease, ended)
    }

    fn check(&self, lease: u64, ended: u64) -> Result<(), InvariantViolation> {
        let until = self.until.get(&lease).copied().unwrap_or(0);
        ensure(ended >= until, "lease-kept", || {
            let early = (until - ended) / 1_000;
            format!("lease {lease} ended {early} ms before its holder expected")
        })
    }
}
