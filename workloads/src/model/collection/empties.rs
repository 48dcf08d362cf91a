//! Moments at which observations of emptiness can be true.
//!
//! An observation needs a moment within its interval at which no solid element is surely inside. Where
//! crashed removals (by invocation: `r1 <= r2 <= ...`) may have taken elements that nobody saw leave,
//! those elements do not rule a moment out, but must have left before it, and each needs a crashed
//! removal of its own that was invoked before that. Let `F(u)` be the deadline that `u` has for other
//! reasons. All elements can leave in time exactly if for each moment `x`, no more elements have their
//! deadline by `x` than crashed removals were invoked before `x` (Hall's theorem; the sets of usable
//! removals are nested). With emptiness at `t`, the elements that were in by `t` have their deadline
//! by `t`. For a moment `x`, only the last `t` before it counts: elements that went in later keep
//! `F(u)`, and all others are due by `t`. Hence the observations do not influence each other, and `t` is
//! possible exactly if for all `x >= t`
//!
//! ```text
//! #{u: in by t} + #{u: not in by t, F(u) <= x}  <=  #{r < x}
//! ```

use super::tree::MinTree;
use super::unambiguous::{Unambiguous, Unexplained};

/// What happens at a moment of the sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// An element is surely inside from here on.
    Covered,
    /// It no longer is.
    Uncovered,
    /// A loose element is surely in.
    LooseIn(u32),
    /// A crashed removal is invoked.
    Hidden,
    /// An observation begins.
    Begin(u32),
    /// It ends.
    End(u32),
}

/// Sets the moments of all observations of emptiness.
///
/// Without deadlines, all elements count as they stand. With deadlines, loose elements may leave by
/// crashed removals, and must by their deadline.
pub(super) fn place(
    history: &mut Unambiguous,
    deadlines: Option<&[(u64, u32)]>,
) -> Result<(), Unexplained> {
    let mut slack = deadlines.map(|deadlines| Slack::new(history, deadlines));
    if let (Some(slack), Some(deadlines)) = (&slack, deadlines)
        && let Some(late) = slack.late(history)
    {
        return Err(with_evidence(late, deadlines));
    }
    if history.empties.is_empty() {
        return Ok(());
    }
    let mut changes = Vec::new();
    for (position, element) in history.elements.iter().enumerate() {
        if deadlines.is_some() && element.is_loose() {
            changes.push((element.in_by, Change::LooseIn(position as u32)));
        } else if element.is_solid() {
            changes.push((element.in_by, Change::Covered));
            changes.push((element.out_from, Change::Uncovered));
        }
    }
    for (position, empty) in history.empties.iter().enumerate() {
        changes.push((empty.from, Change::Begin(position as u32)));
        changes.push((empty.by, Change::End(position as u32)));
    }
    if deadlines.is_some() {
        changes.extend(history.hidden.iter().map(|&(from, _)| (from, Change::Hidden)));
    }
    changes.sort_unstable();

    let mut inside = 0;
    let mut open: Vec<u32> = Vec::new();
    for (moment, change) in changes {
        match change {
            Change::Covered => inside += 1,
            Change::Uncovered => inside -= 1,
            Change::LooseIn(element) => {
                if let Some(slack) = &mut slack {
                    slack.enter(element);
                }
            }
            Change::Hidden => {
                if let Some(slack) = &mut slack {
                    slack.removals += 1;
                }
            }
            Change::Begin(empty) => open.push(empty),
            Change::End(empty) => {
                if open.contains(&empty) {
                    return Err(covered(history, empty, deadlines));
                }
            }
        }
        if inside == 0
            && !open.is_empty()
            && slack.as_mut().is_none_or(|slack| slack.allows(moment))
        {
            for empty in open.drain(..) {
                history.empties[empty as usize].at = moment + 1;
            }
        }
    }
    Ok(())
}

/// Crashed removals that are not needed, for each deadline.
struct Slack {
    /// Finite deadlines, sorted, with their elements; and of each element its place in there.
    due: Vec<(u64, u32)>,
    place: Vec<u32>,
    spare: MinTree,
    /// The first deadline that is not over.
    next: usize,
    /// Loose elements that are in, and crashed removals invoked.
    entered: usize,
    removals: usize,
}

