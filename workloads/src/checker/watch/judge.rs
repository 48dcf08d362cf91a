//! Each watch alone, and against all changes.

use rustc_hash::{FxHashMap, FxHashSet};

use super::changes::Changes;
use super::streams::{Change, Range, Stream, Watch, stream};
use crate::checker::findings::{Findings, Spending, brief, measured};
use crate::checker::{Budget, Check, CheckOptions};
use crate::history::{Operation, Value};
use crate::model::UnsuitableOperation;
use crate::plural::counted;

/// Checks the nine guarantees of watches.
pub(in crate::checker) fn check(
    operations: &[Operation],
    _options: &CheckOptions,
    budget: &dyn Budget,
) -> Result<Check, UnsuitableOperation> {
    let mut streams = Vec::new();
    for (position, operation) in operations.iter().enumerate() {
        if let Some(stream) = stream(position, operation)? {
            streams.push((position, stream));
        }
    }
    let changes = Changes::new(&streams);
    let mut judge = Judge { changes: &changes, findings: Findings::new(operations) };
    let mut spending = Spending::new(budget);
    let (mut watches, mut delivered, mut spent) = (0_u64, 0_u64, None);
    judge.contradictions();
    for (_, stream) in &streams {
        let Stream::Watch(watch) = stream else { continue };
        watches += 1;
        let count = watch.changes().count();
        delivered += count as u64;
        if let Err(reason) = spending
            .step(count + 1, changes.bytes())
            .and_then(|()| judge.watch(watch, &mut spending))
        {
            spent = Some(reason);
            break;
        }
    }
    let measurements = vec![
        measured("watches", watches),
        measured("changes delivered", delivered),
        measured("changes known", changes.all.len() as u64),
    ];
    let valid = || {
        format!(
            "{} delivered {} as promised",
            counted(watches, "watch"),
            counted(delivered, "change")
        )
    };
    Ok(judge.findings.check("watch", spent, valid, measurements))
}

struct Judge<'a, 'c> {
    changes: &'c Changes<'a>,
    findings: Findings<'a>,
}

fn name(change: &Change<'_>) -> String {
    match change.value {
        Some(value) => {
            format!("{} = {} at revision {}", brief(change.key), brief(value), change.revision)
        }
        None => format!("the deletion of {} at revision {}", brief(change.key), change.revision),
    }
}

