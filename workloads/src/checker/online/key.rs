//! One register, as far as it is still open.

use std::collections::{BTreeSet, VecDeque};

use rustc_hash::FxHashMap;

use super::block::{Block, Death, Group, What, Witness, show};
use crate::checker::Verdict;
use crate::history::Value;

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Read,
    Write(Value),
    Cas(Value, Value),
}

/// Cas operations that nobody has seen, one upon the other, of which the last is seen at once.
const CHAIN_MAX: usize = 5_000;

/// Why there is no order, in sentences.
type Contradiction = Vec<String>;

/// What is kept of one register. Moments are indices of events, and one more.
#[derive(Debug)]
pub(super) struct Key {
    /// Groups of values that may still be seen.
    values: FxHashMap<Value, u32>,
    groups: Vec<Option<Group>>,
    blocks: Vec<Option<Block>>,
    free_groups: Vec<u32>,
    free_blocks: Vec<u32>,
    /// Blocks that are known to have been there and are not forgotten.
    live: Vec<u32>,
    /// Dead blocks, with the moment after which nothing fits in any more.
    dying: VecDeque<(u64, u32)>,
    /// Groups that a later one followed, with the moment from which on they are over.
    passed: VecDeque<(u64, Value)>,
    /// Invocations of open reads and cas operations, which may find anything that was there since.
    open: BTreeSet<u64>,
    /// Whether a value was written twice, so that nothing can be said.
    is_given_up: bool,
}

impl Key {
    pub(super) fn new(initial: &Value) -> Self {
        let mut key = Self {
            values: FxHashMap::default(),
            groups: Vec::new(),
            blocks: Vec::new(),
            free_groups: Vec::new(),
            free_blocks: Vec::new(),
            live: Vec::new(),
            dying: VecDeque::new(),
            passed: VecDeque::new(),
            open: BTreeSet::new(),
            is_given_up: false,
        };
        let start = Witness { process: 0, what: What::Start, value: initial.clone(), moment: 0 };
        let group = key.add_group(initial, None, start);
        key.group(group).first = Some(0);
        let block = key.group(group).block;
        key.live.push(block);
        key
    }

    pub(super) fn held(&self) -> usize {
        self.values.len() + self.live.len()
    }

    pub(super) fn verdict(&self) -> Verdict {
        if self.is_given_up { Verdict::Unknown } else { Verdict::Valid }
    }

    fn add_group(
        &mut self,
        value: &Value,
        replaces: Option<(Value, u64, u64)>,
        writer: Witness,
    ) -> u32 {
        let last = writer.moment;
        let block = Block { groups: Vec::new(), first: writer.clone(), last: writer, death: None };
        let block = insert(&mut self.blocks, &mut self.free_blocks, block);
        let group = Group {
            value: value.clone(),
            block,
            replaces,
            written: last,
            is_replaced: false,
            last,
            first: None,
        };
        let group = insert(&mut self.groups, &mut self.free_groups, group);
        self.block(block).groups.push(group);
        self.values.insert(value.clone(), group);
        group
    }

    fn group(&mut self, group: u32) -> &mut Group {
        self.groups[group as usize].as_mut().expect("a group that is named is there")
    }

    fn block(&mut self, block: u32) -> &mut Block {
        self.blocks[block as usize].as_mut().expect("a block that is named is there")
    }

    /// An operation starts.
    pub(super) fn invoke(&mut self, step: &Step, now: u64, process: u64) {
        let (value, replaces) = match step {
            Step::Read => {
                self.open.insert(now);
                return;
            }
            Step::Write(value) => (value, None),
            Step::Cas(expected, new) => {
                self.open.insert(now);
                (new, Some((expected.clone(), now, process)))
            }
        };
        if self.is_given_up {
            return;
        }
        if self.values.contains_key(value) {
            self.give_up();
            return;
        }
        let writer = Witness { process, what: What::Wrote, value: value.clone(), moment: now };
        self.add_group(value, replaces, writer);
    }

    /// The group of what an operation wrote; none if it was seen, and is forgotten.
    fn written(&self, value: &Value, invoked: u64) -> Option<u32> {
        let group = self.values.get(value).copied();
        group.filter(|&group| {
            self.groups[group as usize].as_ref().is_some_and(|it| it.written == invoked)
        })
    }

