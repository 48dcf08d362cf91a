//! When each element was known, last found and last missed.

use rustc_hash::FxHashMap;

use crate::checker::findings::{Spending, brief};
use crate::checker::order::acknowledged;
use crate::history::{Operation, Outcome, Value};
use crate::model::UnsuitableOperation;

/// One element of one set.
#[derive(Debug, Clone, Default)]
pub(super) struct Element<'a> {
    /// The element.
    pub(super) value: Option<&'a Value>,
    /// The first addition that did not fail.
    pub(super) added: Option<usize>,
    /// The first addition that failed.
    pub(super) failed: Option<usize>,
    /// The operation by whose completion it surely was there: index of that, and position.
    pub(super) known: Option<(u64, usize)>,
    /// The read that began last of those that found it.
    pub(super) present: Option<usize>,
    /// The read that began last of those that missed it.
    pub(super) absent: Option<usize>,
    /// A read that has it more than once, and how often.
    pub(super) repeated: Option<(usize, u32)>,
}

/// The elements of one set, and its reads in the order of their invocation.
#[derive(Debug, Default)]
pub(super) struct Timeline<'a> {
    pub(super) elements: Vec<Element<'a>>,
    pub(super) reads: Vec<usize>,
    /// What the reads show: numbers of elements.
    seen: Vec<Vec<u32>>,
    numbers: FxHashMap<&'a Value, u32>,
}

impl<'a> Timeline<'a> {
    /// Reads the operations at the positions `members`.
    pub(super) fn new(
        operations: &'a [Operation],
        members: &[usize],
    ) -> Result<Self, UnsuitableOperation> {
        let mut timeline = Timeline::default();
        for &position in members {
            let operation = &operations[position];
            match operation.f.as_str() {
                "add" => timeline.add(position, operation),
                "read" if operation.outcome != Outcome::Ok => {}
                "read" => timeline.read(position, operation)?,
                _ => return Err(unsuitable(operation)),
            }
        }
        Ok(timeline)
    }

    /// Bytes held, roughly.
    pub(super) fn bytes(&self) -> usize {
        let seen: usize = self.seen.iter().map(|it| it.len() * 4).sum();
        seen + self.elements.len() * (size_of::<Element<'_>>() + 24)
    }

    fn number(&mut self, value: &'a Value) -> usize {
        let next = self.elements.len() as u32;
        let number = *self.numbers.entry(value).or_insert(next);
        if number == next {
            self.elements.push(Element { value: Some(value), ..Element::default() });
        }
        number as usize
    }

    fn add(&mut self, position: usize, operation: &'a Operation) {
        let number = self.number(&operation.invoked);
        let element = &mut self.elements[number];
        match operation.outcome {
            Outcome::Ok | Outcome::Info => element.added.get_or_insert(position),
            Outcome::Fail => element.failed.get_or_insert(position),
        };
        if let Some(completed) = acknowledged(operation) {
            earlier(&mut element.known, completed, position);
        }
    }

    fn read(
        &mut self,
        position: usize,
        operation: &'a Operation,
    ) -> Result<(), UnsuitableOperation> {
        let values: &[Value] = match &operation.result {
            Value::List(list) => list,
            Value::Null => &[],
            _ => return Err(unsuitable(operation)),
        };
        let completed = operation.complete_index.unwrap_or(u64::MAX);
        let mut seen = Vec::with_capacity(values.len());
        for value in values {
            let number = self.number(value);
            seen.push(number as u32);
            let element = &mut self.elements[number];
            // Reads come in the order of their invocation.
            if element.present == Some(position) {
                let repeated = element.repeated.get_or_insert((position, 1));
                if repeated.0 == position {
                    repeated.1 += 1;
                }
            }
            element.present = Some(position);
            earlier(&mut element.known, completed, position);
        }
        self.reads.push(position);
        self.seen.push(seen);
        Ok(())
    }

    /// Finds for each element the read that began last of those that missed it.
    ///
    /// From the last read backwards: an element is pending until a read misses it. Each read looks at
    /// the pending elements only; those it has stay pending, so that it costs no more than its size
    /// and the elements that it settles. A read that ended before the first addition began settles
    /// its element as never missed: there was nothing to find, and whatever began before that read
    /// began before the element was known.
    pub(super) fn find_absences(
        &mut self,
        operations: &[Operation],
        spending: &mut Spending<'_>,
    ) -> Result<(), String> {
        let bytes = self.bytes();
        let mut pending: Vec<u32> = (0..self.elements.len() as u32).collect();
        let mut stamps = vec![usize::MAX; self.elements.len()];
        for number in (0..self.reads.len()).rev() {
            spending.step(self.seen[number].len() + pending.len(), bytes)?;
            for &element in &self.seen[number] {
                stamps[element as usize] = number;
            }
            let (elements, position) = (&mut self.elements, self.reads[number]);
            let completed = operations[position].complete_index.unwrap_or(u64::MAX);
            pending.retain(|&it| {
                let element = &mut elements[it as usize];
                if stamps[it as usize] == number {
                    return true;
                }
                let added = element.added.map(|added| operations[added].invoke_index);
                if added.is_none_or(|added| added < completed) {
                    element.absent = Some(position);
                }
                false
            });
        }
        Ok(())
    }
}

fn earlier(known: &mut Option<(u64, usize)>, completed: u64, position: usize) {
    if known.is_none_or(|(before, _)| completed < before) {
        *known = Some((completed, position));
    }
}

fn unsuitable(operation: &Operation) -> UnsuitableOperation {
    UnsuitableOperation {
        index: operation.invoke_index,
        expected: "add with an element, or read with a list of elements as its result",
        got: format!(
            "{} {} -> {}",
            operation.f,
            brief(&operation.invoked),
            brief(&operation.result)
        ),
    }
}
