//! Taking the texts of reads apart into the texts that were written and appended.

use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;

/// The node of the initial text.
pub(super) const ROOT: u32 = 0;

/// The parent of what does not continue another text.
pub(super) const NONE: u32 = u32::MAX;

/// A text that the object held: that of the parent, and one more.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) parent: u32,
    pub(super) text: SmolStr,
}

/// All texts that somebody saw, as a tree.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) nodes: Vec<Node>,
    children: FxHashMap<(u32, SmolStr), u32>,
    written: FxHashSet<SmolStr>,
    appended: FxHashSet<SmolStr>,
    lengths: Vec<usize>,
}

impl Places {
    /// Texts that were written and appended; none unless all are different and none is empty.
    pub(super) fn new<'a>(
        initial: &str,
        written: impl Iterator<Item = &'a str>,
        appended: impl Iterator<Item = &'a str>,
    ) -> Option<Places> {
        let mut places = Places {
            nodes: vec![Node { parent: NONE, text: initial.into() }],
            children: FxHashMap::default(),
            written: FxHashSet::default(),
            appended: FxHashSet::default(),
            lengths: Vec::new(),
        };
        for text in written {
            if text.is_empty() || text == initial || !places.written.insert(text.into()) {
                return None;
            }
            places.lengths.push(text.len());
        }
        for text in appended {
            let fresh = !places.written.contains(text) && places.appended.insert(text.into());
            if text.is_empty() || !fresh {
                return None;
            }
            places.lengths.push(text.len());
        }
        places.lengths.sort_unstable();
        places.lengths.dedup();
        Some(places)
    }

    /// The node of a text that was read. None if it can be taken apart in two ways.
    pub(super) fn place(&mut self, text: &str) -> Option<u32> {
        let mut ways = Vec::new();
        if let Some(rest) = text.strip_prefix(self.nodes[ROOT as usize].text.as_str()) {
            ways.push((ROOT, rest));
        }
        for &length in &self.lengths {
            if let Some((first, rest)) = text.split_at_checked(length)
                && self.written.contains(first)
            {
                ways.push((NONE, rest));
            }
        }
        let mut found = None;
        for (start, rest) in ways {
            match self.parts(rest) {
                Ok(Some(parts)) if found.is_none() => found = Some((start, rest, parts)),
                Ok(None) => {}
                Ok(Some(_)) | Err(Ambiguous) => return None,
            }
        }
        // If there is no way, nobody can have written it.
        let Some((start, rest, parts)) = found else { return Some(self.child(NONE, text)) };
        let start = match start {
            ROOT => ROOT,
            _ => self.child(NONE, &text[..text.len() - rest.len()]),
        };
        Some(parts.into_iter().fold(start, |node, part| self.child(node, part)))
    }

    /// The texts that were appended of which this one is made, if it is.
    fn parts<'a>(&self, mut rest: &'a str) -> Result<Option<Vec<&'a str>>, Ambiguous> {
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let mut firsts = self.lengths.iter().filter_map(|&length| {
                rest.split_at_checked(length).filter(|(first, _)| self.appended.contains(*first))
            });
            let Some((first, after)) = firsts.next() else { return Ok(None) };
            if firsts.next().is_some() {
                return Err(Ambiguous);
            }
            parts.push(first);
            rest = after;
        }
        Ok(Some(parts))
    }

    /// The node for `text` right after `parent`; a new one if there is none.
    pub(super) fn child(&mut self, parent: u32, text: &str) -> u32 {
        let fresh = self.nodes.len() as u32;
        let nodes = &mut self.nodes;
        *self.children.entry((parent, text.into())).or_insert_with(|| {
            nodes.push(Node { parent, text: text.into() });
            fresh
        })
    }

    /// For each appended text that was seen, the node where; the first, if it was seen at several.
    pub(super) fn seen(&self) -> FxHashMap<SmolStr, u32> {
        let mut seen = FxHashMap::default();
        for (node, it) in self.nodes.iter().enumerate().skip(1) {
            if it.parent != NONE {
                seen.entry(it.text.clone()).or_insert(node as u32);
            }
        }
        seen
    }

    /// Whether a text was written, not appended.
    pub(super) fn is_written(&self, text: &str) -> bool {
        self.written.contains(text)
    }

    /// The whole text of a node.
    pub(super) fn text(&self, node: u32) -> String {
        let mut parts = Vec::new();
        let mut next = node;
        while next != NONE {
            let node = &self.nodes[next as usize];
            parts.push(node.text.as_str());
            next = node.parent;
        }
        parts.reverse();
        parts.concat()
    }
}

/// A text can be taken apart in several ways.
struct Ambiguous;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_taken_apart() {
        let written = ["w1", "w2"];
        let appended = ["a", "bb", "c"];
        let mut places = Places::new("", written.into_iter(), appended.into_iter()).unwrap();
        assert_eq!(places.place(""), Some(ROOT));
        let abb = places.place("abb").unwrap();
        let after_write = places.place("w1c").unwrap();
        assert_eq!(places.text(abb), "abb");
        assert_eq!(places.text(after_write), "w1c");
        assert_eq!(places.place("abb"), Some(abb));
        let foreign = places.place("axx").unwrap();
        assert_eq!(places.nodes[foreign as usize].parent, NONE);
        assert_eq!(places.seen()["bb"], abb);
        // What looked like a beginning was none.
        assert_eq!(places.place("ca"), places.place("ca"));
        assert_eq!(places.place("bbxx").map(|node| places.text(node)), Some("bbxx".to_owned()));
        assert_eq!(places.seen()["bb"], abb);
    }

    #[test]
    fn what_has_two_readings_is_not_placed() {
        let none = [].into_iter();
        assert!(Places::new("", none.clone(), ["a", "a"].into_iter()).is_none());
        assert!(Places::new("", ["a"].into_iter(), ["a"].into_iter()).is_none());
        let mut places = Places::new("", none, ["a", "aa"].into_iter()).unwrap();
        assert_eq!(places.place("aa"), None);
    }
}