impl<'a> Judge<'a, '_> {
    fn contradictions(&mut self) {
        for (contradiction, change) in &self.changes.contradictions {
            let involved = [contradiction.known, contradiction.other];
            self.findings.add("inconsistent-change", Some(change.key), &involved, || {
                vec![format!(
                    "B tells of {}, and A of something else for that key at that revision.",
                    name(change)
                )]
            });
        }
    }

    fn watch(&mut self, watch: &Watch<'a>, spending: &mut Spending<'_>) -> Result<(), String> {
        let sound = self.alone(watch);
        self.previous_values(watch);
        // What is left out can be told only from a stream that is in order.
        if sound { self.complete(watch, spending) } else { Ok(()) }
    }

    fn found(&mut self, kind: &'static str, watch: &Watch<'_>, change: &Change<'_>, words: String) {
        self.findings.add(kind, Some(change.key), &[watch.position], || vec![words]);
    }

    /// Filter, order, uniqueness, atomicity and bookmarks; whether the stream is in order.
    fn alone(&mut self, watch: &Watch<'a>) -> bool {
        let mut last: Option<i64> = None;
        let mut seen: FxHashSet<(i64, &Value)> = FxHashSet::default();
        let mut bookmark: Option<i64> = None;
        let mut sound = true;
        for response in &watch.responses {
            let before = last;
            for (number, change) in response.changes.iter().enumerate() {
                let revision = change.revision;
                if !watch.range.contains(change.key) {
                    let words = format!("A did not ask for {}.", name(change));
                    self.found("filter", watch, change, words);
                } else if let Some(from) = watch.from.filter(|&from| revision < from) {
                    let words = format!(
                        "A asked for changes from revision {from} on, and got {}.",
                        name(change)
                    );
                    self.found("filter", watch, change, words);
                }
                if !seen.insert((revision, change.key)) {
                    sound = false;
                    self.found("unique", watch, change, format!("A got {} twice.", name(change)));
                } else if let Some(last) = last.filter(|&last| revision < last) {
                    sound = false;
                    let words =
                        format!("A got {} after a change at revision {last}.", name(change));
                    self.found("ordered", watch, change, words);
                } else if number == 0 && before == Some(revision) {
                    let words = format!(
                        "A got {} in one response and other changes of that revision in the one before.",
                        name(change)
                    );
                    self.found("atomic", watch, change, words);
                }
                if let Some(bookmark) = bookmark.filter(|&bookmark| revision <= bookmark) {
                    let words = format!(
                        "A was told that all changes up to revision {bookmark} had been delivered, and \
                         then got {}.",
                        name(change)
                    );
                    self.found("bookmarkable", watch, change, words);
                }
                last = Some(last.map_or(revision, |last| last.max(revision)));
            }
            bookmark = bookmark.max(response.progress);
        }
        sound
    }

    /// What a change says about the one before it on its key, if the same watch had that.
    fn previous_values(&mut self, watch: &Watch<'a>) {
        let mut before: FxHashMap<&Value, &Change<'a>> = FxHashMap::default();
        for change in watch.changes() {
            let Some(earlier) = before.insert(change.key, change) else { continue };
            if earlier.revision >= change.revision {
                continue;
            }
            if let Some(previous) = change.previous.filter(|&previous| previous != earlier.value) {
                let told = previous.map_or("nothing".to_owned(), brief);
                let words = format!(
                    "A got {} with {told} as the value before, but the change before was {}.",
                    name(change),
                    name(earlier)
                );
                self.found("prev-kv", watch, change, words);
            }
            let was_there = earlier.value.is_some();
            if change.value.is_some() && change.creates.is_some_and(|creates| creates == was_there)
            {
                let told = if was_there { "as a creation" } else { "as no creation" };
                let words = format!(
                    "A got {} {told}, but the change before was {}.",
                    name(change),
                    name(earlier)
                );
                self.found("is-create", watch, change, words);
            }
        }
    }

    /// Nothing is left out between where the watch began and the last that it was told.
    fn complete(&mut self, watch: &Watch<'a>, spending: &mut Spending<'_>) -> Result<(), String> {
        let first = watch.changes().next().map(|it| it.revision);
        let last = watch.changes().last().map(|it| it.revision);
        let bookmark = watch.responses.iter().filter_map(|it| it.progress).max();
        let (Some(from), Some(to)) = (watch.from.or(first), last.max(bookmark)) else {
            return Ok(());
        };
        let got: FxHashSet<(i64, &Value)> =
            watch.changes().map(|it| (it.revision, it.key)).collect();
        let changes = self.changes;
        let wanted: Vec<usize> = match watch.range {
            Range::Key(key) => changes.of_key(key, from, to).to_vec(),
            Range::All | Range::Prefix(_) => {
                let range = changes.between(from, to);
                spending.step(range.len(), changes.bytes())?;
                range.filter(|&it| watch.range.contains(changes.all[it].change.key)).collect()
            }
        };
        for number in wanted {
            let known = &changes.all[number];
            let change = &known.change;
            if got.contains(&(change.revision, change.key)) {
                continue;
            }
            let (kind, where_to) = match (first, bookmark) {
                (Some(first), _) if change.revision < first => (
                    "resumable",
                    format!(
                        "asked for changes from revision {from} on, and the first that it got has revision {first}"
                    ),
                ),
                (_, Some(bookmark)) if last.is_none_or(|last| change.revision > last) => (
                    "reliable",
                    format!("was told that all up to revision {bookmark} had been delivered"),
                ),
                _ => ("reliable", format!("got changes up to revision {}", last.unwrap_or(to))),
            };
            let involved = [watch.position, known.witness];
            self.findings.add(kind, Some(change.key), &involved, || {
                vec![
                    format!("B shows {}.", name(change)),
                    format!("A {where_to}, but did not get that change."),
                ]
            });
        }
        Ok(())
    }
}
