//! What all collections have in common.

use std::marker::PhantomData;

use rustc_hash::FxHashMap;

use super::discipline::Discipline;
use super::hidden::judge;
use super::{CollectionOp, explain, operation};
use crate::history::{Operation, Value};
use crate::model::entry::entries;
use crate::model::{
    Decision, Encoded, Entry, Initial, Model, Numbers, ObjectModel, Telling, UnsuitableOperation,
};

/// Elements that are listed when a state is described.
const SHOWN: usize = 8;

/// A collection with the values of one history. It starts empty.
#[derive(Debug, Clone)]
pub struct Collection<D> {
    values: Vec<Value>,
    discipline: PhantomData<D>,
}

impl<D: Discipline> ObjectModel for Collection<D> {
    fn may_hold_less() -> bool {
        false
    }

    /// Removals of unknown result stay, because they may have taken something; peeks of unknown result
    /// go. What is inside at the start is not up to `initial`: nothing is.
    fn encode(
        operations: &[&Operation],
        _initial: &Initial,
    ) -> Result<Encoded<Self>, UnsuitableOperation> {
        let mut numbers = Numbers::default();
        let mut entries = entries(operations, |operation| {
            operation::read::<D>(operation, |value: &Value| numbers.number(value))
        })?;
        let mut values: Vec<Value> =
            (0..numbers.len() as u32).map(|number| numbers.value(number).clone()).collect();
        if D::BY_VALUE {
            let rank = sort(&mut values);
            for entry in &mut entries {
                match &mut entry.op {
                    CollectionOp::Insert(value)
                    | CollectionOp::Remove(value)
                    | CollectionOp::Peek(value) => *value = rank[*value as usize],
                    CollectionOp::Empty | CollectionOp::RemoveUnknown => {}
                }
            }
        }
        Ok((Self { values, discipline: PhantomData }, entries))
    }
}

/// Sorts values, and says where each went.
fn sort(values: &mut Vec<Value>) -> Vec<u32> {
    let integers: Option<Vec<(i64, u32)>> =
        values.iter().zip(0..).map(|(value, number)| Some((value.as_i64()?, number))).collect();
    let order: Vec<u32> = match integers {
        Some(mut integers) => {
            integers.sort_unstable();
            integers.into_iter().map(|(_, number)| number).collect()
        }
        None => {
            let mut order: Vec<u32> = (0..values.len() as u32).collect();
            order.sort_unstable_by(|&a, &b| values[a as usize].cmp(&values[b as usize]));
            order
        }
    };
    let mut rank = vec![0; order.len()];
    for (place, &number) in order.iter().enumerate() {
        rank[number as usize] = place as u32;
    }
    *values = order.iter().map(|&number| values[number as usize].clone()).collect();
    rank
}

impl<D: Discipline> Model for Collection<D> {
    type Op = CollectionOp;
    type State = D::State;

    fn initial(&self) -> D::State {
        D::State::default()
    }

    fn step(&self, state: &D::State, op: &CollectionOp) -> Option<D::State> {
        let mut after = state.clone();
        self.apply(&mut after, op).then_some(after)
    }

    fn apply(&self, state: &mut D::State, op: &CollectionOp) -> bool {
        match *op {
            CollectionOp::Insert(value) => {
                D::insert(state, value);
                true
            }
            CollectionOp::Remove(value) => {
                let is_next = D::is_next(state, value);
                if is_next {
                    D::remove(state, value);
                }
                is_next
            }
            CollectionOp::Peek(value) => D::is_next(state, value),
            CollectionOp::Empty => {
                let may_be_empty = D::may_be_empty(state);
                if may_be_empty {
                    D::set_empty(state);
                }
                may_be_empty
            }
            CollectionOp::RemoveUnknown => D::remove_unknown(state),
        }
    }

    fn is_read_only(&self, op: &CollectionOp) -> bool {
        match op {
            CollectionOp::Empty => D::EMPTINESS_IS_KNOWN,
            CollectionOp::Peek(_) => true,
            CollectionOp::Insert(_) | CollectionOp::Remove(_) | CollectionOp::RemoveUnknown => {
                false
            }
        }
    }

    fn state_bytes(&self, state: &D::State) -> usize {
        size_of::<D::State>() + D::size(state) * 8
    }

    /// Leaves out crashed insertions of values that nobody saw.
    fn simplify(&self, mut entries: Vec<Entry<CollectionOp>>) -> Vec<Entry<CollectionOp>> {
        if entries.iter().any(|entry| entry.is_crashed()) {
            let mut seen = vec![false; self.values.len()];
            for entry in &entries {
                if let CollectionOp::Remove(value) | CollectionOp::Peek(value) = entry.op {
                    seen[value as usize] = true;
                }
            }
            entries.retain(|entry| match entry.op {
                CollectionOp::Insert(value) => !entry.is_crashed() || seen[value as usize],
                CollectionOp::Remove(_)
                | CollectionOp::Empty
                | CollectionOp::Peek(_)
                | CollectionOp::RemoveUnknown => true,
            });
        }
        entries
    }

