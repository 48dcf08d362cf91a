//! Groups in which nothing happens for a moment, so that there is time for what can wait.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::types::GroupId;

/// How long a moment is: several times what a write takes, much less than a tick.
const LULL: Duration = Duration::from_millis(5);

/// When the lull of each group begins that waits for one.
#[derive(Debug, Default)]
pub(super) struct Lulls(BTreeMap<GroupId, Instant>);

impl Lulls {
    /// Something happened in a group; does it wait for a lull?
    pub(super) fn put_off(&mut self, group: GroupId, awaits: bool, now: Instant) {
        if awaits {
            self.0.insert(group, now + LULL);
        } else {
            self.0.remove(&group);
        }
    }

    /// When the next lull begins.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().min().copied()
    }

    /// The groups whose lull has begun. They wait no more.
    pub(super) fn due(&mut self, now: Instant) -> Vec<GroupId> {
        let due: Vec<GroupId> =
            self.0.iter().filter(|(_, at)| **at <= now).map(|(group, _)| *group).collect();
        for group in &due {
            self.0.remove(group);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lull_begins_when_nothing_has_happened_for_a_moment() {
        let (busy, quiet) = (GroupId(1), GroupId(2));
        let start = Instant::now();
        let mut lulls = Lulls::default();
        lulls.put_off(busy, true, start);
        lulls.put_off(quiet, true, start);
        assert_eq!(lulls.next(), Some(start + LULL));
        lulls.put_off(busy, true, start + LULL / 2);
        assert_eq!(lulls.due(start + LULL), [quiet]);
        assert_eq!(lulls.next(), Some(start + LULL + LULL / 2));
        lulls.put_off(busy, false, start + LULL);
        assert_eq!((lulls.next(), lulls.due(start + LULL * 9)), (None, vec![]));
    }
}
