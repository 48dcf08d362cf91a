//! The sequential specification of a set, and whom its operations owe their results to.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{SetOp, explain, member, operation, whole};
use crate::history::Operation;
use crate::model::entry::entries;
use crate::model::judgement::Judgement;
use crate::model::scatter::scatter;
use crate::model::{
    Decision, Encoded, Entry, Initial, Model, Numbers, ObjectModel, Telling, UnsuitableOperation,
};

/// Elements that are listed when a state is described.
const SHOWN: usize = 8;

/// A set with the elements of one history. It starts empty.
#[derive(Debug, Clone)]
pub struct Set {
    values: Numbers,
}

/// The elements inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    elements: FxHashSet<u32>,
    /// Adds up hashes of the elements, whatever their order.
    hash: u64,
}

impl std::hash::Hash for Members {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Members {
    fn add(&mut self, element: u32) -> bool {
        let new = self.elements.insert(element);
        if new {
            self.hash = self.hash.wrapping_add(scatter(element));
        }
        new
    }

    fn remove(&mut self, element: u32) -> bool {
        let was_there = self.elements.remove(&element);
        if was_there {
            self.hash = self.hash.wrapping_sub(scatter(element));
        }
        was_there
    }
}

impl ObjectModel for Set {
    fn may_hold_less() -> bool {
        false
    }

    /// Questions of unknown result go. The set starts empty, whatever `initial` says.
    fn encode(
        operations: &[&Operation],
        _initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        let mut values = Numbers::default();
        let entries = entries(operations, |it| operation::read(it, &mut values))?;
        Ok((Self { values }, entries))
    }
}

impl Model for Set {
    type Op = SetOp;
    type State = Members;

    fn initial(&self) -> Members {
        Members::default()
    }

    fn step(&self, state: &Members, op: &SetOp) -> Option<Members> {
        let mut after = state.clone();
        self.apply(&mut after, op).then_some(after)
    }

    fn apply(&self, state: &mut Members, op: &SetOp) -> bool {
        let has = |element: &u32| state.elements.contains(element);
        match op {
            SetOp::Add(element, new) => {
                let fits = new.is_none_or(|new| new != has(element));
                if fits {
                    state.add(*element);
                }
                fits
            }
            SetOp::Remove(element, was_there) => {
                let fits = was_there.is_none_or(|was_there| was_there == has(element));
                if fits {
                    state.remove(*element);
                }
                fits
            }
            SetOp::Contains(element, present) => has(element) == *present,
            SetOp::Read(elements) => {
                elements.len() == state.elements.len() && elements.iter().all(has)
            }
            SetOp::Twice(_) => false,
            SetOp::Saw(elements) => elements.iter().all(|(element, seen)| has(element) == *seen),
        }
    }

    fn is_read_only(&self, op: &SetOp) -> bool {
        match op {
            SetOp::Add(_, changed) | SetOp::Remove(_, changed) => *changed == Some(false),
            SetOp::Contains(..) | SetOp::Read(_) | SetOp::Twice(_) | SetOp::Saw(_) => true,
        }
    }

    fn state_bytes(&self, state: &Members) -> usize {
        size_of::<Members>() + state.elements.capacity() * 5
    }

    fn decide(&self, entries: &[Entry<SetOp>]) -> Option<Decision> {
        judge(entries).decision(entries)
    }

    fn conflict(&self, entries: &[Entry<SetOp>]) -> Option<Vec<usize>> {
        judge(entries).conflict()
    }

    /// A read says of each element whether it was there; those that nothing in the conflict adds or
    /// removes do not count.
    fn narrow(&self, mut conflict: Vec<Entry<SetOp>>) -> Vec<Entry<SetOp>> {
        let mut moved: Vec<u32> = conflict
            .iter()
            .filter(|entry| entry.op.may_add() || entry.op.may_remove())
            .filter_map(|entry| entry.op.element())
            .collect();
        moved.sort_unstable();
        moved.dedup();
        for entry in conflict.iter_mut().filter(|_| !moved.is_empty()) {
            if let SetOp::Read(elements) = &entry.op {
                let seen = |element: u32| (element, elements.binary_search(&element).is_ok());
                entry.op =
                    SetOp::Saw(Arc::new(moved.iter().map(|&element| seen(element)).collect()));
            }
        }
        conflict
    }

    /// Elements that at most one operation may put in, and one take out, need no search and are one part;
    /// each other element is a part.
    fn parts(&self, entries: &[Entry<SetOp>]) -> Option<Vec<Vec<usize>>> {
        let mut changes: FxHashMap<u32, [u32; 2]> = FxHashMap::default();
        for entry in entries {
            let [adds, removes] = changes.entry(entry.op.element()?).or_default();
            *adds += u32::from(entry.op.may_add());
            *removes += u32::from(entry.op.may_remove());
        }
        let mut easy = Vec::new();
        let mut parts: FxHashMap<u32, Vec<usize>> = FxHashMap::default();
        for (position, entry) in entries.iter().enumerate() {
            let element = entry.op.element()?;
            if changes[&element].iter().all(|&count| count <= 1) {
                easy.push(position);
            } else {
                parts.entry(element).or_default().push(position);
            }
        }
        let mut parts: Vec<Vec<usize>> = parts.into_values().collect();
        parts.sort_unstable();
        parts.push(easy);
        Some(parts)
    }