impl Slack {
    fn new(history: &Unambiguous, deadlines: &[(u64, u32)]) -> Self {
        let mut due: Vec<(u64, u32)> = deadlines
            .iter()
            .enumerate()
            .filter(|(_, (deadline, _))| *deadline != u64::MAX)
            .map(|(element, &(deadline, _))| (deadline, element as u32))
            .collect();
        due.sort_unstable();
        let mut place = vec![due.len() as u32; history.elements.len()];
        let mut spare = Vec::with_capacity(due.len());
        for (at, &(deadline, element)) in due.iter().enumerate() {
            place[element as usize] = at as u32;
            let removals = history.hidden.partition_point(|&(from, _)| from < deadline);
            spare.push(removals as i64 - (at as i64 + 1));
        }
        Self { due, place, spare: MinTree::new(&spare), next: 0, entered: 0, removals: 0 }
    }

    /// The elements that are due at the first deadline that cannot be met.
    fn late(&self, history: &Unambiguous) -> Option<Vec<u32>> {
        let late = (0..self.due.len())
            .find(|&at| history.hidden.get(at).is_none_or(|&(from, _)| from > self.due[at].0))?;
        Some(self.due[..=late].iter().map(|&(_, element)| element).collect())
    }

    fn enter(&mut self, element: u32) {
        self.entered += 1;
        self.spare.add(0, self.place[element as usize] as usize, -1);
    }

    /// Whether everything can leave in time if nothing is inside right after `moment`.
    fn allows(&mut self, moment: u64) -> bool {
        while self.due.get(self.next).is_some_and(|&(deadline, _)| deadline <= moment) {
            self.next += 1;
        }
        self.entered <= self.removals && self.spare.least(self.next, self.due.len()) >= 0
    }
}

/// Elements with those that give them their deadlines.
fn with_evidence(mut elements: Vec<u32>, deadlines: &[(u64, u32)]) -> Unexplained {
    let evidence: Vec<u32> = elements
        .iter()
        .map(|&element| deadlines[element as usize])
        .filter(|&(deadline, _)| deadline != u64::MAX)
        .map(|(_, evidence)| evidence)
        .collect();
    elements.extend(evidence);
    Unexplained { elements, entries: Vec::new() }
}

/// Why an observation of emptiness cannot be true.
fn covered(history: &Unambiguous, empty: u32, deadlines: Option<&[(u64, u32)]>) -> Unexplained {
    let empty = &history.empties[empty as usize];
    let is_solid = |element: u32| {
        let element = &history.elements[element as usize];
        element.is_solid() && (deadlines.is_none() || !element.is_loose())
    };
    let until = |element: u32| history.elements[element as usize].out_from;
    let mut unexplained = match chain(history, empty.from, empty.by, is_solid, until) {
        Some(elements) => Unexplained { elements, entries: Vec::new() },
        None => {
            let loose = (0..history.elements.len() as u32).filter(|&element| {
                let is_due = deadlines.is_some_and(|it| it[element as usize].0 != u64::MAX);
                let element = &history.elements[element as usize];
                element.is_loose() && (element.in_by < empty.by || is_due)
            });
            let mut all = with_evidence(loose.collect(), deadlines.unwrap_or_default());
            all.elements.extend((0..history.elements.len() as u32).filter(|&element| {
                let solid = &history.elements[element as usize];
                is_solid(element) && solid.in_by < empty.by && solid.out_from > empty.from
            }));
            all
        }
    };
    unexplained.entries.push(empty.entry);
    unexplained
}

/// Few elements of which at each moment between `from` and `by` one is surely inside: from its `in_by`
/// until `until`.
pub(super) fn chain(
    history: &Unambiguous,
    from: u64,
    by: u64,
    is_usable: impl Fn(u32) -> bool,
    until: impl Fn(u32) -> u64,
) -> Option<Vec<u32>> {
    let mut usable: Vec<(u64, u64, u32)> = (0..history.elements.len() as u32)
        .filter(|&element| history.elements[element as usize].in_by < by && is_usable(element))
        .map(|element| (history.elements[element as usize].in_by, until(element), element))
        .filter(|&(_, until, _)| until > from)
        .collect();
    usable.sort_unstable();
    let mut elements = Vec::new();
    let mut reached = from;
    let mut best: Option<(u64, u32)> = None;
    let mut candidates = usable.into_iter().peekable();
    while reached < by {
        // Two elements of which one goes out at the very moment that the other is in leave a gap.
        while let Some(&(start, end, element)) = candidates.peek()
            && start < reached.max(from + 1)
        {
            candidates.next();
            best = best.max(Some((end, element)));
        }
        let (end, element) = best.filter(|&(end, _)| end > reached)?;
        elements.push(element);
        reached = end;
    }
    Some(elements)
}