    /// An operation took effect.
    pub(super) fn ok(
        &mut self,
        step: &Step,
        result: &Value,
        invoked: u64,
        now: u64,
        process: u64,
    ) -> Result<(), Contradiction> {
        self.open.remove(&invoked);
        if self.is_given_up {
            return Ok(());
        }
        let (value, what) = match step {
            Step::Read => (result, What::Read),
            Step::Write(value) | Step::Cas(_, value) => (value, What::Wrote),
        };
        let group = match step {
            Step::Read => self.values.get(value).copied(),
            Step::Write(_) | Step::Cas(..) => match self.written(value, invoked) {
                Some(group) => Some(group),
                None => return Ok(()),
            },
        };
        let Some(group) = group else { return Err(unseen(process, what, value)) };
        if self.pending_chain(group) > CHAIN_MAX {
            self.give_up();
            return Ok(());
        }
        let witness = Witness { process, what, value: value.clone(), moment: invoked };
        self.observe(group, &witness);
        self.establish(group, &Witness { moment: now, ..witness }, 0)?;
        let block = self.group(group).block;
        self.settle(block)?;
        self.check_chain(group)?;
        self.forget(now);
        Ok(())
    }

    /// How many cas operations are known to have happened if the value was there.
    fn pending_chain(&self, group: u32) -> usize {
        let mut length = 0;
        let mut next = Some(group);
        while let Some(group) = next.and_then(|group| self.groups[group as usize].as_ref())
            && group.first.is_none()
            && length <= CHAIN_MAX
        {
            length += 1;
            next = group.replaces.as_ref().and_then(|it| self.values.get(&it.0).copied());
        }
        // Those that go round in a circle are short.
        if length > self.groups.len() { 0 } else { length }
    }

    /// An operation provably had no effect.
    pub(super) fn fail(&mut self, step: &Step, invoked: u64) -> Result<(), Contradiction> {
        self.open.remove(&invoked);
        let (Step::Write(value) | Step::Cas(_, value)) = step else { return Ok(()) };
        if self.is_given_up {
            return Ok(());
        }
        let group = self.written(value, invoked);
        let is_seen = group.is_none_or(|group| self.group(group).first.is_some());
        if is_seen {
            let seen = show(value);
            return Err(vec![
                format!("{seen} was seen, and only one operation wrote it."),
                "That operation has failed, so it must have had no effect.".to_owned(),
            ]);
        }
        if let Some(group) = group {
            let block = self.group(group).block;
            self.drop_group(group);
            self.drop_block(block);
        }
        Ok(())
    }

    /// Nobody will learn whether an operation took effect.
    pub(super) fn info(&mut self, invoked: u64) {
        self.open.remove(&invoked);
    }

    /// An operation that was invoked at `witness.moment` is on the value.
    fn observe(&mut self, group: u32, witness: &Witness) {
        let last = &mut self.group(group).last;
        *last = witness.moment.max(*last);
        let block = self.group(group).block;
        let block = self.block(block);
        if witness.moment > block.last.moment {
            block.last = witness.clone();
        }
    }

    /// The value is known to have been there by `witness.moment`, so what it replaced was, too.
    fn establish(
        &mut self,
        group: u32,
        witness: &Witness,
        depth: usize,
    ) -> Result<(), Contradiction> {
        if self.group(group).first.is_some() {
            return Ok(());
        }
        if depth > self.groups.len() {
            return Err(vec!["cas operations replace each other's values in a circle.".to_owned()]);
        }
        if let Some((expected, invoked, process)) = self.group(group).replaces.clone() {
            let before = match self.values.get(&expected) {
                Some(&before) => before,
                None => return Err(unseen(process, What::Replaced, &expected)),
            };
            if self.group(before).is_replaced {
                let expected = show(&expected);
                return Err(vec![
                    format!("Process {process} replaced {expected}, but so did another process."),
                    format!("Nothing put {expected} back, so only one of them can have found it."),
                ]);
            }
            let replacing = Witness { process, what: What::Replaced, value: expected, moment: 0 };
            self.establish(
                before,
                &Witness { moment: witness.moment, ..replacing.clone() },
                depth + 1,
            )?;
            self.observe(before, &Witness { moment: invoked, ..replacing });
            self.group(before).is_replaced = true;
            self.group(group).replaces = None;
            self.group(group).first = Some(witness.moment);
            self.join(before, group);
            self.check_chain(before)?;
            let value = self.group(before).value.clone();
            self.passed.push_back((witness.moment, value));
        } else {
            self.group(group).first = Some(witness.moment);
            let block = self.group(group).block;
            self.block(block).first = witness.clone();
            self.live.push(block);
        }
        Ok(())
    }

    /// Puts the block of `group`, which has nothing before it, behind that of `before`.
    fn join(&mut self, before: u32, group: u32) {
        let (into, from) = (self.group(before).block, self.group(group).block);
        let Some(moved) = self.blocks[from as usize].take() else { return };
        self.free_blocks.push(from);
        for &group in &moved.groups {
            self.group(group).block = into;
        }
        let block = self.block(into);
        block.groups.extend(&moved.groups);
        if moved.last.moment > block.last.moment {
            block.last = moved.last;
        }
    }

