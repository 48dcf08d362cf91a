//! All changes that anybody saw, by revision.

use rustc_hash::FxHashMap;

use super::streams::{Change, Stream};
use crate::history::Value;

/// A change, and who told of it first.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub(super) change: Change<'a>,
    pub(super) witness: usize,
}

/// A change that two operations tell of differently.
#[derive(Debug)]
pub(super) struct Contradiction {
    pub(super) known: usize,
    pub(super) other: usize,
}

/// All changes, in the order of their revisions.
#[derive(Debug)]
pub(super) struct Changes<'a> {
    /// By revision, then in the order in which they came.
    pub(super) all: Vec<Known<'a>>,
    /// Positions in `all` of the changes of each key.
    keys: FxHashMap<&'a Value, Vec<usize>>,
    pub(super) contradictions: Vec<(Contradiction, Change<'a>)>,
}

impl<'a> Changes<'a> {
    /// Puts together what all operations tell.
    pub(super) fn new(streams: &[(usize, Stream<'a>)]) -> Self {
        let mut numbers: FxHashMap<(i64, &Value), usize> = FxHashMap::default();
        let mut all: Vec<Known<'a>> = Vec::new();
        let mut contradictions = Vec::new();
        let mut note = |change: &Change<'a>, witness: usize| {
            let number = *numbers.entry((change.revision, change.key)).or_insert(all.len());
            match all.get(number) {
                None => all.push(Known { change: change.clone(), witness }),
                Some(known) if known.change.value != change.value => {
                    let contradiction = Contradiction { known: known.witness, other: witness };
                    contradictions.push((contradiction, change.clone()));
                }
                Some(_) => {}
            }
        };
        for (position, stream) in streams {
            match stream {
                Stream::Write(change) => note(change, *position),
                Stream::Watch(watch) => watch.changes().for_each(|it| note(it, *position)),
            }
        }
        all.sort_by_key(|known| known.change.revision);
        let mut keys: FxHashMap<&Value, Vec<usize>> = FxHashMap::default();
        for (number, known) in all.iter().enumerate() {
            keys.entry(known.change.key).or_default().push(number);
        }
        Changes { all, keys, contradictions }
    }

    /// Changes with revisions in `from..=to`: positions in `all`, by revision.
    pub(super) fn between(&self, from: i64, to: i64) -> std::ops::Range<usize> {
        let start = self.all.partition_point(|known| known.change.revision < from);
        let end = self.all.partition_point(|known| known.change.revision <= to);
        start..end.max(start)
    }

    /// Changes of one key with revisions in `from..=to`: positions in `all`, by revision.
    pub(super) fn of_key(&self, key: &Value, from: i64, to: i64) -> &[usize] {
        let Some(numbers) = self.keys.get(key) else { return &[] };
        let start = numbers.partition_point(|&it| self.all[it].change.revision < from);
        let end = numbers.partition_point(|&it| self.all[it].change.revision <= to);
        &numbers[start..end.max(start)]
    }

    /// Bytes held, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.all.len() * (size_of::<Known<'_>>() + 48)
    }
}
