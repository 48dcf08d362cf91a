//! Lists that were read lately, found again by their text.
//!
//! A history says most things twice: an invocation asks for what its completion repeats, and a read of
//! a list returns what was read before, or that and a little more. What is found here need not be read
//! letter by letter, and is held in memory once.

use std::hash::Hasher;
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::Value;

/// Lists that are kept; a power of two.
const PLACES: usize = 1 << 11;
/// The longest text that is kept, in bytes.
const TEXT_MAX: usize = 1 << 14;
/// The longest text of a list that is looked up as a whole, such as `"append",7,1234]`, in bytes.
const WHOLE_MAX: usize = 40;
/// The fewest integers for which it pays to look for a list with the same beginning.
const INTEGERS_MIN: usize = 4;
/// The longest first element of such a list, in bytes.
const FIRST_MAX: usize = 20;

/// Lists by their texts. A list that comes into the place of another one takes it.
#[derive(Debug, Default)]
pub(super) struct Recent {
    whole: Vec<Option<Whole>>,
    /// Lists of integers, by the text of their first one.
    integers: Vec<Option<Integers>>,
}

/// A short list and its text behind the opening bracket: all of it side by side, because where they are
/// kept is looked up once or twice for each step of a transaction.
#[derive(Debug)]
struct Whole {
    length: u8,
    text: [u8; WHOLE_MAX],
    list: Arc<[Value]>,
}

/// A list of integers and its text behind the opening bracket and without the closing one.
#[derive(Debug)]
struct Integers {
    text: Vec<u8>,
    list: Arc<[Value]>,
}

/// Where a list is kept, or is to be.
pub(super) struct Place<T> {
    number: usize,
    /// The length of its text, or of the beginning of it that is known.
    pub(super) length: usize,
    /// The list, or the beginning of it, if it was read lately.
    pub(super) list: Option<T>,
}

impl<T> Place<T> {
    /// Where to keep the list that was read instead, whose first elements are those that are known.
    pub(super) fn free(self, count: impl Fn(T) -> usize) -> Free {
        let Place { number, length, list } = self;
        Free { number, length, elements: list.map_or(0, count) }
    }
}

/// A place for a list of which so much, in bytes and elements, is there already.
#[derive(Clone, Copy)]
pub(super) struct Free {
    number: usize,
    length: usize,
    elements: usize,
}

impl Recent {
    /// The place of the list that is written at the beginning of `rest`, which follows an opening bracket;
    /// if it is short and has no lists in it.
    pub(super) fn whole(&self, rest: &[u8]) -> Option<Place<Value>> {
        let text = whole(rest)?;
        let number = number(text);
        let known = self.whole.get(number).and_then(Option::as_ref);
        let list = known
            .filter(|known| known.text[..usize::from(known.length)] == *text)
            .map(|known| Value::List(Arc::clone(&known.list)));
        Some(Place { number, length: text.len(), list })
    }

    /// Keeps a list with this text.
    pub(super) fn keep_whole(&mut self, place: Place<Value>, text: &[u8], list: &Value) {
        let Value::List(list) = list else { return };
        // A bracket in a string is none.
        if place.length != text.len() {
            return;
        }
        if self.whole.is_empty() {
            self.whole.resize_with(PLACES, || None);
        }
        let mut kept = [0; WHOLE_MAX];
        kept[..text.len()].copy_from_slice(text);
        let (length, list) = (text.len() as u8, Arc::clone(list));
        self.whole[place.number] = Some(Whole { length, text: kept, list });
    }

    /// The place of the list of integers that `rest`, which follows an opening bracket, begins with. A
    /// comma or a closing bracket stands behind what is known of it.
    pub(super) fn integers(&self, rest: &[u8]) -> Option<Place<&Arc<[Value]>>> {
        let number = number(first(rest)?);
        let known = self.integers.get(number).and_then(Option::as_ref).filter(|known| {
            rest.starts_with(&known.text) && matches!(rest.get(known.text.len()), Some(b',' | b']'))
        });
        let length = known.map_or(0, |known| known.text.len());
        Some(Place { number, length, list: known.map(|known| &known.list) })
    }

    /// Keeps a list with this text, which is without the closing bracket.
    pub(super) fn keep_integers(&mut self, free: Free, text: &[u8], list: &Value) {
        let Value::List(list) = list else { return };
        let is_worth_it = list.len() >= INTEGERS_MIN && text.len() <= TEXT_MAX;
        // Where a list is among the new elements, it may have taken the place.
        let mut new = list[free.elements..].iter();
        if !is_worth_it || !new.all(|it| matches!(it, Value::Int(_))) {
            return;
        }
        if self.integers.is_empty() {
            self.integers.resize_with(PLACES, || None);
        }
        match &mut self.integers[free.number] {
            Some(kept) => {
                kept.text.truncate(free.length);
                kept.text.extend_from_slice(&text[free.length..]);
                kept.list = Arc::clone(list);
            }
            empty => *empty = Some(Integers { text: text.to_vec(), list: Arc::clone(list) }),
        }
    }
}

/// The text of a list up to its end, if that is near and no list is in it.
fn whole(rest: &[u8]) -> Option<&[u8]> {
    let near = &rest[..rest.len().min(WHOLE_MAX)];
    let end = near.iter().position(|byte| matches!(byte, b']' | b'[' | b'{'))?;
    (near[end] == b']').then(|| &near[..=end])
}

/// The text of the first element of a list of several.
fn first(rest: &[u8]) -> Option<&[u8]> {
    let near = &rest[..rest.len().min(FIRST_MAX)];
    near.iter().position(|&byte| byte == b',').map(|end| &near[..end])
}

/// The number of the place of a text.
fn number(text: &[u8]) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(text);
    hasher.finish() as usize % PLACES
}