    /// Lets a block that has changed tell the others, and looks for contradictions.
    fn settle(&mut self, changed: u32) -> Result<(), Contradiction> {
        let (first, last) = {
            let block = self.block(changed);
            (block.first.moment, block.last.moment)
        };
        for at in 0..self.live.len() {
            let number = self.live[at];
            let other = self.blocks[number as usize].as_ref().expect("live blocks are there");
            let kills = number != changed
                && last > other.first.moment
                && other.death.as_ref().is_none_or(|death| first < death.first.moment);
            if kills {
                let block = self.block(changed);
                let death = Death { first: block.first.clone(), last: block.last.clone() };
                let other = self.block(number);
                if other.death.is_none() {
                    self.dying.push_back((first, number));
                }
                let other = self.block(number);
                other.death = Some(death);
                self.check(number)?;
            }
        }
        self.check(changed)
    }

    fn check(&mut self, block: u32) -> Result<(), Contradiction> {
        let block = self.block(block);
        match &block.death {
            Some(death) if death.first.moment < block.last.moment => {
                Err(block.contradiction(&death.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Whether an operation on `group` was invoked after a later group of the chain was there.
    fn check_chain(&mut self, group: u32) -> Result<(), Contradiction> {
        let (block, last) = (self.group(group).block, self.group(group).last);
        let groups = self.block(block).groups.clone();
        let later = groups.iter().skip_while(|&&it| it != group).skip(1);
        for &later in later {
            if self.group(later).first.is_some_and(|first| first < last) {
                let (old, new) = (show(&self.group(group).value), show(&self.group(later).value));
                let first = self.group(later).first.unwrap_or(0);
                return Err(vec![
                    format!(
                        "{new} took the place of {old} by cas, which is known since event {}.",
                        first.saturating_sub(1)
                    ),
                    format!(
                        "But an operation that began later, at event {}, found {old}.",
                        last.saturating_sub(1)
                    ),
                ]);
            }
        }
        Ok(())
    }

    /// Forgets what nothing can fit in any more. A crashed cas that would replace it does not count: only
    /// somebody who begins later could still see that it did, which is too late.
    fn forget(&mut self, now: u64) {
        let oldest = self.open.first().copied().unwrap_or(now + 1);
        while let Some(&(moment, number)) = self.dying.front()
            && moment < oldest
        {
            self.dying.pop_front();
            // The place may have been taken by another block since.
            let Some(block) = &self.blocks[number as usize] else { continue };
            if block.death.as_ref().is_none_or(|death| death.first.moment >= oldest) {
                continue;
            }
            let groups = block.groups.clone();
            for group in groups {
                self.drop_group(group);
            }
            self.live.retain(|&it| it != number);
            self.drop_block(number);
        }
        while let Some((moment, value)) = self.passed.front()
            && *moment < oldest
        {
            let group = self.values.get(value).copied();
            self.passed.pop_front();
            if let Some(group) = group
                && self.group(group).is_replaced
            {
                let block = self.group(group).block;
                self.block(block).groups.retain(|&it| it != group);
                self.drop_group(group);
            }
        }
    }

    fn drop_group(&mut self, group: u32) {
        if let Some(dropped) = self.groups[group as usize].take() {
            self.values.remove(&dropped.value);
            self.free_groups.push(group);
        }
    }

    fn drop_block(&mut self, block: u32) {
        if self.blocks[block as usize].take().is_some() {
            self.free_blocks.push(block);
        }
    }

    fn give_up(&mut self) {
        let open = std::mem::take(&mut self.open);
        *self = Self { open, is_given_up: true, ..Self::new(&Value::Null) };
    }
}

/// Puts something in a free place.
fn insert<T>(places: &mut Vec<Option<T>>, free: &mut Vec<u32>, thing: T) -> u32 {
    match free.pop() {
        Some(place) => {
            places[place as usize] = Some(thing);
            place
        }
        None => {
            places.push(Some(thing));
            places.len() as u32 - 1
        }
    }
}

/// A value was seen that nobody can have written, or that is long gone.
fn unseen(process: u64, what: What, value: &Value) -> Contradiction {
    let witness = Witness { process, what, value: value.clone(), moment: 0 };
    let which = match what {
        // A replacement may have begun long before anybody saw that it happened.
        What::Replaced => "the operation that shows this began",
        What::Start | What::Wrote | What::Read => "that operation began",
    };
    vec![
        format!("{}.", witness.describe()),
        format!("But {} was never written, or was overwritten before {which}.", show(value)),
    ]
}