    /// Whoever found an element inside owes that to those who may have put it in; whoever did not, to
    /// those who may have taken it out. The last of both before it in an order is among them.
    fn support(&self, entries: &[Entry<SetOp>]) -> Vec<Vec<usize>> {
        let mut of_element: FxHashMap<u32, [Vec<usize>; 2]> = FxHashMap::default();
        for (position, entry) in entries.iter().enumerate() {
            if let Some(element) = entry.op.element() {
                let [adds, removes] = of_element.entry(element).or_default();
                if entry.op.may_add() {
                    adds.push(position);
                } else if entry.op.may_remove() {
                    removes.push(position);
                }
            }
        }
        // Rings take less memory than all pairs; who changes an element supports its like.
        let mut support = vec![Vec::new(); entries.len()];
        for ring in of_element.values().flatten().filter(|ring| ring.len() > 1) {
            for (at, &position) in ring.iter().enumerate() {
                support[position].push(ring[(at + 1) % ring.len()]);
            }
        }
        let changes = |element: u32, present: bool| {
            of_element.get(&element).and_then(|both| both[usize::from(!present)].first().copied())
        };
        for (position, entry) in entries.iter().enumerate() {
            match &entry.op {
                SetOp::Add(_, None) | SetOp::Remove(_, None) | SetOp::Twice(_) => {}
                SetOp::Add(element, Some(new)) => {
                    support[position].extend(changes(*element, !new));
                }
                SetOp::Remove(element, Some(present)) | SetOp::Contains(element, present) => {
                    support[position].extend(changes(*element, *present));
                }
                SetOp::Read(elements) => {
                    for (&element, [adds, removes]) in &of_element {
                        let seen = elements.binary_search(&element).is_ok();
                        let source = if seen { adds.first() } else { removes.first() };
                        support[position].extend(source);
                    }
                }
                SetOp::Saw(elements) => {
                    let sources = elements.iter().filter_map(|&(it, seen)| changes(it, seen));
                    support[position].extend(sources);
                }
            }
        }
        support
    }

    fn noun(&self) -> &'static str {
        "set"
    }

    fn describe_op(&self, op: &SetOp) -> String {
        let changed = |changed: &Option<bool>| match changed {
            Some(changed) => format!(" -> {changed}"),
            None => String::new(),
        };
        match op {
            SetOp::Add(element, new) => {
                format!("add {}{}", self.describe_value(*element), changed(new))
            }
            SetOp::Remove(element, was_there) => {
                format!("remove {}{}", self.describe_value(*element), changed(was_there))
            }
            SetOp::Contains(element, present) => {
                format!("contains {} -> {present}", self.describe_value(*element))
            }
            SetOp::Read(elements) => format!("read -> {}", self.list(elements)),
            SetOp::Twice(element) => format!("read -> {} twice", self.describe_value(*element)),
            SetOp::Saw(elements) => {
                let of = |wanted: bool| -> Vec<u32> {
                    let some = elements.iter().filter(|(_, seen)| *seen == wanted);
                    some.map(|(element, _)| *element).collect()
                };
                match (of(true), of(false)) {
                    (with, without) if without.is_empty() => {
                        format!("read with {}", self.list(&with))
                    }
                    (with, without) if with.is_empty() => {
                        format!("read without {}", self.list(&without))
                    }
                    (with, without) => {
                        format!("read with {}, without {}", self.list(&with), self.list(&without))
                    }
                }
            }
        }
    }

    fn describe_state(&self, state: &Members) -> String {
        let mut elements: Vec<u32> = state.elements.iter().copied().collect();
        elements.sort_unstable();
        self.list(&elements)
    }

    fn describe_refusal(&self, state: &Members, op: &SetOp) -> String {
        let holds = self.describe_state(state);
        match op {
            SetOp::Add(_, Some(false)) => format!("it found it inside, but the set holds {holds}"),
            SetOp::Add(..) => format!("it found it missing, but the set holds {holds}"),
            SetOp::Remove(_, Some(true)) | SetOp::Contains(_, true) => {
                format!("it found it inside, but the set holds {holds}")
            }
            SetOp::Remove(..) | SetOp::Contains(..) => {
                format!("it found it missing, but the set holds {holds}")
            }
            SetOp::Twice(_) => "a set has no element twice".to_owned(),
            SetOp::Read(_) | SetOp::Saw(_) => {
                format!("it {}, but the set holds {holds}", self.describe_op(op))
            }
        }
    }

    fn describe_value(&self, value: u32) -> String {
        self.values.value(value).to_string()
    }

    fn explain(
        &self,
        all: &[Entry<SetOp>],
        subset: &[Entry<SetOp>],
        telling: &dyn Telling,
    ) -> Option<Vec<String>> {
        explain::explain(self, all, subset, telling)
    }
}

impl Set {
    fn list(&self, elements: &[u32]) -> String {
        if elements.is_empty() {
            return "nothing".to_owned();
        }
        let shown: Vec<String> =
            elements.iter().take(SHOWN).map(|&element| self.describe_value(element)).collect();
        match elements.len() - shown.len() {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

/// Decides entries that are sorted by invocation.
fn judge(entries: &[Entry<SetOp>]) -> Judgement {
    let twice = entries.iter().position(|entry| matches!(entry.op, SetOp::Twice(_)));
    if let Some(twice) = twice {
        return Judgement::Contradiction(vec![twice as u32]);
    }
    if entries.iter().all(|entry| entry.op.element().is_some()) {
        member::judge(entries)
    } else {
        whole::judge(entries)
    }
}