    fn decide(&self, entries: &[Entry<CollectionOp>]) -> Option<Decision> {
        judge::<D>(entries).decision(entries)
    }

    fn conflict(&self, entries: &[Entry<CollectionOp>]) -> Option<Vec<usize>> {
        let mut numbered = entries.to_vec();
        for (position, entry) in numbered.iter_mut().enumerate() {
            entry.id = position;
        }
        let numbered = self.simplify(numbered);
        let core = judge::<D>(&numbered).conflict()?;
        let mut core: Vec<usize> = core.into_iter().map(|position| numbered[position].id).collect();
        core.sort_unstable();
        Some(core)
    }

    /// An order stays legal if all operations on some values are taken out. So all operations on a
    /// value support each other; and crashed removals, which may have taken anything, support each
    /// other and whatever nobody saw leave. Rings take less memory than all pairs.
    fn support(&self, entries: &[Entry<CollectionOp>]) -> Vec<Vec<usize>> {
        let mut of_value: FxHashMap<u32, (Vec<usize>, usize, usize)> = FxHashMap::default();
        let mut hidden = Vec::new();
        for (position, entry) in entries.iter().enumerate() {
            match entry.op {
                CollectionOp::Insert(value) => {
                    let (ring, inserts, _) = of_value.entry(value).or_default();
                    ring.push(position);
                    *inserts += 1;
                }
                CollectionOp::Remove(value) => {
                    let (ring, _, removes) = of_value.entry(value).or_default();
                    ring.push(position);
                    *removes += usize::from(!entry.is_crashed());
                }
                CollectionOp::Peek(value) => of_value.entry(value).or_default().0.push(position),
                CollectionOp::Empty => {}
                CollectionOp::RemoveUnknown => hidden.push(position),
            }
        }
        let mut support = vec![Vec::new(); entries.len()];
        let mut close = |ring: &[usize]| {
            for (at, &position) in ring.iter().enumerate().filter(|_| ring.len() > 1) {
                support[position].push(ring[(at + 1) % ring.len()]);
            }
        };
        close(&hidden);
        of_value.values().for_each(|(ring, ..)| close(ring));
        if let Some(&any) = hidden.first() {
            for (ring, inserts, removes) in of_value.values() {
                if inserts > removes {
                    ring.iter().for_each(|&position| support[position].push(any));
                }
            }
        }
        support
    }

    fn noun(&self) -> &'static str {
        D::NOUN
    }

    fn describe_op(&self, op: &CollectionOp) -> String {
        let [insert, _] = D::INSERT;
        let [remove, _] = D::REMOVE;
        match *op {
            CollectionOp::Insert(value) => format!("{insert} {}", self.describe_value(value)),
            CollectionOp::Remove(value) => format!("{remove} -> {}", self.describe_value(value)),
            CollectionOp::Empty => format!("{remove} -> nothing"),
            CollectionOp::Peek(value) => format!("peek -> {}", self.describe_value(value)),
            CollectionOp::RemoveUnknown => format!("{remove} -> ?"),
        }
    }

    fn describe_state(&self, state: &D::State) -> String {
        let contents = D::contents(state);
        if contents.is_empty() {
            return "nothing".to_owned();
        }
        let shown: Vec<String> =
            contents.iter().take(SHOWN).map(|&value| self.describe_value(value)).collect();
        match contents.len() - shown.len() {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }

    fn describe_refusal(&self, state: &D::State, op: &CollectionOp) -> String {
        let holds = self.describe_state(state);
        let [_, removed] = D::REMOVE;
        match *op {
            CollectionOp::Remove(value) => format!(
                "it {removed} {}, but the {} holds {holds}",
                self.describe_value(value),
                D::NOUN
            ),
            CollectionOp::Peek(value) => {
                format!("it saw {}, but the {} holds {holds}", self.describe_value(value), D::NOUN)
            }
            CollectionOp::Empty => {
                format!("it found nothing, but the {} holds {holds}", D::NOUN)
            }
            CollectionOp::RemoveUnknown => "there is nothing that it could take".to_owned(),
            CollectionOp::Insert(_) => format!("a {} always takes more", D::NOUN),
        }
    }

    fn describe_value(&self, value: u32) -> String {
        self.values[value as usize].to_string()
    }

    fn explain(
        &self,
        all: &[Entry<CollectionOp>],
        subset: &[Entry<CollectionOp>],
        telling: &dyn Telling,
    ) -> Option<Vec<String>> {
        explain::explain(self, all, subset, telling)
    }
}
