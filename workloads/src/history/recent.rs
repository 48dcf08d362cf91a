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
    whole: Vec<Option<Known>>,
    /// Lists of integers, by the text of their first one.
    integers: Vec<Option<Known>>,
}

/// A list and its text behind the opening bracket; that of integers without the closing one.
#[derive(Debug)]
struct Known {
    text: Vec<u8>,
    list: Arc<[Value]>,
}

impl Recent {
    /// The list that is written at the beginning of `rest`, which follows an opening bracket, and the
    /// length of its text; if it has no lists in it, is short, and was read lately.
    pub(super) fn whole(&self, rest: &[u8]) -> Option<(Value, usize)> {
        let text = whole(rest)?;
        let known = self.whole.get(place(text))?.as_ref()?;
        (known.text == text).then(|| (Value::List(Arc::clone(&known.list)), text.len()))
    }

    /// Keeps a list that took so many bytes of `rest`.
    pub(super) fn keep_whole(&mut self, rest: &[u8], length: usize, list: &Value) {
        let Value::List(list) = list else { return };
        // A bracket in a string is none.
        if let Some(text) = whole(rest).filter(|text| text.len() == length) {
            keep(&mut self.whole, place(text), text, list);
        }
    }

    /// The integers that `rest`, which follows an opening bracket, begins with, and the length of their
    /// text, behind which a comma or a closing bracket stands; if they are a list that was read lately.
    pub(super) fn integers(&self, rest: &[u8]) -> Option<(&Arc<[Value]>, usize)> {
        let known = self.integers.get(place(first(rest)?))?.as_ref()?;
        let length = known.text.len();
        let is_list =
            rest.starts_with(&known.text) && matches!(rest.get(length), Some(b',' | b']'));
        is_list.then_some((&known.list, length))
    }

    /// Keeps a list whose text, without the closing bracket, took so many bytes of `rest`.
    pub(super) fn keep_integers(&mut self, rest: &[u8], length: usize, list: &Value) {
        let Value::List(list) = list else { return };
        let is_worth_it = list.len() >= INTEGERS_MIN && length <= TEXT_MAX;
        if is_worth_it
            && let Some(first) = first(rest)
            && list.iter().all(|it| matches!(it, Value::Int(_)))
        {
            keep(&mut self.integers, place(first), &rest[..length], list);
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

fn place(text: &[u8]) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write(text);
    hasher.finish() as usize % PLACES
}

fn keep(places: &mut Vec<Option<Known>>, place: usize, text: &[u8], list: &Arc<[Value]>) {
    if places.is_empty() {
        places.resize_with(PLACES, || None);
    }
    match &mut places[place] {
        Some(known) => {
            known.text.clear();
            known.text.extend_from_slice(text);
            known.list = Arc::clone(list);
        }
        empty => *empty = Some(Known { text: text.to_vec(), list: Arc::clone(list) }),
    }
}
